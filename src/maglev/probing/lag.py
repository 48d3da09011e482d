"""Measures how late this process runs: time that it did not run is credited to the probes that were waiting.

At the end of each turn the prober notes when it will wake up again, at most one tick later while probes run. Waking up
later than that is a stall: the process was stopped, starved of CPU, or held up by something in its own loop. What is
left of the clock's time without the stalls is *running time*. Deadlines are kept in running time, so a probe that
expires has had all the time that it was promised.

One thing bounds that. A process under a CPU quota is stalled again and again, and at 2 % of a core a second of running
time takes most of a minute, while the kernel takes in answers all the time and each turn finds them. So a probe is
credited its three longest stalls whole, however long (the process, or the whole machine, was stopped), and for all
others together three more timeouts at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from heapq import nlargest
from itertools import takewhile

import attrs

from maglev.api import Code, ProbeResult, Verdict

GRAIN_NS = 1_000_000
"""A wake-up that is late by no more is on time: that much is the ordinary grain of timers."""
MIN_STALL_NS = 50_000_000
"""Shorter stalls are credited like all others, but neither reported nor a reason to run a probe again."""
CREDITED_WHOLE = 3
"""How many stalls, the longest, a probe is credited whole."""
CREDITED_TIMEOUTS = 3
"""How many timeouts a probe is credited at most for all other stalls."""
REPORT_EVERY_NS = 1_000_000_000
"""Stalls are reported at most this often, several together."""
MOST_VOIDS = 3
"""How many results in a row may be void for stalls; the next one counts."""
MOST_VOID_NS = 5_000_000_000
"""For how long results in a row may be void for stalls; the first one after it counts."""

_KEPT = 1000
_FAIL = Verdict.FAIL
# No stall can have caused these: the kernel refuses whether or not this process runs, and deadlines are credited.
_TRUE_ANYWAY = frozenset({Code.L4CON, Code.L4TOUT, Code.L6TOUT, Code.L7TOUT})


@attrs.define
class VoidRow:
    """The results of one job that were void for stalls, one after the other.

    Args:
        since_ns: When the first of these probes started.
        count: How many they are.
    """

    since_ns: int
    count: int = 0

    def __str__(self) -> str:
        return f" (after {self.count} that were void for stalls)" if self.count else ""


class LagMeter:
    """Adds up the time this process was stalled."""

    __slots__ = (
        "_latest", "_reported_ns", "_rows", "_voided", "_worst_ns", "last_ns", "max_ns", "stalled_ns", "stalls",
        "voided",
    )  # fmt: skip

    def __init__(self) -> None:
        self.last_ns = 0
        """How late the latest wake-up was."""
        self.max_ns = 0
        """The latest wake-up of all."""
        self.stalls = 0
        """How many times stalls were reported."""
        self.voided = 0
        """How many results were voided."""
        self.stalled_ns = 0
        """The sum of all stalls: how far running time is behind the clock."""
        self._latest: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        """The latest stalls: when each ended, and its length."""
        self._rows: dict[Hashable, VoidRow] = {}
        self._worst_ns = 0
        self._voided = 0
        self._reported_ns: int | None = None

    def woke(self, now_ns: int, meant_ns: int) -> None:
        """Note a wake-up, and when it was meant to be at the latest."""
        self.last_ns = late_ns = max(now_ns - meant_ns, 0)
        if late_ns <= GRAIN_NS:
            return
        self.max_ns = max(self.max_ns, late_ns)
        self.stalled_ns += late_ns
        if late_ns >= MIN_STALL_NS:
            self._worst_ns = max(self._worst_ns, late_ns)
        self._latest.append((now_ns, late_ns))

    def credit_ns(self, started_ns: int, stalled_before_ns: int, timeout_ns: int) -> int:
        """By how much the deadline of a probe moves that started then, with `stalled_ns` as it was then."""
        credit_ns = self.stalled_ns - stalled_before_ns
        others_ns = CREDITED_TIMEOUTS * timeout_ns
        if credit_ns <= others_ns:
            return credit_ns
        since = takewhile(lambda stall: stall[0] > started_ns, reversed(self._latest))
        return min(credit_ns, sum(nlargest(CREDITED_WHOLE, (length_ns for _, length_ns in since))) + others_ns)

    def judge(
        self, job: Hashable, result: ProbeResult, started_ns: int, stalled_before_ns: int, timeout_ns: int, now_ns: int
    ) -> ProbeResult:
        """Judge a result other than a pass, of a probe that was in flight during a stall.

        A peer that is kept waiting may hang up: that this process caused, so the result is void (`LAG`) and the probe
        deserves another try. Not so where the kernel refuses, where the probe timed out, or where the tries in a row
        are used up: a process that is starved for good is believed after all, or it would hide the dead.

        Args:
            job: Whose it is; what is void in a row is counted for each.
            result: How the probe ended, other than by its deadline.
            started_ns: When it started.
            stalled_before_ns: `stalled_ns` as it was then.
            timeout_ns: Its timeout.
            now_ns: The present.

        Returns:
            A void result, or the one given; where that ends a row of void ones, its detail says so.
        """
        if result.code.verdict is not _FAIL or result.code in _TRUE_ANYWAY:
            return result
        row = self._rows.get(job) or VoidRow(started_ns)
        stalled_ns = self.stalled_ns - stalled_before_ns
        if (
            stalled_ns <= max(MIN_STALL_NS, timeout_ns // 4)
            or row.count >= MOST_VOIDS
            or now_ns - row.since_ns > MOST_VOID_NS
        ):
            return attrs.evolve(result, detail=f"{result.detail}{row}")
        row.count += 1
        self._rows[job] = row
        self.voided += 1
        self._voided += 1
        self._worst_ns = max(self._worst_ns, min(stalled_ns, self.max_ns))
        return ProbeResult(Code.LAG, f"this process was stalled while the probe ran ({result})")

    def forget(self, job: Hashable) -> None:
        """End a job's row: it has a result that counts, or is probed no more."""
        if self._rows:
            self._rows.pop(job, None)

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
        self.stalls += 1
        self._reported_ns, self._worst_ns, self._voided = now_ns, 0, 0
        return report
