"""Probes a real server once, with the engine of the daemon, for the tests of a checker."""

from __future__ import annotations

import anyio

from maglev.api import Checker, Code, ProbeResult, Target
from maglev.probing import Job, Prober


def probe_once(checker: Checker, target: Target) -> ProbeResult:
    """Probe once and wait for the result. In a running event loop use `probe_once_async`.

    Args:
        checker: A checker of any shape.
        target: Whom to probe.

    Returns:
        The result. A probe that failed while this process was stalled is repeated.
    """
    return anyio.run(probe_once_async, checker, target)


async def probe_once_async(checker: Checker, target: Target) -> ProbeResult:
    """Probe a server once, for asynchronous tests."""
    results: list[ProbeResult] = []
    done = anyio.Event()

    def on_result(_job: Job, result: ProbeResult, *_times_ns: int) -> int:
        if result.code is not Code.LAG:
            results.append(result)
            done.set()
        return target.timeout_ns

    prober = Prober(on_result)
    prober.add(Job(target.backend, checker, target), 0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(prober.run)
            await done.wait()
            tasks.cancel_scope.cancel()
    finally:
        await prober.aclose()
    return results[0]
