"""Registers what this distribution provides: the dataplane `vpp`."""

from __future__ import annotations

from collections.abc import Iterable

from maglev.api import Dataplane
from maglev.plugin import hookimpl
from maglev_vpp.dataplane import VppDataplane


@hookimpl
def maglev_dataplanes() -> Iterable[type[Dataplane]]:
    """The dataplane `vpp`."""
    return [VppDataplane]
