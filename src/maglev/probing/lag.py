"""Measures how late this process runs and for how long it was stalled: failures during a stall prove nothing.

At the end of each turn the prober notes when it will wake up again, at most one tick later while probes run. Waking up
later than that is a stall: the process was stopped, starved of CPU, or held up by something in its own loop.
"""

from __future__ import annotations

MIN_STALL_NS = 50_000_000
"""A probe never becomes void for less."""
REPORT_EVERY_NS = 1_000_000_000
"""Stalls are reported at most this often, several together."""


class LagMeter:
    """Adds up the time this process was stalled.

    Stalls are added up rather than looked at one by one: a process that is starved for 40 ms again and again sees as
    little of its peers as one that was stopped for once. So a probe *overlapped* as much stalled time as the sum grew
    by while it ran. Lateness of less than two ticks is the ordinary grain of timers and does not count.
    """

    __slots__ = (
        "_floor_ns", "_reported_ns", "_voided", "_worst_ns", "last_ns", "max_ns", "stalled_ns", "stalls", "voided",
    )  # fmt: skip

    def __init__(self, tick_ns: int) -> None:
        self.last_ns = 0
        """How late the latest wake-up was."""
        self.max_ns = 0
        """The latest wake-up of all."""
        self.stalls = 0
        """How many stalls voided results."""
        self.voided = 0
        """How many results were voided."""
        self.stalled_ns = 0
        """The sum of all stalls."""
        self._floor_ns = 2 * tick_ns
        self._worst_ns = 0
        self._voided = 0
        self._reported_ns: int | None = None

    def woke(self, now_ns: int, meant_ns: int) -> None:
        """Note a wake-up, and when it was meant to be at the latest."""
        self.last_ns = late_ns = max(now_ns - meant_ns, 0)
        if late_ns <= self._floor_ns:
            return
        self.max_ns = max(self.max_ns, late_ns)
        self.stalled_ns += late_ns
        if late_ns >= MIN_STALL_NS:
            self._worst_ns = max(self._worst_ns, late_ns)

    def voids(self, stalled_before_ns: int, timeout_ns: int) -> bool:
        """Decide whether a failed probe, which started at this `stalled_ns`, is void, and count it if so."""
        overlap_ns = self.stalled_ns - stalled_before_ns
        if overlap_ns <= max(MIN_STALL_NS, timeout_ns // 4):
            return False
        self.voided += 1
        self._voided += 1
        self._worst_ns = max(self._worst_ns, min(overlap_ns, self.max_ns))
        return True

    def report(self, now_ns: int) -> tuple[int, int] | None:
        """Report the longest stall and the number of voided results since the last report.

        Returns:
            `(lag_ns, voided)`, or `None` if there is nothing to report, or not yet.
        """
        if not self._worst_ns:
            return None
        if self._reported_ns is not None and now_ns - self._reported_ns < REPORT_EVERY_NS:
            return None
        report = self._worst_ns, self._voided
        self.stalls += bool(self._voided)
        self._reported_ns, self._worst_ns, self._voided = now_ns, 0, 0
        return report
