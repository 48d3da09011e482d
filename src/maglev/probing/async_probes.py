"""Runs the probes of `AsyncChecker`s: each is a task, cancelled at its deadline."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio
import attrs
from anyio.abc import TaskGroup

from maglev.api import AsyncChecker, Checker, Code, ProbeResult, Target
from maglev.probing import verdicts
from maglev.probing.job import EngineContext, Probe, ScheduledJob
from maglev.probing.sockets import TargetSockets

LIMIT = 1000
"""How many may run at once. The rest wait, which shows as lateness."""
_GRACE_S = 5.0
_TURNS_TO_READ = 8
"""A layer of httpx, httpcore or anyio may take a turn each to hand on what was read."""
_STUCK = ProbeResult(Code.ERROR, "fault in the checker: the last probe has not ended yet")
_ABANDONED = ProbeResult(Code.ERROR, "fault in the checker: it gave up without a result")


class AsyncProbe(Probe):
    """One probe in a task of its own.

    The result is reported when the time is up, even if the task then still cleans up.
    """

    __slots__ = ("_context", "finished", "over", "scope")

    def __init__(self, scheduled: ScheduledJob, context: EngineContext) -> None:
        super().__init__(scheduled, context.clock_ns())
        self._context = context
        # Both are created within tasks: a turn of the prober is not in one.
        self.scope: anyio.CancelScope | None = None
        self.finished: anyio.Event | None = None
        self.over = False

    def end(self, result: ProbeResult) -> None:
        """Report, unless that was done already."""
        if not self.over:
            self.over = True
            self._context.report(self, result)

    def expire(self) -> None:
        # What has come already may wait for a few turns of the loop until the task has read it.
        asyncio.get_running_loop().call_soon(self._expire, _TURNS_TO_READ)

    def _expire(self, turns: int) -> None:
        if self.over:
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._expire, turns - 1)
            return
        checker = cast("AsyncChecker", self.scheduled.job.checker)
        try:
            result = checker.expired(cast("_AsyncState", self.scheduled.extra).target)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            result = self._context.fault(self.scheduled.job, "fault in the checker", error)
        self._interrupt()
        self.end(result)

    def finishing(self) -> anyio.Event:
        """The event that is set when the task has ended."""
        if self.finished is None:
            self.finished = anyio.Event()
        return self.finished

    def cancel(self) -> None:
        self.over = True
        self._interrupt()

    def _interrupt(self) -> None:
        if self.scope is not None:
            self.scope.cancel()


class AsyncRunner:
    """Starts the probes of all `AsyncChecker`s."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._tasks: TaskGroup | None = None
        self._running: dict[AsyncProbe, None] = {}
        self._waiting: deque[ScheduledJob] = deque()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run probes while the context lasts; those in flight at its end are cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel()

    def prepare(self, scheduled: ScheduledJob) -> None:
        target = scheduled.job.target
        if target.sockets is None:
            target = attrs.evolve(target, sockets=TargetSockets(self._context.spaces, target))
        scheduled.extra = _AsyncState(target)

    def start(self, due: list[ScheduledJob]) -> None:
        self._waiting.extend(due)
        self._start_waiting()

    def release(self, scheduled: ScheduledJob) -> None:
        """Do nothing: a task that still cleans up is awaited by `settle`."""

    async def settle(self, checker: Checker) -> None:
        """Wait, for a bounded time, until no task of a checker is left."""
        with anyio.move_on_after(_GRACE_S):
            # All events first: a probe that ends while another one is awaited has to set its own.
            ends = [probe.finishing() for probe in self._running if probe.scheduled.job.checker is checker]
            for end in ends:
                await end.wait()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < LIMIT:
            scheduled = self._waiting.popleft()
            if not scheduled.gone:
                self._start(scheduled)

    def _start(self, scheduled: ScheduledJob) -> None:
        state = cast("_AsyncState", scheduled.extra)
        probe = AsyncProbe(scheduled, self._context)
        self._context.begin(probe)
        if probe.over:
            return
        if state.busy or self._tasks is None:
            probe.end(_STUCK)
            return
        state.busy = True
        self._running[probe] = None
        self._tasks.start_soon(self._probe, probe, state, name=f"probe of {scheduled.job.name}")

    async def _probe(self, probe: AsyncProbe, state: _AsyncState) -> None:
        result = _ABANDONED
        try:
            if not probe.over:
                with anyio.CancelScope() as probe.scope:
                    result = await cast("AsyncChecker", probe.scheduled.job.checker).probe(state.target)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            result = _judged(error) or self._context.fault(probe.scheduled.job, "fault in the checker", error)
        finally:
            state.busy = False
            del self._running[probe]
            if probe.finished is not None:
                probe.finished.set()
            probe.end(result)
            self._start_waiting()


class _AsyncState:
    """The state of each job: its target with sockets, and whether a task of an earlier probe still runs."""

    __slots__ = ("busy", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.busy = False


def _judged(error: Exception) -> ProbeResult | None:
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:  # it came through a task group
        error = error.exceptions[0]
    return verdicts.judge_error(error) if isinstance(error, OSError) else None
