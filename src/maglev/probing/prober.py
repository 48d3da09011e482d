"""Probes every job again and again, each at its own interval, and reports every result.

The prober works in turns. In each turn it first handles all sockets that are ready, then expires probes whose timeout
has passed, then starts what is due, and then sets the timer for the next turn. A deadline moves by the time that this
process did not run, and a probe is expired only if its socket was not ready at a poll made *after* its deadline: so no
stall makes a timeout, and no stall hides one either. Each turn is bounded, so that the event loop stays responsive.
"""

from __future__ import annotations

import asyncio
import logging
import random as random_module
import time
from collections.abc import Callable, Collection

from maglev.api import AsyncChecker, Checker, Code, Layer, MuxChecker, ProbeResult, RateLimit, StreamChecker, Verdict
from maglev.probing import verdicts
from maglev.probing.async_probes import AsyncProbe, AsyncRunner
from maglev.probing.cadence import first_due_ns, next_due_ns
from maglev.probing.job import EngineContext, Job, Probe, ProbeRunner, ScheduledJob, shape_of
from maglev.probing.lag import LagMeter
from maglev.probing.mux_probes import MuxRunner
from maglev.probing.netns import Namespaces
from maglev.probing.poller import Poller
from maglev.probing.schedule import Schedule
from maglev.probing.stats import ProberStats
from maglev.probing.stream_runner import StreamRunner

_EVENTS_A_TURN = 256
_STARTS_A_TURN = 64
_EXPIRIES_A_TURN = 256
_MORE_POLLS = 2
# Looking up a member of an enumeration would cost more than what is done with it here.
_PASS, _VOID, _LAG = Verdict.PASS, Verdict.VOID, Code.LAG
_TIMED_OUT = {Layer.L4: Code.L4TOUT, Layer.L6: Code.L6TOUT, Layer.L7: Code.L7TOUT}


_log = logging.getLogger("maglev.probing")


