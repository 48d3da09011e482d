"""Names in requests: bounded, and unknown ones answered with the nearest that exist."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Collection, Mapping
from typing import TypeVar

import attrs

from maglev.api import Command, UnknownName
from maglev_grpc.server.errors import bad_argument

T = TypeVar("T")

LONGEST = 256
_CANDIDATES = 200
"""Comparing costs tens of microseconds a name, in the process that probes."""


def bounded(name: str) -> str:
    """Return a name that is not too long to be one.

    Raises:
        Refused: It is.
    """
    if len(name) > LONGEST:
        raise bad_argument(f"a name has {LONGEST} characters at most, and this one {len(name)}")
    return name


def bounded_command(command: Command) -> None:
    """Make sure that all names in a command are of a sane length.

    Raises:
        Refused: One is not.
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
        Refused: It is too long to be a name.
    """
    try:
        return known[name]
    except KeyError:
        raise UnknownName(kind, bounded(name), nearest(name, known)) from None


def nearest(name: str, known: Collection[str]) -> list[str]:
    """The nearest of the known names, best first, three at most."""
    likely = heapq.nlargest(_CANDIDATES, known, key=lambda other: _alike(name, other))
    return difflib.get_close_matches(name, likely, n=3)


def _alike(one: str, other: str) -> int:
    """How many characters two names have in common at their beginning."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
