"""Registers what this distribution provides: the checker `icmp`."""

from __future__ import annotations

from collections.abc import Iterable

from maglev.api import Checker
from maglev.plugin import hookimpl
from maglev_icmp.checker import IcmpChecker


@hookimpl
def maglev_checkers() -> Iterable[type[Checker]]:
    """The checker `icmp`."""
    return [IcmpChecker]
