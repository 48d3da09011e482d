"""Faults within a value, before the value's position in the file is known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import attrs

Severity = Literal["shape", "meaning", "warning"]
Path = tuple[str | int, ...]
"""Keys and list positions from the top of the document."""
Position = tuple[int, int]
"""Line and column, both counted from 1; (0, 0) if not known."""

NOWHERE: Position = (0, 0)

_PLAIN_KEY = re.compile(r"[\w-]+")


def show_path(path: Path) -> str:
    """Write a path as messages do: `maglev.frontends.web-v4.pools[0]`; a key that is no plain word stands in quotes."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text


@attrs.frozen
class Fault:
    """One thing wrong.

    Args:
        path: From the value in question, or from the top once it has arrived there.
        message: What is wrong and what is allowed.
        severity: As in `maglev.api.Problem`.
        at_key: Point at the key rather than at its value.
        source: The flag or environment variable it came by; empty if it stands in the file.
        position: Where it stands, if that is known better than by its path.
    """

    path: Path
    message: str
    severity: Severity = "shape"
    at_key: bool = False
    source: str = ""
    position: Position = NOWHERE

    def below(self, *steps: str | int) -> Fault:
        """The same fault as seen from further up."""
        return attrs.evolve(self, path=steps + self.path)


class MisfitError(Exception):
    """A value cannot be made what it should be.

    Args:
        faults: Why not; never empty.
        partial: What could be made of it for further checks (all but the keys that nobody knows, say);
            `attrs.NOTHING` if nothing could.
    """

    def __init__(self, faults: Iterable[Fault], partial: Any = attrs.NOTHING) -> None:
        self.faults = tuple(faults)
        self.partial = partial
        super().__init__(self.faults)


def misfit(message: str, severity: Severity = "shape") -> MisfitError:
    """A misfit of the value itself."""
    return MisfitError([Fault((), message, severity)])
