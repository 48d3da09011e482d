"""Collects the outcomes of one VIP since the start or the latest reset."""

from __future__ import annotations

from collections import Counter

from maglev_tester.failover import Failovers
from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.tally import Tally
from maglev_tester.window import Window


class Record:
    """Counts, latencies, tally and failovers of one VIP."""

    def __init__(self) -> None:
        self.count = 0
        """Probes that were judged: all but those that failed by our own fault."""
        self.failed = 0
        self.status = ""
        """The latest probe's outcome in a word."""
        self.error: ErrorClass | None = None
        """What was wrong with the latest probe."""
        self.errors: Counter[ErrorClass] = Counter()
        self.window = Window()
        self.tally = Tally()
        self.failovers = Failovers(self.tally.fresh)

    @property
    def good(self) -> int:
        """Probes that a client would have been content with."""
        return self.count - self.failed

    @property
    def ok_percent(self) -> float | None:
        """The share of good probes, 0 to 100; `None` before the first."""
        return 100 * self.good / self.count if self.count else None

    def add(self, outcome: Outcome) -> ErrorClass | None:
        """Take the next outcome; those of one VIP come in order.

        Returns:
            The class of error that it is counted in.
        """
        is_spike = outcome.ok and self.window.is_spike(outcome.latency_ns)
        noted = ErrorClass.SPIKE if is_spike else outcome.error
        self.status, self.error = outcome.status, outcome.error
        if noted is not None:
            self.errors[noted] += 1
        if outcome.error is ErrorClass.LOCAL:
            return noted
        self.count += 1
        self.failed += outcome.failed
        self.window.add(outcome.latency_ns if outcome.ok else None)
        self.failovers.add(outcome)
        if outcome.answered:
            self.tally.add(outcome.who, outcome.ended_ns)
        return noted


def percent(value: float | None) -> str:
    """Write a share of good probes, 0 to 100, never rounded up to 100: one failure in a million is to be seen."""
    if value is None:
        return "-"
    return "100" if value >= 100 else f"{int(value * 100) / 100:.2f}"
