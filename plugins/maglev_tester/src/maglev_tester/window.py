"""The latencies of the newest probes, and percentiles over them."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping, Sequence

SIZE = 100
"""How many probes a window holds."""
ENOUGH_TO_COMPARE = 20
"""So many good probes are needed before one can be called far slower than the others."""
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
"""What is shown of the latencies: the share of good probes that were at least so fast."""
SPIKE_FACTOR = 5
SPIKE_EXTRA_NS = 50_000_000


def percentile(ordered: Sequence[int], share: float) -> int | None:
    """The nearest-rank percentile: the least value that at least `share` of all values do not exceed.

    Args:
        ordered: Values in ascending order.
        share: Above 0, up to 1.

    Returns:
        One of the values; `None` if there are none.
    """
    if not ordered:
        return None
    # A share such as 0.95 is a hair more than that as a float, and must not reach the next rank for it.
    return ordered[max(math.ceil(round(share * len(ordered), 9)), 1) - 1]


class Window:
    """The newest probes: the latency of each, or `None` for one that failed. Percentiles are over the good ones."""

    def __init__(self, size: int = SIZE) -> None:
        self._latest: deque[int | None] = deque()
        self._ordered: list[int] = []
        self._size = size

    @property
    def latest(self) -> Sequence[int | None]:
        """Latencies from the oldest to the newest, in nanoseconds; `None`: failed."""
        return self._latest

    def add(self, latency_ns: int | None) -> None:
        """Take the newest, and forget the oldest if there is no more room."""
        if len(self._latest) == self._size:
            oldest = self._latest.popleft()
            if oldest is not None:
                del self._ordered[bisect_left(self._ordered, oldest)]
        self._latest.append(latency_ns)
        if latency_ns is not None:
            insort(self._ordered, latency_ns)

    def percentiles(self) -> Mapping[str, int | None]:
        """The latencies of `PERCENTILES` over the good probes, in nanoseconds; `None` if there were none."""
        return {name: percentile(self._ordered, share) for name, share in PERCENTILES.items()}

    def is_spike(self, latency_ns: int) -> bool:
        """Whether a good probe took far longer than the others: both five times the median and 50 ms more."""
        if len(self._ordered) < ENOUGH_TO_COMPARE:
            return False
        median = percentile(self._ordered, 0.5) or 0
        return latency_ns >= max(SPIKE_FACTOR * median, median + SPIKE_EXTRA_NS)
