"""Probes the VIPs with the engine of maglevd and reports what each probe found."""

from __future__ import annotations

import random as random_module
import time
from collections.abc import Callable
from ipaddress import ip_address

import anyio
import attrs

from maglev.api import ProbeResult, Target
from maglev.probing import Job, Prober
from maglev_tester.outcome import Outcome
from maglev_tester.probes.checkers import VipChecker
from maglev_tester.probes.keepalive import checkers_of
from maglev_tester.settings import ProbeSettings

_TICK_NS = 2_000_000
"""Finer than the daemon's: probes that start in one batch wait for each other, and here latency is measured."""

OnOutcome = Callable[[int, Outcome], None]
"""Called with the position of the VIP in the settings, and the outcome of a probe."""


class Runner:
    """Probes VIPs.

    Args:
        settings: What to probe and how.
        on_outcome: Called with each outcome; those of one VIP come in order.
        random: Gives floats, uniform in [0, 1), for the jitter.
        clock_ns: A monotonic clock.

    Raises:
        OSError: No descriptor is free.
    """

    def __init__(
        self,
        settings: ProbeSettings,
        on_outcome: OnOutcome,
        *,
        random: Callable[[], float] = random_module.random,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._interval_ns = settings.interval_ns
        self._on_outcome = on_outcome
        self._checkers = checkers_of(settings)
        jobs = [_job(checker, settings.timeout_ns) for checker in self._checkers]
        self._positions = {job: position for position, job in enumerate(jobs)}
        self._left = dict.fromkeys(jobs, settings.once or -1)
        """The probes still to be made of each VIP; negative: no end."""
        self._done = anyio.Event()
        self._paused = False
        self._prober = Prober(self._on_result, clock_ns=clock_ns, random=random, tick_ns=_TICK_NS)

    async def run(self) -> None:
        """Probe until cancelled, or until each VIP was probed as often as wanted."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._prober.run)
                self._add_all()
                await self._done.wait()
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                for checker in self._checkers:
                    await self._prober.release(checker)
                await self._prober.aclose()

    def pause(self) -> None:
        """Start no more probes; those in flight are dropped."""
        self._paused = True
        for job in self._left:
            self._prober.remove(job)

    def resume(self) -> None:
        """Go on, spread as at the start."""
        self._paused = False
        self._add_all()

    def _add_all(self) -> None:
        if not self._paused:
            for job in [job for job in self._left if job not in self._prober.jobs]:
                self._prober.add(job, self._interval_ns)

    def _on_result(self, job: Job, result: ProbeResult, started_ns: int, ended_ns: int) -> int:
        checker = job.checker
        assert isinstance(checker, VipChecker)  # noqa: S101 - all jobs are made here
        answer = checker.take(result)
        self._left[job] -= 1
        if not self._left[job]:
            self._prober.remove(job)
            del self._left[job]
            if not self._left:
                self._done.set()
        self._on_outcome(self._positions[job], Outcome(started_ns, ended_ns, *attrs.astuple(answer)))
        return self._interval_ns


def _job(checker: VipChecker, timeout_ns: int) -> Job:
    vip = checker.vip
    return Job(vip.name, checker, Target(vip.name, ip_address(vip.address), vip.port, timeout_ns))
