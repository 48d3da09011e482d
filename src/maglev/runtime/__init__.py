"""The running daemon without its command line: what owns state, writes to the dataplane, and runs exporters."""

from maglev.runtime.controller import Controller, open_controller
from maglev.runtime.overrides import OverrideStore, StateError
from maglev.runtime.settings import Settings
from maglev.runtime.supervisor import Supervisor

__all__ = ["Controller", "OverrideStore", "Settings", "StateError", "Supervisor", "open_controller"]
