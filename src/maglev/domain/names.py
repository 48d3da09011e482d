"""Finds the name that was probably meant."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable

_COMPARISONS = 20_000
_LIKELY = 200


class Speller:
    """Suggests names, with a bound on the work: a large file full of errors must not take minutes to refuse.

    Args:
        comparisons: How many pairs of names may be compared in this speller's life.
    """

    def __init__(self, comparisons: int = _COMPARISONS) -> None:
        self._left = comparisons

    def nearest(self, name: str, known: Iterable[str], count: int = 1) -> tuple[str, ...]:
        """Return up to `count` known names that resemble a name, best first."""
        likely = [other for other in known if abs(len(other) - len(name)) <= 3]
        if len(likely) > self._left:
            return ()
        self._left -= len(likely)
        return tuple(difflib.get_close_matches(name, likely, count, cutoff=0.6))

    def hint(self, name: str, known: Iterable[str]) -> str:
        """Return `; did you mean 'x'?`, or nothing where no known name resembles it."""
        nearest = self.nearest(name, known)
        return f"; did you mean {nearest[0]!r}?" if nearest else ""


def nearest(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Return up to `count` known names that resemble a name, best first.

    For use while probes run: only the names that begin most like it are compared, which takes a few milliseconds
    however many there are.
    """
    likely = heapq.nlargest(_LIKELY, known, key=lambda other: _alike(name, other))
    return Speller().nearest(name, likely, count)


def _alike(one: str, other: str) -> int:
    """Return how many characters two names share at their beginning."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
