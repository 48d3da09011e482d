"""Decides what follows when a dataplane is lost while it is filled, again and again: it may die of what it is given."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from maglev.domain.table import Address

SETTLED_S = 60.0
"""A dataplane that is lost so soon after it was filled may still have died of that: some only fail at a packet."""
FIRST_DELAY_S, LONGEST_DELAY_S = 5.0, 60.0
"""Back-off from the second such loss on; the first one may have had any reason."""
SMALLEST = 3
"""After so many losses portions do not get any smaller: each time a quarter of what they were."""


@attrs.define
class Filling:
    """Counts how often in a row a dataplane was lost while it was filled."""

    losses: int = 0
    _under_way: bool = False
    _done_s: float | None = None

    def begins(self) -> None:
        """Note that an empty dataplane is about to be filled."""
        self._under_way = True

    def ends(self, now_s: float) -> None:
        """Note that it was filled."""
        self._under_way, self._done_s = False, now_s

    def lost(self, now_s: float) -> bool:
        """Note that the dataplane was lost; tells whether that may come of the filling."""
        soon = self._done_s is not None and now_s - self._done_s < SETTLED_S
        suspicious = self._under_way or soon
        self.losses = self.losses + 1 if suspicious else 0
        self._under_way, self._done_s = False, None
        return suspicious

    def delay_s(self) -> float:
        """Return how long to leave the dataplane alone, in seconds."""
        return min(FIRST_DELAY_S * 2.0 ** (self.losses - 2), LONGEST_DELAY_S) if self.losses > 1 else 0.0

    @property
    def divisor(self) -> int:
        """By how much portions are to be smaller than usual."""
        return 1 << 2 * min(self.losses, SMALLEST)


def told(times: int, writing: Sequence[Address]) -> str:
    """Say that a dataplane was lost over being filled, and what was being written.

    Args:
        times: How often in a row.
        writing: The addresses of the portion that was written last; none if that was over.
    """
    at = str(writing[0]) if writing else ""
    more = f" and {len(writing) - 1} more addresses" if len(writing) > 1 else ""
    when = f"while {at}{more} {'were' if more else 'was'} written" if at else "soon after it was filled"
    row = "" if times == 1 else f", {times} times in a row: it may die of what it is given (is its memory too small?)"
    return f"lost {when}{row}"
