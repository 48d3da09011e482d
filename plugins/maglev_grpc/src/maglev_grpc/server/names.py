"""Checks names in requests: limits their length, and answers unknown ones with the nearest that exist."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Mapping
from os.path import commonprefix
from typing import TypeVar

import attrs

from maglev.api import BadArgument, Command, UnknownName

T = TypeVar("T")

LONGEST = 256
_CANDIDATES = 200
"""Comparing costs tens of microseconds a name, in the process that probes."""


def bounded(name: str) -> str:
    """Return a name that is not too long to be one.

    Raises:
        BadArgument: It is.
    """
    if len(name) > LONGEST:
        raise BadArgument(f"a name has {LONGEST} characters at most, and this one {len(name)}")
    return name


def bounded_command(command: Command) -> None:
    """Check that no name in a command is too long.

    Raises:
        BadArgument: One is not.
    """
    for value in attrs.asdict(command).values():
        if isinstance(value, str):
            bounded(value)


def find(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Look a name up.

    Args:
        kind: What it names: `backend`, `frontend` or `healthcheck`.
        name: What was asked for.
        known: What there is.

    Raises:
        UnknownName: There is no such thing; holds the nearest names.
        BadArgument: It is too long to be a name.
    """
    try:
        return known[name]
    except KeyError:
        likely = heapq.nlargest(_CANDIDATES, known, key=lambda other: len(commonprefix((name, other))))  # noqa: RUF071  (names)
        raise UnknownName(kind, bounded(name), difflib.get_close_matches(name, likely, n=3)) from None
