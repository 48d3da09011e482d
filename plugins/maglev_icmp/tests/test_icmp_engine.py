"""`icmp` on the daemon's engine, on loopback."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import anyio
import pytest

from maglev.api import Code, ProbeResult, Target
from maglev.probing import Job, Prober
from maglev.testing.checker_suite import CheckerSuite
from maglev_icmp.checker import IcmpChecker

pytestmark = pytest.mark.netns


class TestIcmp(CheckerSuite):
    def make(self) -> IcmpChecker:
        return IcmpChecker(IcmpChecker.Options())


async def test_many_backends_of_both_families_over_two_sockets() -> None:
    checker = IcmpChecker(IcmpChecker.Options())
    addresses = [f"127.0.1.{number}" for number in range(100)] + ["::1"]
    results: dict[str, list[ProbeResult]] = {address: [] for address in addresses}
    enough = anyio.Event()

    def keep(job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        results[job.name].append(result)
        if min(map(len, results.values())) >= 3:
            enough.set()
        return 20_000_000

    prober = Prober(keep)
    for address in addresses:
        prober.add(Job(address, checker, Target(address, ip_address(address), timeout_ns=5_000_000_000)), 20_000_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        await enough.wait()
        tasks.cancel_scope.cancel()
    await prober.aclose()
    await prober.release(checker)
    assert {result.code for several in results.values() for result in several} == {Code.L4OK}


async def test_silence_in_another_namespace_is_a_time_out(island: Any) -> None:
    checker = IcmpChecker(IcmpChecker.Options())
    results: list[ProbeResult] = []
    ended = anyio.Event()

    def keep(_job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        results.append(result)
        ended.set()
        return 1_000_000_000

    prober = Prober(keep)
    target = Target("a", ip_address("127.0.0.1"), timeout_ns=200_000_000, netns=island.path)
    prober.add(Job("a", checker, target), 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        await ended.wait()
        tasks.cancel_scope.cancel()
    await prober.aclose()
    await prober.release(checker)
    assert results[0].code is Code.L4TOUT
