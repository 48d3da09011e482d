"""The prober: probes every job again and again, each at its own pace, and tells of every result.

It works in turns. In each it first hears all sockets that are ready, then expires those whose time is up (only what was
silent at a poll made *after* its deadline: after a stall nobody is condemned unheard), then starts what is due, and
then says when it wants to be woken next. Each turn is bounded, so that the event loop stays responsive.
"""

from __future__ import annotations

import asyncio
import random as random_module
import time
from collections.abc import Callable, Collection

import anyio

from maglev.api import AsyncChecker, Checker, Code, MuxChecker, ProbeResult, StreamChecker, Verdict
from maglev.probing import verdicts
from maglev.probing.agenda import Agenda
from maglev.probing.async_probes import AsyncProbes
from maglev.probing.engine import Streams
from maglev.probing.job import Facilities, Job, Plan, Run, Shape, shape_of
from maglev.probing.lag import LagMeter
from maglev.probing.mux import Muxes
from maglev.probing.netns import Namespaces
from maglev.probing.poller import Poller
from maglev.probing.schedule import first_due_ns, next_due_ns
from maglev.probing.stats import ProberStats
from maglev.probing.warner import Warner, log_warning

_EVENTS_A_TURN = 256
_STARTS_A_TURN = 64
_EXPIRIES_A_TURN = 256
_MORE_POLLS = 2
# Looking a member up in its enumeration costs more than what is done with it here.
_FAIL, _VOID, _LAG = Verdict.FAIL, Verdict.VOID, Code.LAG
_LAGGED = "this process was stalled while the probe ran"


