"""`http` and `https` among hostile backends, all at once and over and over: verdicts, memory, and who is held up."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import attrs
import pytest

from maglev.api import Code, ProbeResult, StreamChecker, Target
from maglev.probing import Job, Prober
from maglev_http.checkers import HttpChecker, HttpsChecker
from maglev_http.options import HttpOptions, HttpsOptions

ROOT = Path(__file__).parents[3]
INTERVAL_NS = 20_000_000
TIMEOUT_NS = 400_000_000
Ports = dict[str, int]

# The code for a check that wants a status, and for one that wants a body that matches.
WANTED: dict[str, tuple[Code, Code]] = {
    "never answers": (Code.L7TOUT, Code.L7TOUT),
    "a byte at a time": (Code.L7TOUT, Code.L7TOUT),
    "a body a byte at a time": (Code.L7OK, Code.L7TOUT),
    "endless headers": (Code.L7RSP, Code.L7RSP),
    "one endless header": (Code.L7RSP, Code.L7RSP),
    "endless body": (Code.L7OK, Code.L7RSP),
    "a gigabyte, it says": (Code.L7OK, Code.L7RSP),
    "a gigabyte, and nothing": (Code.L7OK, Code.L7TOUT),
    "endless chunks": (Code.L7OK, Code.L7RSP),
    "endless chunk extension": (Code.L7OK, Code.L7RSP),
    "chunk longer than it says": (Code.L7OK, Code.L7RSP),
    "chunk shorter than it says": (Code.L7OK, Code.L7RSP),
    "chunk of a negative size": (Code.L7OK, Code.L7RSP),
    "garbage": (Code.L7RSP, Code.L7RSP),
    "closes at once": (Code.L7RSP, Code.L7RSP),
    "closes early": (Code.L7RSP, Code.L7RSP),
    "resets": (Code.L7RSP, Code.L7RSP),
    "storm of interim answers": (Code.L7RSP, Code.L7RSP),
    "redirects to itself": (Code.L7STS, Code.L7STS),
}
WANTED_OF_TLS: dict[str, Code] = {
    "never answers": Code.L6TOUT,
    "stalls within a record": Code.L6TOUT,
    "stalls within a message": Code.L6TOUT,
    "speaks plain HTTP": Code.L6RSP,
    "garbage": Code.L6RSP,
    "a record larger than any may be": Code.L6RSP,
    "closes at once": Code.L6RSP,
    "alerts": Code.L6RSP,
}
FLOODS = [name for name in WANTED if "endless" in name or "it says" in name or "storm" in name]


@pytest.fixture(scope="module")
def hostile() -> Iterator[tuple[Ports, Ports]]:
    """Where each hostile backend listens: those without TLS, and those that break it."""
    command = [sys.executable, "-m", "plugins.maglev_http.tests.hostile_servers"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            plain, tls = json.loads(process.stdout.readline())
            yield plain, tls
        finally:
            process.kill()


@attrs.define
class Tally:
    """Results by job, and the order that they came in."""

    results: defaultdict[str, list[ProbeResult]] = attrs.field(factory=lambda: defaultdict(list))
    order: list[str] = attrs.field(factory=list)
    told: anyio.Event = attrs.field(factory=anyio.Event)

    def keep(self, job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        self.results[job.name].append(result)
        self.order.append(job.name)
        self.told.set()
        return INTERVAL_NS

    def codes(self) -> dict[str, set[Code]]:
        """What each ended as. A busy machine may stall us; what that made void is not looked at."""
        return {name: {result.code for result in results} - {Code.LAG} for name, results in self.results.items()}

    async def until(self, counts: dict[str, int]) -> None:
        """Wait until each of these has so many results."""
        with anyio.fail_after(60):
            while any(self._verdicts(name) < count for name, count in counts.items()):
                self.told = anyio.Event()
                await self.told.wait()

    def _verdicts(self, name: str) -> int:
        return sum(result.code is not Code.LAG for result in self.results[name])


@asynccontextmanager
async def probing(
    checker: StreamChecker, ports: Ports, make: Callable[..., Target], timeout_ns: int = TIMEOUT_NS
) -> AsyncIterator[Tally]:
    tally = Tally()
    prober = Prober(tally.keep)
    for name, port in ports.items():
        prober.add(Job(name, checker, attrs.evolve(make(port), timeout_ns=timeout_ns)), INTERVAL_NS)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        yield tally
        tasks.cancel_scope.cancel()
    await prober.aclose()


@pytest.mark.parametrize("pattern", ["", "^ok$"], ids=["status", "body"])
async def test_each_ends_as_it_should_and_holds_nobody_up(
    hostile: tuple[Ports, Ports], loopback_target: Callable[..., Target], pattern: str
) -> None:
    async with probing(HttpChecker(HttpOptions(response_regexp=pattern)), hostile[0], loopback_target) as tally:
        await tally.until(dict.fromkeys(WANTED, 3))
    wanted = {name: codes[bool(pattern)] for name, codes in WANTED.items()} | {"calm": Code.L7OK}
    assert tally.codes() == {name: {code} for name, code in wanted.items()}
    # While those that time out had three probes each, the calm one was probed again and again between them.
    slowest = max(index for index, name in enumerate(tally.order) if wanted[name] is Code.L7TOUT)
    assert Counter(tally.order[:slowest])["calm"] > 10


async def test_floods_leave_memory_flat(hostile: tuple[Ports, Ports], loopback_target: Callable[..., Target]) -> None:
    ports = {name: hostile[0][name] for name in FLOODS}
    # Tracing makes us so slow that with a short timeout everything would be void.
    checker = HttpChecker(HttpOptions(response_regexp="^ok$"))
    async with probing(checker, ports, loopback_target, 20_000_000_000) as tally:
        await tally.until(dict.fromkeys(FLOODS, 3))
        tally.results.clear()
        tracemalloc.start()
        await tally.until(dict.fromkeys(FLOODS, 10))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # At any moment each holds at most its 64 KiB, twice while they are copied, and what was read last.
    assert peak < len(FLOODS) * 512 * 1024


async def test_bad_tls_ends_at_layer_6(hostile: tuple[Ports, Ports], loopback_target: Callable[..., Target]) -> None:
    checker = HttpsChecker(HttpsOptions(insecure_skip_verify=True))
    async with probing(checker, hostile[1], loopback_target) as tally:
        await tally.until(dict.fromkeys(WANTED_OF_TLS, 3))
    assert tally.codes() == {name: {code} for name, code in WANTED_OF_TLS.items()}
