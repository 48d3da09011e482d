"""The prober's schedule: when probes start, when they time out, and the timer that wakes the prober for both."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from maglev.probing.job import Probe, ScheduledJob
from maglev.probing.timer import Timer
from maglev.probing.timer_wheel import TimerWheel

_MANY_STARTS = 40
"""With more starts than this at once, waking up twice as often costs nothing more: there is work each time."""

Item = TypeVar("Item")


class Schedule:
    """Keeps the next start of every job and the deadline of every probe, and hands out what is due in bounded portions.

    Args:
        clock_ns: The monotonic clock.
        tick_ns: How finely things are timed; twice as finely where many probes start.
        timer: What wakes the prober.
    """

    def __init__(self, clock_ns: Callable[[], int], tick_ns: int, timer: Timer) -> None:
        self.wake_ns: int | None = None
        """When the prober should be awake at the latest; `None` while nothing is due."""
        self._clock_ns = clock_ns
        self._tick_ns = tick_ns
        self._slot_ns = tick_ns // 2
        self._grain_ns = tick_ns
        self._timer = timer
        self._starts: TimerWheel[ScheduledJob] = TimerWheel(clock_ns(), self._slot_ns)
        self._deadlines: TimerWheel[Probe] = TimerWheel(clock_ns(), self._slot_ns)
        self._due: deque[ScheduledJob] = deque()
        self._expired: deque[Probe] = deque()
        self._in_turn = False
        self._armed_ns: int | None = None

    @property
    def expiring(self) -> bool:
        """Whether expired probes are left over."""
        return bool(self._expired)

    def add(self, scheduled: ScheduledJob, due_ns: int) -> None:
        """Start a job's next probe at this time, and wake up for it."""
        scheduled.due_ns = due_ns
        scheduled.slot = self._starts.add(scheduled, due_ns)
        wake_ns = scheduled.slot * self._slot_ns
        # Only ever sooner: a stall that is being noticed must not be forgotten for a job that is added after it.
        if not self._in_turn and (self.wake_ns is None or wake_ns < self.wake_ns):
            self.wake_ns = self._armed_ns = wake_ns
            self._timer.set(wake_ns - self._clock_ns())

    def remove(self, scheduled: ScheduledJob) -> None:
        """Do not start the job's next probe."""
        if scheduled.slot is not None:
            self._starts.remove(scheduled, scheduled.slot)
            scheduled.slot = None

    def add_deadline(self, probe: Probe, credit_ns: int = 0) -> None:
        """Expire a probe after its timeout, and after as much more time as it has credit for."""
        due_ns = probe.started_ns + probe.scheduled.timeout_ns + credit_ns
        probe.deadline_slot = self._deadlines.add(probe, due_ns)

    def remove_deadline(self, probe: Probe) -> None:
        """Forget the deadline of a probe that ended."""
        if probe.deadline_slot is not None:
            self._deadlines.remove(probe, probe.deadline_slot)
            probe.deadline_slot = None

    def begin_turn(self, now_ns: int) -> None:
        """Do not set the timer until `end_turn`."""
        self._in_turn = True
        self.wake_ns = now_ns + self._tick_ns

    def take_expired(self, silent_since_ns: int, limit: int) -> list[Probe]:
        """Take probes whose deadline passed before this time; some may have ended since they were expired."""
        expired = self._expired
        for probe in self._deadlines.take_due(silent_since_ns):
            probe.deadline_slot = None
            expired.append(probe)
        return _portion(expired, limit)

    def take_due(self, now_ns: int, limit: int) -> list[ScheduledJob]:
        """Take jobs that are to start now; some may have been removed since they fell due."""
        due = self._due
        fallen = self._starts.take_due(now_ns)
        for scheduled in fallen:
            scheduled.slot = None
            due.append(scheduled)
        if fallen:
            self._grain_ns = self._slot_ns if len(fallen) > _MANY_STARTS else self._tick_ns
        return _portion(due, limit)

    def end_turn(self, began_ns: int, *, busy: bool) -> None:
        """Set the timer for what comes next.

        Args:
            began_ns: When this turn began, so that its own length counts as lateness too.
            busy: Whether there is more to be done than this schedule knows of.
        """
        self._in_turn = False
        grain_ns = self._grain_ns
        if busy or self._due or self._expired:
            wake_ns: int | None = began_ns
        elif self._deadlines:
            wake_ns = began_ns - began_ns % grain_ns + grain_ns
        else:
            wake_ns = self._starts.next_ns()
            if wake_ns is not None:
                wake_ns += -wake_ns % grain_ns
        if wake_ns is None:
            self.wake_ns = self._armed_ns = None
            self._timer.stop()
            return
        # A turn that has more to do is not late before a whole tick has passed.
        self.wake_ns = max(wake_ns, began_ns + self._tick_ns)
        now_ns = self._clock_ns()
        # The timer need not be set again to the same time, unless it went off within this turn.
        if wake_ns != self._armed_ns or wake_ns <= now_ns:
            self._armed_ns = wake_ns
            self._timer.set(wake_ns - now_ns)

    def clear(self) -> None:
        """Forget what fell due."""
        self._due.clear()
        self._expired.clear()


def _portion(queue: deque[Item], limit: int) -> list[Item]:
    if len(queue) > limit:
        return [queue.popleft() for _ in range(limit)]
    taken = list(queue)
    queue.clear()
    return taken
