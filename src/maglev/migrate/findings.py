"""Collects what an import could not carry over as it stands, with its place in the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import attrs

from maglev.terminal_text import escaped

Kind = Literal["left out", "changed", "not needed"]
"""`left out`: maglevd cannot do it. `changed`: it does something close. `not needed`: nothing is to be set."""

_KINDS: tuple[Kind, ...] = ("left out", "changed", "not needed")
_MOST_LINES = 12
"""How many places one finding names beside the first."""
_LONGEST = 120
"""How much of a directive is shown, in characters."""


@attrs.frozen(order=True)
class Place:
    """Where something stands in the source.

    Args:
        file: The file's name, as it was given or included.
        line: Counted from 1.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{escaped(self.file)}:{self.line}"

    def within(self, file: str) -> str:
        """Return the place as seen from a file: there, only its line."""
        return f"line {self.line}" if self.file == file else str(self)


@attrs.frozen
class Finding:
    """One directive that was not carried over as it stands.

    Args:
        kind: What became of it.
        directive: Its keyword, without values that may be secret.
        message: What maglevd does in its place, or what to do about it.
        places: Everywhere it stands, in the order of the source; never empty.
    """

    kind: Kind
    directive: str
    message: str
    places: tuple[Place, ...]

    def __str__(self) -> str:
        return self.shown(f"{self.directive}: {self.kind}", file="")

    def in_list(self, file: str) -> str:
        """Return the finding for a list of its kind; places in `file` are shown by their line."""
        return self.shown(self.directive, file)

    def shown(self, directive: str, file: str) -> str:
        """Return the finding on one line; places in `file` are shown by their line."""
        first, *others = self.places
        more = f" (also {_listed(others, first.file)})" if others else ""
        return f"{first.within(file)}: {shortened(directive)}: {escaped(self.message)}{more}"


def shortened(text: str) -> str:
    """Return text for one line of a message: harmless for a terminal and a comment, and not too long."""
    shown = escaped(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _listed(places: Sequence[Place], file: str) -> str:
    rest = len(places) - _MOST_LINES
    return ", ".join([*(place.within(file) for place in places[:_MOST_LINES]), *([f"{rest} more"] if rest > 0 else [])])


@attrs.define
class Findings:
    """What was found so far. One that recurs word for word is told once, with all its places."""

    _found: dict[tuple[Kind, str, str], dict[Place, None]] = attrs.field(factory=dict, init=False)

    def left_out(self, place: Place, directive: str, message: str) -> None:
        """Tell that maglevd cannot do what a directive says."""
        self._add("left out", place, directive, message)

    def changed(self, place: Place, directive: str, message: str) -> None:
        """Tell that maglevd does something close to what a directive says."""
        self._add("changed", place, directive, message)

    def not_needed(self, place: Place, directive: str, message: str) -> None:
        """Tell that a directive has no counterpart that could be missed."""
        self._add("not needed", place, directive, message)

    def _add(self, kind: Kind, place: Place, directive: str, message: str) -> None:
        self._found.setdefault((kind, directive, message), {})[place] = None

    def __iter__(self) -> Iterator[Finding]:
        """Give all findings, the most important kind first, each kind in the order of the source."""
        met = dict.fromkeys(place.file for places in self._found.values() for place in places)
        files = {file: position for position, file in enumerate(met)}
        found = [Finding(*key, tuple(sorted(places))) for key, places in self._found.items()]
        found.sort(key=lambda one: (_KINDS.index(one.kind), files[one.places[0].file], one.places[0].line))
        return iter(found)
