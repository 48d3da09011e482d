"""The coroutines' shape: `AsyncChecker` probes, each a task while it runs, ended by cancellation when time is up."""

from __future__ import annotations

from collections import deque
from typing import cast

import anyio
import attrs
from anyio.abc import TaskGroup

from maglev.api import AsyncChecker, Checker, Code, ProbeResult, Target
from maglev.probing import verdicts
from maglev.probing.job import Facilities, Plan, Run
from maglev.probing.sockets import TargetSockets

LIMIT = 1000
"""How many may run at once; the rest wait their turn, and their lateness shows it."""
_GRACE_S = 5.0
_STUCK = ProbeResult(Code.ERROR, "fault in the checker: the last probe has not let go yet")
_ABANDONED = ProbeResult(Code.ERROR, "fault in the checker: it gave up without a result")


class AsyncRun(Run):
    """One probe in a task of its own.

    The result is reported when the time is up, even if the task then still cleans up.
    """

    __slots__ = ("_facilities", "finished", "over", "scope")

    def __init__(self, plan: Plan, facilities: Facilities) -> None:
        super().__init__(plan, facilities.clock_ns())
        self._facilities = facilities
        # Both are made inside tasks: a turn of the prober runs in none.
        self.scope: anyio.CancelScope | None = None
        self.finished: anyio.Event | None = None
        self.over = False

    def end(self, result: ProbeResult) -> None:
        """Report, unless that was done already."""
        if not self.over:
            self.over = True
            self._facilities.report(self, result)

    def expire(self) -> None:
        self._interrupt()
        self.end(verdicts.ASYNC_TIMED_OUT)

    def cancel(self) -> None:
        self.over = True
        self._interrupt()

    def _interrupt(self) -> None:
        if self.scope is not None:
            self.scope.cancel()


class AsyncProbes:
    """Starts the probes of all `AsyncChecker`s.

    Args:
        facilities: What it works with.
    """

    def __init__(self, facilities: Facilities) -> None:
        self._facilities = facilities
        self.tasks: TaskGroup | None = None
        """Where probes run; set while the prober runs."""
        self._running: dict[AsyncRun, None] = {}
        self._waiting: deque[Plan] = deque()

    def prepare(self, plan: Plan) -> None:
        target = plan.job.target
        if target.sockets is None:
            target = attrs.evolve(target, sockets=TargetSockets(self._facilities.spaces, target))
        plan.extra = _Seat(target)

    def start(self, plans: list[Plan]) -> None:
        self._waiting.extend(plans)
        self._start_waiting()

    def release(self, plan: Plan) -> None:
        """Nothing is held: a task that still cleans up is awaited by `settle`."""

    async def settle(self, checker: Checker) -> None:
        """Wait, for a bounded time, until no task of a checker is left."""
        with anyio.move_on_after(_GRACE_S):
            for run in [run for run in self._running if run.plan.job.checker is checker]:
                if run.finished is None:
                    run.finished = anyio.Event()
                await run.finished.wait()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < LIMIT:
            plan = self._waiting.popleft()
            if not plan.gone:
                self._start(plan)

    def _start(self, plan: Plan) -> None:
        seat = cast("_Seat", plan.extra)
        run = AsyncRun(plan, self._facilities)
        self._facilities.begin(run)
        if run.over:
            return
        if seat.taken or self.tasks is None:
            run.end(_STUCK)
            return
        seat.taken = True
        self._running[run] = None
        self.tasks.start_soon(self._probe, run, seat, name=f"probe of {plan.job.name}")

    async def _probe(self, run: AsyncRun, seat: _Seat) -> None:
        result = _ABANDONED
        try:
            if not run.over:
                with anyio.CancelScope() as run.scope:
                    result = await cast("AsyncChecker", run.plan.job.checker).probe(seat.target)
        except OSError as error:
            result = self._error(run, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            result = self._fault(run, error)
        finally:
            seat.taken = False
            del self._running[run]
            if run.finished is not None:
                run.finished.set()
            run.end(result)
            self._start_waiting()

    def _error(self, run: AsyncRun, error: OSError) -> ProbeResult:
        return verdicts.socket_failed(error) if verdicts.is_own_trouble(error) else self._fault(run, error)

    def _fault(self, run: AsyncRun, error: Exception) -> ProbeResult:
        self._facilities.warn(run.plan.job.checker, f"{run.plan.job.name}: fault in the checker", error)
        return verdicts.checker_fault(error)


class _Seat:
    """What a plan keeps: its target with sockets, and whether a task of an earlier probe still sits there."""

    __slots__ = ("taken", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.taken = False
