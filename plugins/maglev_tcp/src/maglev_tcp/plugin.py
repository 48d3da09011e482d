"""Registers what this distribution provides: the checker `tcp`."""

from __future__ import annotations

from collections.abc import Iterable

from maglev.api import Checker
from maglev.plugin import hookimpl
from maglev_tcp.checker import TcpChecker


@hookimpl
def maglev_checkers() -> Iterable[type[Checker]]:
    """The checker `tcp`."""
    return [TcpChecker]