class Prober:
    """Runs the probes of any number of jobs in one event loop.

    All callbacks are called within a turn, in the loop's thread but in no task: they must be short and must not block.
    They may call `add`, `remove`, `swap` and `probe_now`, also for the job that they were called for.

    Args:
        on_result: Called for every probe that ended, void ones included, as `on_result(job, result, started_ns,
            ended_ns)`; returns the interval from that start to the next in nanoseconds, without jitter. What it
            returns for `Code.LAG` is ignored: that probe is run again at once.
        on_start: Called for every start as `on_start(job, started_ns)`, while `report_starts` is set.
        on_lag: Called after a stall as `on_lag(lag_ns, voided)`, at most once a second, when all that it expired is
            dealt with: the longest stall and the number of results voided since the last call (0 if it hurt nobody).
        warn: Called with a message and an exception, at most once a minute about each checker; logs by default.
        clock_ns: The monotonic clock, in nanoseconds.
        random: Gives floats, uniform in [0, 1).
        tick_ns: How finely starts and deadlines are timed. Finer ticks cost more CPU.

    Raises:
        OSError: No descriptor is free for its epoll.
    """

    def __init__(
        self,
        on_result: Callable[[Job, ProbeResult, int, int], int],
        *,
        on_start: Callable[[Job, int], None] | None = None,
        on_lag: Callable[[int, int], None] | None = None,
        warn: Callable[[str, BaseException | None], None] | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        random: Callable[[], float] = random_module.random,
        tick_ns: int = 10_000_000,
    ) -> None:
        self.report_starts = False
        """Whether `on_start` is called. Set it only while somebody watches: each call costs CPU."""
        self.stats = ProberStats(tick_ns)
        self.lag = LagMeter(tick_ns)
        self._on_result = on_result
        self._on_start = on_start
        self._on_lag = on_lag
        self._warn = Warner(warn or log_warning, clock_ns)
        self._clock_ns = clock_ns
        self._random = random
        self._plans: dict[Job, Plan] = {}
        self._poller = Poller(clock_ns)
        self._agenda = Agenda(clock_ns, tick_ns, self._poller.timer)
        self._spaces = Namespaces(clock_ns)
        facilities = Facilities(self._poller, self._spaces, clock_ns, self._begin, self._report, self._warn)
        self._async = AsyncProbes(facilities)
        self._shapes: dict[type[Checker], Shape] = {
            StreamChecker: Streams(facilities),
            MuxChecker: Muxes(facilities, random),
            AsyncChecker: self._async,
        }

    # What to probe

    @property
    def jobs(self) -> Collection[Job]:
        """The jobs that are probed."""
        return self._plans.keys()

    @property
    def running(self) -> int:
        """How many probes are under way."""
        return sum(plan.run is not None for plan in self._plans.values())

    def add(self, job: Job, first_within_ns: int) -> None:
        """Probe a job from now on.

        Args:
            job: What to probe.
            first_within_ns: The first probe starts at a random moment within this time.

        Raises:
            ValueError: It is probed already.
            TypeError: Its checker has none of the three shapes.
        """
        self._add(job, first_due_ns(self._clock_ns(), first_within_ns, self._random))

    def remove(self, job: Job) -> None:
        """Probe a job no more. A probe under way is cancelled, and nothing more is heard of the job."""
        plan = self._plans.pop(job, None)
        if plan is None:
            return
        plan.gone = True
        self._agenda.unplan(plan)
        run = plan.run
        if run is not None:
            plan.run = None
            self._agenda.unwatch(run)
            run.cancel()
        if plan.ready:
            plan.shape.release(plan)

    def swap(self, old: Job, new: Job) -> None:
        """Probe one job in place of another, from when the old one would have been due.

        A probe of the old job under way is cancelled; the new one then starts at once.

        Raises:
            KeyError: The old one is not probed.
            ValueError: The new one is probed already.
        """
        plan = self._plans[old]
        due_ns = self._clock_ns() if plan.run is not None else plan.due_ns
        self._add(new, due_ns)
        self.remove(old)

    def probe_now(self, job: Job) -> None:
        """Start the next probe of a job within a tick. If one is under way, or the job is unknown, do nothing."""
        plan = self._plans.get(job)
        if plan is None or plan.slot is None:
            return
        self._agenda.unplan(plan)
        self._agenda.plan(plan, self._clock_ns())

    # Life

    async def run(self) -> None:
        """Probe until cancelled, under asyncio. Probes then under way are cancelled, and all jobs removed."""
        try:
            async with anyio.create_task_group() as tasks:
                self._async.tasks = tasks
                try:
                    await self._turns()
                finally:
                    self._stop()
                    tasks.cancel_scope.cancel()
        finally:
            self._async.tasks = None

    def overdue_ns(self) -> int:
        """How long ago the loop should have turned, in nanoseconds; 0 while it is on time or has nothing to do."""
        wake_ns = self._agenda.wake_ns
        return 0 if wake_ns is None else max(0, self._clock_ns() - wake_ns)

    async def aclose(self) -> None:
        """Remove all jobs and close every descriptor; may be called twice. `run` must have ended."""
        self._stop()
        self._poller.close()
        self._spaces.close()

    async def release(self, checker: Checker) -> None:
        """Close a checker that no job uses any more, after its last task has ended (or has had five seconds to).

        Args:
            checker: Whose `close`, and `aclose` if it has one, is called.
        """
        await self._async.settle(checker)
        try:
            checker.close()
            if isinstance(checker, AsyncChecker):
                await checker.aclose()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._warn(checker, f"checker {checker.name} could not be closed", error)

    def _stop(self) -> None:
        for job in list(self._plans):
            self.remove(job)
        self._agenda.clear()

    # Turns

    async def _turns(self) -> None:
        self._agenda.wake_ns = None
        self._agenda.end_turn(self._clock_ns(), busy=False)
        # Measured against `anyio.wait_readable` in a loop: a tenth less CPU a probe. No task has to wake for a turn.
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._poller.fd, self._turn_or_fail, failed)
        try:
            await failed
        finally:
            loop.remove_reader(self._poller.fd)

    def _turn_or_fail(self, failed: asyncio.Future[None]) -> None:
        try:
            self._turn()
        except Exception as error:  # noqa: BLE001 - it is not lost: `run` raises it
            if not failed.done():
                failed.set_exception(error)

    def _turn(self) -> None:
        now_ns = self._clock_ns()
        agenda = self._agenda
        if agenda.wake_ns is not None:
            self.lag.woke(now_ns, agenda.wake_ns)
        agenda.begin_turn()
        try:
            silent_since_ns = self._poller.dispatch(_EVENTS_A_TURN)
            if silent_since_ns is not None:
                self._expire(silent_since_ns)
            if self._start_due(now_ns) or self._poller.heard:
                self._hear_more()
        finally:
            agenda.end_turn(now_ns, busy=self._poller.busy)
        if not agenda.expiring:
            self._tell_lag(now_ns)

    def _hear_more(self) -> None:
        # Peers that are near have answered by now what was said to them a moment ago, and to poll again costs far less
        # than to be woken again: measured on loopback, a fifth less CPU a probe.
        poller = self._poller
        for _ in range(_MORE_POLLS):
            if poller.busy:
                return
            poller.dispatch(_EVENTS_A_TURN)
            if not poller.heard:
                return

    def _expire(self, silent_since_ns: int) -> None:
        for run in self._agenda.take_expired(silent_since_ns, _EXPIRIES_A_TURN):
            if run.plan.run is run:
                run.expire()

    def _start_due(self, now_ns: int) -> bool:
        groups: dict[Shape, list[Plan]] = {}
        for plan in self._agenda.take_due(now_ns, _STARTS_A_TURN):
            if not plan.gone and (plan.ready or self._prepared(plan)):
                groups.setdefault(plan.shape, []).append(plan)
        for shape, plans in groups.items():
            shape.start(plans)
        return bool(groups)

    def _tell_lag(self, now_ns: int) -> None:
        told = self.lag.report(now_ns)
        if told is None or self._on_lag is None:
            return
        try:
            self._on_lag(*told)
        except Exception as error:  # noqa: BLE001 - one bad callback must not stop the probing
            self._warn(self, "on_lag failed", error)

    # Jobs and their probes

    def _prepared(self, plan: Plan) -> bool:
        try:
            plan.shape.prepare(plan)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._warn(plan.job.checker, f"{plan.job.name}: the probe could not be prepared", error)
            run = Run(plan, self._clock_ns())
            self._begin(run)
            self._report(run, verdicts.checker_fault(error))
            return False
        plan.ready = True
        return True

    def _add(self, job: Job, due_ns: int) -> None:
        if job in self._plans:
            raise ValueError(f"{job.name} is probed already")
        plan = Plan(job, self._shapes[shape_of(job.checker)], due_ns)
        self._plans[job] = plan
        self._agenda.plan(plan, due_ns)

    def _begin(self, run: Run) -> None:
        plan = run.plan
        plan.run = run
        run.stalled_before_ns = self.lag.stalled_ns
        self._agenda.watch(run)
        self.stats.start(run.started_ns - plan.due_ns)
        if self.report_starts:
            self._report_start(plan, run.started_ns)

    def _report_start(self, plan: Plan, started_ns: int) -> None:
        if self._on_start is None:
            return
        try:
            self._on_start(plan.job, started_ns)
        except Exception as error:  # noqa: BLE001 - one bad callback must not stop the probing
            self._warn(self, "on_start failed", error)

    def _report(self, run: Run, result: ProbeResult) -> None:
        plan = run.plan
        if plan.run is not run:
            return
        plan.run = None
        self._agenda.unwatch(run)
        ended_ns = self._clock_ns()
        result = self._final(run, result, ended_ns)
        self.stats.ended += 1
        try:
            plan.interval_ns = self._on_result(plan.job, result, run.started_ns, ended_ns)
        except Exception as error:  # noqa: BLE001 - one bad callback must not stop the probing
            self._warn(self, f"{plan.job.name}: on_result failed", error)
        if plan.gone:
            return
        if result.code is _LAG:
            self._agenda.plan(plan, ended_ns)
            return
        self._agenda.plan(plan, next_due_ns(plan.due_ns, run.started_ns, ended_ns, plan.interval_ns, self._random))

    def _final(self, run: Run, result: object, ended_ns: int) -> ProbeResult:
        if not isinstance(result, ProbeResult):
            result = verdicts.checker_fault(TypeError(f"a {type(result).__name__} is no result"))
        code, detail = result.code, result.detail
        verdict = code.verdict
        if (
            verdict is _FAIL
            and run.stalled_before_ns != self.lag.stalled_ns
            and self.lag.voids(run.stalled_before_ns, run.plan.timeout_ns)
        ):
            code, detail, verdict = _LAG, f"{_LAGGED} ({result})", _VOID
        if verdict is _VOID:
            self.stats.voided += 1
        return ProbeResult(code, detail, ended_ns - run.started_ns)
