"""Failovers as a client sees them: from the first failed request until all is well again.

A failover begins with a failed probe and is over when five seconds have passed without another. Requests of one VIP may
fail and succeed by turns: while one server of three is dead, two thirds of new flows are served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from maglev_tester.outcome import Outcome
from maglev_tester.tally import NOBODY

QUIET_NS = 5_000_000_000
"""So long without a failure, and a failover is over."""
KEPT = 50
"""How many failovers are remembered."""


@attrs.define
class Failover:
    """One failover, perhaps still going on.

    Args:
        started_ns: When the first failed probe began, on the monotonic clock.
        before: Who answered in the five seconds before.
        failed: Probes that failed.
        gap_ns: The longest time from the end of a good answer to the end of the next one, failures between them.
        recovered_ns: The end of the first good answer after the latest failure; `None` while there is none.
        after: Who answers since.
        over: Whether five seconds have passed since then without a failure.
    """

    started_ns: int
    before: frozenset[str]
    failed: int = 0
    gap_ns: int = 0
    recovered_ns: int | None = None
    after: set[str] = attrs.field(factory=set)
    over: bool = False

    @property
    def left(self) -> tuple[str, ...]:
        """Servers that answered before and no longer do; empty while this is not known."""
        return tuple(sorted(self.before - self.after)) if self.over else ()

    @property
    def joined(self) -> tuple[str, ...]:
        """Servers that answer now and did not before."""
        return tuple(sorted(self.after - self.before)) if self.before else ()

    @property
    def shifted_ns(self) -> int | None:
        """The time until only the new set of servers answered.

        From the first failed request to the first answer after the last failed one. `None` while it is not over, or if
        the same servers answer as before.
        """
        if not self.over or self.recovered_ns is None or not (self.left or self.joined):
            return None
        return self.recovered_ns - self.started_ns


class Failovers:
    """Follows one VIP; `answering` tells who has answered in the five seconds before a time of the monotonic clock."""

    def __init__(self, answering: Callable[[int], frozenset[str]]) -> None:
        self.seen: deque[Failover] = deque(maxlen=KEPT)
        """From the oldest to the newest."""
        self._answering = answering
        self._current: Failover | None = None
        self._good_ns: int | None = None
        """Until when all was well: the end of the latest good answer, or the start of the first probe."""
        self.failing = False
        """Whether the latest probe failed."""
        self._failed_ns = 0
        self._longest_ns = 0

    def add(self, outcome: Outcome) -> None:
        """Take the next outcome; those of one VIP come in order."""
        if self._good_ns is None:
            self._good_ns = outcome.started_ns
        if outcome.failed:
            self._fail(outcome)
        elif outcome.ok:
            self._succeed(outcome)

    def _fail(self, outcome: Outcome) -> None:
        if self._current is None:
            self._current = Failover(outcome.started_ns, self._answering(outcome.started_ns))
            self.seen.append(self._current)
        self.failing = True
        self._failed_ns = outcome.ended_ns
        self._current.failed += 1
        self._current.recovered_ns = None
        self._current.after.clear()

    def _succeed(self, outcome: Outcome) -> None:
        if self._current is not None:
            self._recover(self._current, outcome)
        self._good_ns = outcome.ended_ns
        self.failing = False

    def _recover(self, failover: Failover, outcome: Outcome) -> None:
        if self.failing:
            self._note_gap(failover, outcome.ended_ns - (self._good_ns or 0))
            failover.recovered_ns = outcome.ended_ns
        if outcome.answered:
            failover.after.add(outcome.who or NOBODY)
        if failover.recovered_ns is not None and outcome.ended_ns - failover.recovered_ns >= QUIET_NS:
            failover.over = True
            self._current = None

    def _note_gap(self, failover: Failover, gap_ns: int) -> None:
        failover.gap_ns = max(failover.gap_ns, gap_ns)
        self._longest_ns = max(self._longest_ns, gap_ns)

    def interrupt(self) -> None:
        """Probing stops for a while: what was going on ends here, and the pause is no gap."""
        if self._current is not None and self.failing and self._good_ns is not None:
            self._note_gap(self._current, self._failed_ns - self._good_ns)
        self._current = None
        self._good_ns = None
        self.failing = False

    def longest_gap_ns(self, now_ns: int) -> int:
        """The longest gap so far, one that is still open included; 0 if no probe failed."""
        open_ns = now_ns - self._good_ns if self.failing and self._good_ns is not None else 0
        return max(self._longest_ns, open_ns)
