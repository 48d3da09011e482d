"""Chooses whose probes are followed where there are too many backends to follow all."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

KEPT_S = 30.0
"""A backend is followed this long after it was last asked for; pages ask every ten seconds."""


class FollowedBackends:
    """The names that were asked for last.

    Args:
        most: How many there may be.
        kept_s: How long a name is kept unless it is asked for again, in seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, most: int, *, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._kept_s = kept_s
        self._clock = clock
        self._ends_s: OrderedDict[str, float] = OrderedDict()

    def ask(self, names: Iterable[str]) -> None:
        """Follow these, the most important first."""
        asked = list(dict.fromkeys(names))[: self._most]
        for name in reversed(asked):
            self._ends_s.pop(name, None)
            self._ends_s[name] = self._clock() + self._kept_s
        while len(self._ends_s) > self._most:
            self._ends_s.popitem(last=False)

    def now(self) -> frozenset[str]:
        """Those that are followed now."""
        now_s = self._clock()
        while self._ends_s and next(iter(self._ends_s.values())) <= now_s:
            self._ends_s.popitem(last=False)
        return frozenset(self._ends_s)
