from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import anyio
import anyio.lowlevel
import pytest

from maglev.api import AsyncChecker, Code, ProbeResult, Target
from maglev.probing import async_probes
from tests.probing.support import OK, free_port, hold, job_of, outcome, probing, server


class Coroutine(AsyncChecker):
    """An async checker made of a function."""

    name = "coroutine"

    def __init__(self, probe: Callable[[Target], Awaitable[ProbeResult]]) -> None:
        super().__init__(None)
        self._probe = probe
        self.closed: list[str] = []

    async def probe(self, target: Target) -> ProbeResult:
        return await self._probe(target)

    def close(self) -> None:
        self.closed.append("close")

    async def aclose(self) -> None:
        self.closed.append("aclose")


async def fine(target: Target) -> ProbeResult:
    await anyio.lowlevel.checkpoint()
    return OK


async def forever(target: Target) -> ProbeResult:
    await anyio.sleep_forever()
    raise AssertionError


async def test_a_coroutine_probes_again_and_again() -> None:
    async with probing(job_of(Coroutine(fine), None)) as watch:
        results = await watch.results(3)
    assert {result.code for result in results} == {Code.L7OK}
    assert all(result.duration_ns > 0 for result in results)


async def test_its_time_is_up_at_the_deadline() -> None:
    assert (await outcome(job_of(Coroutine(forever), None))).code is Code.L7TOUT


async def test_its_sockets_are_the_targets_own() -> None:
    async def connect(target: Target) -> ProbeResult:
        assert target.sockets is not None
        with target.sockets.open() as sock:
            sock.connect_ex(target.sockaddr)
            await anyio.wait_writable(sock)
            name = sock.getsockname()[0]
        with target.sockets.open(socket.SOCK_DGRAM) as sock:
            assert sock.type is socket.SOCK_DGRAM
            assert sock.gettimeout() == 0
        return ProbeResult(Code.L7OK, name)

    async with server(hold) as port:
        job = job_of(Coroutine(connect), port, source=ip_address("127.3.2.1"))
        assert (await outcome(job)).detail == "127.3.2.1"


async def test_a_source_that_is_not_here_is_void() -> None:
    async def connect(target: Target) -> ProbeResult:
        assert target.sockets is not None
        target.sockets.open().close()
        return OK

    job = job_of(Coroutine(connect), 80, source=ip_address("192.0.2.77"))
    assert (await outcome(job)).code is Code.NOPORT


@pytest.mark.parametrize(
    "error, code",
    [(OSError(errno.EMFILE, "full"), Code.NOFILE), (OSError(errno.EIO, "?"), Code.ERROR), (KeyError(), Code.ERROR)],
    ids=["files", "other", "fault"],
)
async def test_an_exception_is_void(error: Exception, code: Code) -> None:
    async def fail(target: Target) -> ProbeResult:
        raise error

    async with probing(job_of(Coroutine(fail), None)) as watch:
        await watch.results(2)
    assert set(watch.codes) == {code}
    assert len(watch.warnings) == (code is Code.ERROR)


async def test_an_error_of_the_network_is_a_verdict_also_where_it_came_through_a_task_group() -> None:
    async def refused(target: Target) -> None:
        assert target.sockets is not None
        with target.sockets.open() as sock:
            await asyncio.get_running_loop().sock_connect(sock, target.sockaddr)

    async def fail(target: Target) -> ProbeResult:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refused, target)
        return OK

    async with probing(job_of(Coroutine(fail), free_port())) as watch:
        await watch.results(2)
    assert set(watch.codes) == {Code.L4CON}
    assert not watch.warnings


async def test_what_is_no_result_is_void() -> None:
    async def nothing(target: Target) -> ProbeResult:
        return None  # type: ignore[return-value]

    assert (await outcome(job_of(Coroutine(nothing), None))).code is Code.ERROR


async def test_a_slow_clean_up_delays_no_verdict_and_lets_no_second_probe_start() -> None:
    running = most = 0
    let_go = anyio.Event()

    async def stubborn(target: Target) -> ProbeResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await let_go.wait()
            running -= 1
        return OK

    async with probing(job_of(Coroutine(stubborn), None, timeout_ns=50_000_000)) as watch:
        await watch.results(3)
        assert watch.codes == [Code.L7TOUT, Code.ERROR, Code.ERROR]
        let_go.set()
        await watch.until(lambda: watch.codes[-1] is Code.L7TOUT and len(watch.codes) > 3)
    assert most == 1


async def test_a_removed_probe_is_cancelled_and_not_heard_of() -> None:
    ended = anyio.Event()
    begun = anyio.Event()

    async def wait(target: Target) -> ProbeResult:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        return OK

    job = job_of(Coroutine(wait), None, timeout_ns=10**12)
    async with probing(job) as watch:
        await begun.wait()
        watch.prober.remove(job)
        with anyio.fail_after(30):
            await ended.wait()
    assert watch.ended == []


async def test_a_checker_is_released_after_its_last_task() -> None:
    checker = Coroutine(forever)

    async def wait(target: Target) -> ProbeResult:
        try:
            await anyio.sleep_forever()
        finally:
            checker.closed.append("task")
        return OK

    checker._probe = wait
    job = job_of(checker, None, timeout_ns=10**12)
    async with probing(job) as watch:
        begun = anyio.Event()
        watch.report_starts(lambda job, started_ns: begun.set())
        await begun.wait()
        await anyio.lowlevel.checkpoint()
        watch.prober.remove(job)
        await watch.prober.release(checker)
    assert checker.closed == ["task", "close", "aclose"]


async def test_a_checker_that_cannot_be_closed_is_told_of() -> None:
    class Stuck(Coroutine):
        def close(self) -> None:
            raise KeyError("oh")

    async with probing() as watch:
        await watch.prober.release(Stuck(fine))
    assert len(watch.warnings) == 1


async def test_no_more_than_so_many_run_at_once_and_none_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_probes, "LIMIT", 5)
    running = most = 0

    async def busy(target: Target) -> ProbeResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.sleep(0.001)
        running -= 1
        return OK

    jobs = [job_of(Coroutine(busy), None) for _ in range(40)]
    async with probing(*jobs) as watch:
        await watch.until(lambda: all(len(watch.of(job)) > 1 for job in jobs))
    assert most == 5
    assert set(watch.codes) == {Code.L7OK}


async def test_a_probe_that_cancels_itself_is_void() -> None:
    import asyncio

    async def give_up(target: Target) -> ProbeResult:
        raise asyncio.CancelledError

    assert (await outcome(job_of(Coroutine(give_up), None))).code is Code.ERROR
