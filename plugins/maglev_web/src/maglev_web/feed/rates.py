"""Computes how fast counters grow."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)


class Rates:
    """Remembers the last reading of counters that only grow."""

    def __init__(self) -> None:
        self._last: Mapping[Any, Mapping[str, int]] = {}
        self._at_s: float | None = None

    def forget(self) -> None:
        """Start anew: the next reading gives no rates."""
        self._last, self._at_s = {}, None

    def read(self, counts: Mapping[K, Mapping[str, int]], at_s: float) -> dict[K, dict[str, float] | None]:
        """Take a reading.

        Args:
            counts: Counters by name, of anything.
            at_s: When they were read, in monotonic seconds.

        Returns:
            The same a second; `None` where there is nothing to compare with, or a counter began anew.
        """
        passed_s = at_s - self._at_s if self._at_s is not None else 0.0
        before, self._last, self._at_s = self._last, counts, at_s
        return {key: _a_second(before.get(key), now, passed_s) for key, now in counts.items()}


def _a_second(before: Mapping[str, int] | None, now: Mapping[str, int], passed_s: float) -> dict[str, float] | None:
    if before is None or passed_s <= 0:
        return None
    grown = {name: count - before.get(name, 0) for name, count in now.items()}
    if any(count < 0 for count in grown.values()):
        return None
    return {name: round(count / passed_s, 2) for name, count in grown.items()}
