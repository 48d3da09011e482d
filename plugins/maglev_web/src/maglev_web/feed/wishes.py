"""Which backends somebody looks at: a bounded number of them, and each for a while only."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

LAST_S = 30.0
"""A wish that is not said again ends; pages say theirs every ten seconds."""


class Wishes:
    """Names that are wished for; of too many, the newest.

    Args:
        most: How many names there may be.
        last_s: How long a wish lasts, in seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, most: int, *, last_s: float = LAST_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._last_s = last_s
        self._clock = clock
        self._ends_s: OrderedDict[str, float] = OrderedDict()

    def wish(self, names: Iterable[str]) -> None:
        """Wish for names, the most important first."""
        wished = list(dict.fromkeys(names))[: self._most]
        for name in reversed(wished):
            self._ends_s.pop(name, None)
            self._ends_s[name] = self._clock() + self._last_s
        while len(self._ends_s) > self._most:
            self._ends_s.popitem(last=False)

    def now(self) -> frozenset[str]:
        """What is wished for now."""
        now_s = self._clock()
        while self._ends_s and next(iter(self._ends_s.values())) <= now_s:
            self._ends_s.popitem(last=False)
        return frozenset(self._ends_s)
