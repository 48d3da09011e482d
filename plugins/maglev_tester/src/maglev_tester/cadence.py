"""When the next probe of a VIP is due: start to start, a tenth more or less, never catching up."""

from __future__ import annotations

import random
from collections.abc import Callable

JITTER = 0.1
"""By how much an interval may be longer or shorter, as a share of it: probes of many VIPs must not march in step."""


class Cadence:
    """The schedule of one VIP, as a calculation: it neither waits nor reads a clock.

    Args:
        interval_ns: From the start of one probe to the start of the next, on average.
        uniform: Gives numbers from 0 to 1.
    """

    def __init__(self, interval_ns: int, uniform: Callable[[], float] = random.random) -> None:
        self._interval_ns = interval_ns
        self._uniform = uniform
        self.due_ns = 0
        """When the next probe is to start, on the clock of the caller."""

    def begin(self, now_ns: int) -> None:
        """Start, or start anew after a pause: the first probe is due within one interval."""
        self.due_ns = now_ns + int(self._interval_ns * self._uniform())

    def ended(self, started_ns: int, ended_ns: int) -> None:
        """Plan the next probe.

        It is counted from when this one was due, so that small delays do not add up, unless it began late by more than
        the jitter: then from when it began. If that is past already, the next is due at once, and those that were
        missed are forgotten.

        Args:
            started_ns: When the probe began.
            ended_ns: When it ended.
        """
        late = started_ns - self.due_ns > self._interval_ns * JITTER
        base_ns = started_ns if late else self.due_ns
        jitter = 1 + JITTER * (2 * self._uniform() - 1)
        self.due_ns = max(base_ns + int(self._interval_ns * jitter), ended_ns)
