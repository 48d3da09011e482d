"""Counts of the prober, for metrics and benchmarks."""

from __future__ import annotations

_MS_NS = 1_000_000
_BUCKETS = 251


class ProberStats:
    """Counters since the start; read them, never write."""

    __slots__ = ("_late_ns", "ended", "late", "lateness", "max_late_ns", "started", "voided")

    def __init__(self, tick_ns: int) -> None:
        self.started = 0
        """Probes started, void ones included."""
        self.ended = 0
        """Probes that ended with a result, void ones included."""
        self.voided = 0
        """Those of them whose result was void."""
        self.late = 0
        """Starts later than two ticks after they were due."""
        self.max_late_ns = 0
        """The latest start of all."""
        self.lateness = [0] * _BUCKETS
        """Starts by how late they were, in whole milliseconds; the last one holds all that were later."""
        self._late_ns = 2 * tick_ns

    def start(self, late_ns: int) -> None:
        """Count a start that was this late."""
        self.started += 1
        # A start is never early: the wheel sees to that.
        milliseconds = late_ns // _MS_NS
        self.lateness[milliseconds if milliseconds < _BUCKETS else -1] += 1
        if late_ns > self._late_ns:
            self.late += 1
            self.max_late_ns = max(self.max_late_ns, late_ns)

    def lateness_ms(self, share: float) -> int:
        """The lateness that this share (0 to 1) of all starts did not exceed, in milliseconds, rounded up."""
        wanted = share * self.started
        seen = 0
        for milliseconds, count in enumerate(self.lateness):
            seen += count
            if seen >= wanted:
                return milliseconds + 1
        return _BUCKETS
