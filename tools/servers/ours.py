"""Puts all behaviours before our own checks, with both engines at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Literal

import anyio

from maglev.api import AsyncChecker, Checker, Code, ProbeResult, Target, Verdict
from maglev.probing import Job, Prober
from maglev_http.checkers import HttpChecker, HttpsChecker
from maglev_http.options import HttpOptions, HttpsOptions
from tools.servers.behaviour import Behaviour

Engine = Literal["lean", "httpx"]
ENGINES: tuple[Engine, ...] = ("lean", "httpx")
_AGAIN_NS = 100_000_000
_STALL_NS = 50_000_000
_MOST_TRIES = 5
_APART_NS = 1_000_000  # not all at once, or the run stalls itself


def checker_of(behaviour: Behaviour, engine: Engine) -> Checker:
    """The check that a behaviour is put before."""
    if behaviour.check_tls:
        return HttpsChecker.build(
            HttpsOptions(engine=engine, response_regexp=behaviour.pattern, insecure_skip_verify=True)
        )
    return HttpChecker.build(HttpOptions(engine=engine, response_regexp=behaviour.pattern))


class _Run:
    """Probes each server until there is a verdict.

    What is void is asked again, and what this process was stalled for: a slow answer has more time then.
    """

    def __init__(self) -> None:
        self.results: dict[str, ProbeResult] = {}
        self.done = anyio.Event()
        self.prober = Prober(self._keep, on_start=self._start)
        self.prober.report_starts = True
        self.wanted = 0
        self._stalled_ns: dict[str, int] = {}
        self._tries: Counter[str] = Counter()

    def _start(self, job: Job, _started_ns: int) -> None:
        self._stalled_ns[job.name] = self.prober.lag.stalled_ns
        self._tries[job.name] += 1

    def _counts(self, job: Job, result: ProbeResult) -> bool:
        if result.verdict is Verdict.VOID:
            return result.code is Code.ERROR
        return (
            self.prober.lag.stalled_ns - self._stalled_ns[job.name] < _STALL_NS or self._tries[job.name] > _MOST_TRIES
        )

    def _keep(self, job: Job, result: ProbeResult, *_times_ns: int) -> int:
        if job.name not in self.results and self._counts(job, result):
            self.results[job.name] = result
            self.prober.remove(job)
            if len(self.results) == self.wanted:
                self.done.set()
        return _AGAIN_NS


async def judge(
    behaviours: Sequence[Behaviour], ports: Sequence[int], timeout_s: float
) -> list[dict[Engine, ProbeResult]]:
    """Probe all servers, all at once.

    Args:
        behaviours: What they do.
        ports: Where each listens, on loopback.
        timeout_s: How long a probe may take, in seconds.

    Returns:
        For each server the result of each engine.
    """
    run = _Run()
    checkers = []
    for index, (behaviour, port) in enumerate(zip(behaviours, ports, strict=True)):
        for engine in ENGINES:
            name = f"{engine} {index}"
            target = Target(name, ip_address("127.0.0.1"), port, timeout_ns=int(timeout_s * 1e9))
            checkers.append(checker_of(behaviour, engine))
            run.wanted += 1
            run.prober.add(Job(name, checkers[-1], target), _APART_NS * len(behaviours))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.prober.run)
            await run.done.wait()
            tasks.cancel_scope.cancel()
    finally:
        await run.prober.aclose()
        for checker in checkers:
            checker.close()
            if isinstance(checker, AsyncChecker):
                await checker.aclose()
    return [{engine: run.results[f"{engine} {index}"] for engine in ENGINES} for index in range(len(behaviours))]
