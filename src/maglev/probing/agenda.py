"""What is to be done when: starts that fall due, deadlines that pass, and the timer that wakes the prober for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from maglev.probing.job import Plan, Run
from maglev.probing.schedule import Wheel
from maglev.probing.timer import Timer

_CROWD = 40
"""With more starts than this at once, to wake up twice as often costs nothing more: there is work each time."""

Item = TypeVar("Item")


class Agenda:
    """Keeps every plan and every run in its place, and hands out bounded portions of what is due.

    Args:
        clock_ns: The monotonic clock.
        tick_ns: How finely things are timed; twice as finely where many probes start.
        timer: What wakes the prober.
    """

    def __init__(self, clock_ns: Callable[[], int], tick_ns: int, timer: Timer) -> None:
        self.wake_ns: int | None = None
        """When the prober should be awake at the latest; `None` while nothing is planned."""
        self._clock_ns = clock_ns
        self._tick_ns = tick_ns
        self._slot_ns = tick_ns // 2
        self._grain_ns = tick_ns
        self._timer = timer
        self._starts: Wheel[Plan] = Wheel(clock_ns(), self._slot_ns)
        self._deadlines: Wheel[Run] = Wheel(clock_ns(), self._slot_ns)
        self._due: deque[Plan] = deque()
        self._expired: deque[Run] = deque()
        self._in_turn = False
        self._armed_ns: int | None = None

    @property
    def expiring(self) -> bool:
        """Whether runs whose time is up are left over."""
        return bool(self._expired)

    def plan(self, plan: Plan, due_ns: int) -> None:
        """Start a plan's next probe at this time, and be woken for it."""
        plan.due_ns = due_ns
        plan.slot = self._starts.add(plan, due_ns)
        wake_ns = plan.slot * self._slot_ns
        # Only ever sooner: a stall that is being noticed must not be forgotten for a job that is added after it.
        if not self._in_turn and (self.wake_ns is None or wake_ns < self.wake_ns):
            self.wake_ns = self._armed_ns = wake_ns
            self._timer.set(wake_ns - self._clock_ns())

    def unplan(self, plan: Plan) -> None:
        """Do not start it."""
        if plan.slot is not None:
            self._starts.remove(plan, plan.slot)
            plan.slot = None

    def watch(self, run: Run) -> None:
        """Note the deadline of a probe that starts."""
        run.deadline_slot = self._deadlines.add(run, run.started_ns + run.plan.timeout_ns)

    def unwatch(self, run: Run) -> None:
        """Forget the deadline of a probe that ended."""
        if run.deadline_slot is not None:
            self._deadlines.remove(run, run.deadline_slot)
            run.deadline_slot = None

    def begin_turn(self) -> None:
        """From here to `end_turn` nobody needs to be woken."""
        self._in_turn = True

    def take_expired(self, silent_since_ns: int, limit: int) -> list[Run]:
        """Take runs whose deadline passed before this time; some may have ended since they were expired."""
        expired = self._expired
        for run in self._deadlines.take_due(silent_since_ns):
            run.deadline_slot = None
            expired.append(run)
        return _portion(expired, limit)

    def take_due(self, now_ns: int, limit: int) -> list[Plan]:
        """Take plans that are to start now; some may be gone since they fell due."""
        due = self._due
        fallen = self._starts.take_due(now_ns)
        for plan in fallen:
            plan.slot = None
            due.append(plan)
        if fallen:
            self._grain_ns = self._slot_ns if len(fallen) > _CROWD else self._tick_ns
        return _portion(due, limit)

    def end_turn(self, began_ns: int, *, busy: bool) -> None:
        """Set the timer for what comes next.

        Args:
            began_ns: When this turn began, so that its own length counts as lateness too.
            busy: Whether there is more to be done than what this agenda knows.
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
        # What the timer is set to already it need not be told again, unless it went off within this very turn.
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