def _log_warning(message: str, error: BaseException | None) -> None:
    _log.warning(message, exc_info=error)


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
            dealt with: the longest stall and the number of results voided since the last call (0 if there were none).
        on_certificate: Called as `on_certificate(job, not_after_s)` when a backend's server has shown another
            certificate than before: when that ends, as POSIX time, or `None` if that cannot be read.
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
        on_certificate: Callable[[Job, float | None], None] | None = None,
        warn: Callable[[str, BaseException | None], None] | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        random: Callable[[], float] = random_module.random,
        tick_ns: int = 10_000_000,
    ) -> None:
        self.report_starts = False
        """Whether `on_start` is called. Set it only while somebody watches: each call costs CPU."""
        self.stats = ProberStats(tick_ns)
        self.lag = LagMeter()
        self._on_result = on_result
        self._on_start = on_start
        self._on_lag = on_lag
        self._on_certificate = on_certificate
        self._write_warning = warn or _log_warning
        self._warnings = RateLimit(clock_s=lambda: clock_ns() / 1e9)
        self._clock_ns = clock_ns
        self._random = random
        self._late_ns = 2 * tick_ns
        self._expiring = False
        self._jobs: dict[Job, ScheduledJob] = {}
        self._poller = Poller(clock_ns)
        self._schedule = Schedule(clock_ns, tick_ns, self._poller.timer)
        self._spaces = Namespaces(clock_ns)
        self._context = context = EngineContext(
            self._poller, self._spaces, clock_ns, self._begin, self._report, self._warn, self._certified
        )
        self._async = AsyncRunner(context)
        self._stream = StreamRunner(context)
        self._runners: dict[type[Checker], ProbeRunner] = {
            StreamChecker: self._stream,
            MuxChecker: MuxRunner(context, random),
            AsyncChecker: self._async,
        }

    # What to probe

    @property
    def jobs(self) -> Collection[Job]:
        """The jobs that are probed."""
        return self._jobs.keys()

    @property
    def running(self) -> int:
        """The number of probes in flight."""
        return sum(scheduled.probe is not None for scheduled in self._jobs.values())

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
        """Stop probing a job. A probe in flight is cancelled and not reported."""
        scheduled = self._jobs.pop(job, None)
        if scheduled is None:
            return
        scheduled.gone = True
        self.lag.forget(scheduled)
        self._schedule.remove(scheduled)
        probe = scheduled.probe
        if probe is not None:
            scheduled.probe = None
            self._schedule.remove_deadline(probe)
            probe.cancel()
        if scheduled.ready:
            scheduled.runner.release(scheduled)

    def swap(self, old: Job, new: Job) -> None:
        """Probe one job in place of another, from when the old one would have been due.

        A probe of the old job in flight is cancelled; the new one then starts at once.

        Raises:
            KeyError: The old one is not probed.
            ValueError: The new one is probed already.
        """
        scheduled = self._jobs[old]
        due_ns = self._clock_ns() if scheduled.probe is not None else scheduled.due_ns
        self._add(new, due_ns)
        self._jobs[new].sessions_taken = scheduled.sessions_taken
        self.remove(old)

    def probe_now(self, job: Job) -> None:
        """Start the next probe of a job within a tick. If one is in flight, or the job is unknown, do nothing."""
        scheduled = self._jobs.get(job)
        if scheduled is None or scheduled.slot is None:
            return
        self._schedule.remove(scheduled)
        self._schedule.add(scheduled, self._clock_ns())

    # Life

    async def run(self) -> None:
        """Probe until cancelled, under asyncio. Probes then in flight are cancelled, and all jobs removed."""
        async with self._async.running():
            try:
                await self._turns()
            finally:
                self._stop()

    def overdue_ns(self) -> int:
        """The delay of the loop's next turn, in nanoseconds; 0 while it is on time or has nothing to do."""
        wake_ns = self._schedule.wake_ns
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
        for job in list(self._jobs):
            self.remove(job)
        self._stream.close()
        self._schedule.clear()

    # Turns

    async def _turns(self) -> None:
        self._schedule.wake_ns = None
        self._schedule.end_turn(self._clock_ns(), busy=False)
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
        schedule = self._schedule
        if schedule.wake_ns is not None:
            self.lag.woke(now_ns, schedule.wake_ns)
        schedule.begin_turn(now_ns)
        try:
            silent_since_ns = self._poller.dispatch(_EVENTS_A_TURN)
            if silent_since_ns is not None:
                self._expire(silent_since_ns)
            if self._start_due(now_ns) or self._poller.had_events:
                self._poll_again()
        finally:
            schedule.end_turn(now_ns, busy=self._poller.busy)
        if not schedule.expiring:
            self._report_lag(now_ns)

    def _poll_again(self) -> None:
        # Peers nearby have answered by now, and polling again costs far less than waking up again: on loopback, a fifth
        # less CPU a probe.
        poller = self._poller
        for _ in range(_MORE_POLLS):
            if poller.busy:
                return
            poller.dispatch(_EVENTS_A_TURN)
            if not poller.had_events:
                return

    def _expire(self, silent_since_ns: int) -> None:
        for probe in self._schedule.take_expired(silent_since_ns, _EXPIRIES_A_TURN):
            if probe.scheduled.probe is not probe:
                continue
            if self.lag.stalled_ns != probe.stalled_before_ns and self._goes_on(probe, silent_since_ns):
                continue
            self._expiring = True
            try:
                probe.expire()
            finally:
                self._expiring = False

    def _goes_on(self, probe: Probe, silent_since_ns: int) -> bool:
        """Move the deadline of a probe by the time that it has credit for; whether that is later than this time."""
        timeout_ns = probe.scheduled.timeout_ns
        credit_ns = self.lag.credit_ns(probe.started_ns, probe.stalled_before_ns, timeout_ns)
        if probe.started_ns + timeout_ns + credit_ns <= silent_since_ns:
            return False
        self._schedule.add_deadline(probe, credit_ns)
        return True

    def _start_due(self, now_ns: int) -> bool:
        groups: dict[ProbeRunner, list[ScheduledJob]] = {}
        for scheduled in self._schedule.take_due(now_ns, _STARTS_A_TURN):
            if not scheduled.gone and (scheduled.ready or self._prepared(scheduled)):
                groups.setdefault(scheduled.runner, []).append(scheduled)
        for runner, due in groups.items():
            runner.start(due)
        return bool(groups)

    def _report_lag(self, now_ns: int) -> None:
        lag = self.lag.report(now_ns)
        if lag is None or self._on_lag is None:
            return
        try:
            self._on_lag(*lag)
        except Exception as error:  # noqa: BLE001 - one bad callback must not stop the probing
            self._warn(self, "on_lag failed", error)

    def _warn(self, subject: object, message: str, error: BaseException | None) -> None:
        if self._warnings.allow(id(subject)):
            self._write_warning(message, error)

    # Jobs and their probes

    def _prepared(self, scheduled: ScheduledJob) -> bool:
        try:
            scheduled.runner.prepare(scheduled)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            result = self._context.fault(scheduled.job, "the probe could not be prepared", error)
            self._context.not_started(scheduled, result)
            return False
        scheduled.ready = True
        return True

    def _add(self, job: Job, due_ns: int) -> None:
        if job in self._jobs:
            raise ValueError(f"{job.name} is probed already")
        scheduled = ScheduledJob(job, self._runners[shape_of(job.checker)], due_ns)
        self._jobs[job] = scheduled
        self._schedule.add(scheduled, due_ns)

    def _begin(self, probe: Probe) -> None:
        scheduled = probe.scheduled
        scheduled.probe = probe
        probe.stalled_before_ns = self.lag.stalled_ns
        self._schedule.add_deadline(probe)
        self.stats.start(probe.started_ns - scheduled.due_ns)
        if self.report_starts:
            self._report_start(scheduled, probe.started_ns)

    def _report_start(self, scheduled: ScheduledJob, started_ns: int) -> None:
        if self._on_start is None:
            return
        try:
            self._on_start(scheduled.job, started_ns)
        except Exception as error:  # noqa: BLE001 - one bad callback must not stop the probing
            self._warn(self, "on_start failed", error)

    def _certified(self, scheduled: ScheduledJob) -> None:
        if self._on_certificate is None:
            return
        try:
            self._on_certificate(scheduled.job, scheduled.not_after_s)
        except Exception as error:  # noqa: BLE001 - one bad callback must not stop the probing
            self._warn(self, f"{scheduled.job.name}: on_certificate failed", error)

    def _report(self, probe: Probe, result: ProbeResult) -> None:
        scheduled = probe.scheduled
        if scheduled.probe is not probe:
            return
        scheduled.probe = None
        self._schedule.remove_deadline(probe)
        ended_ns = self._clock_ns()
        result = self._final(probe, result, ended_ns)
        self.stats.ended += 1
        try:
            scheduled.interval_ns = self._on_result(scheduled.job, result, probe.started_ns, ended_ns)
        except Exception as error:  # noqa: BLE001 - one bad callback must not stop the probing
            self._warn(self, f"{scheduled.job.name}: on_result failed", error)
        if scheduled.gone:
            return
        if result.code is _LAG:
            self._schedule.add(scheduled, ended_ns)
            return
        self._schedule.add(
            scheduled, next_due_ns(scheduled.due_ns, probe.started_ns, ended_ns, scheduled.interval_ns, self._random)
        )

    def _final(self, probe: Probe, result: object, ended_ns: int) -> ProbeResult:
        if not isinstance(result, ProbeResult):
            result = verdicts.checker_fault(TypeError(f"a {type(result).__name__} is not a result"))
        code, detail, duration_ns = result.code, result.detail, ended_ns - probe.started_ns
        if code.verdict is _PASS:
            if duration_ns > probe.scheduled.timeout_ns and not self._expiring and self._came_late(probe, ended_ns):
                code, detail = _TIMED_OUT[code.layer], f"too late: {detail}"
        elif probe.stalled_before_ns != self.lag.stalled_ns and not self._expiring:
            scheduled = probe.scheduled
            judged = self.lag.judge(
                scheduled, result, probe.started_ns, probe.stalled_before_ns, scheduled.timeout_ns, ended_ns
            )
            code, detail = judged.code, judged.detail
        if code.verdict is _VOID:
            self.stats.voided += 1
        if code is not _LAG:
            self.lag.forget(probe.scheduled)
        return ProbeResult(code, detail, duration_ns)

    def _came_late(self, probe: Probe, ended_ns: int) -> bool:
        """Whether an answer was read so long after the deadline that it cannot have come before it.

        What a poll found had come by then. A task of an `AsyncChecker` is not polled for, and ends between two turns.
        """
        polled_ns = ended_ns if isinstance(probe, AsyncProbe) else self._poller.polled_ns
        credit_ns = self.lag.stalled_ns - probe.stalled_before_ns + self.overdue_ns()
        return polled_ns - probe.started_ns - credit_ns > probe.scheduled.timeout_ns + self._late_ns
