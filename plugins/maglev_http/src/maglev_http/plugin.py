"""Registers what this distribution provides: the checkers `http` and `https`."""

from __future__ import annotations

from collections.abc import Iterable

from maglev.api import Checker
from maglev.plugin import hookimpl
from maglev_http.checkers import HttpChecker, HttpsChecker


@hookimpl
def maglev_checkers() -> Iterable[type[Checker]]:
    """The checkers `http` and `https`."""
    return [HttpChecker, HttpsChecker]
