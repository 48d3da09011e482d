"""The running daemon without its command line: what owns the State, writes to the dataplane, and runs exporters."""

from maglev.runtime.control import LiveControl
from maglev.runtime.controller import open_controller
from maglev.runtime.overrides import OverrideStore, StateError
from maglev.runtime.settings import Settings
from maglev.runtime.supervisor import Supervisor

__all__ = ["LiveControl", "OverrideStore", "Settings", "StateError", "Supervisor", "open_controller"]
