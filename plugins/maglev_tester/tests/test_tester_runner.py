"""The probing loop, here and in a process of its own."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter

import anyio
import pytest

from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.probe_process import ProbeProcessEnded, probe_process
from maglev_tester.runner import Runner
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Kind, Vip
from maglev_tester.worker import dumps, lines, loads, write
from plugins.maglev_tester.tests.conftest import ServerMaker, answering, silent

OK = b"HTTP/1.1 200 OK\r\nX-IPng-Frontend: nginx0\r\nContent-Length: 0\r\n\r\n"
FAST = {"interval_ns": 10_000_000}


def vip(port: int, name: str = "vip", kind: Kind = Kind.HTTP) -> Vip:
    return Vip(name, "127.0.0.1", port, kind)


async def test_each_vip_is_probed_as_often_as_asked(serve: ServerMaker, free_port: int) -> None:
    server = serve(answering(OK))
    seen: Counter[int] = Counter()
    settings = ProbeSettings((vip(server.port), vip(free_port)), once=5, interval_ns=10_000_000)
    await Runner(settings, lambda index, _: seen.update([index])).run()
    assert seen == {0: 5, 1: 5}
    assert server.accepted == 5


async def test_slow_vip_slows_no_other(serve: ServerMaker) -> None:
    settings = ProbeSettings(
        (vip(serve(silent).port), vip(serve(answering(OK)).port)), interval_ns=10_000_000, timeout_ns=60_000_000_000
    )
    seen: Counter[int] = Counter()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:

            def count(index: int, _: Outcome) -> None:
                seen[index] += 1
                if seen[index] == 50:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(Runner(settings, count).run)
    assert seen == {1: 50}


async def test_paused_runner_starts_no_probe_until_it_goes_on(serve: ServerMaker) -> None:
    server = serve(answering(OK))
    seen: list[Outcome] = []
    runner = Runner(
        ProbeSettings((vip(server.port),), once=3, interval_ns=10_000_000), lambda _, outcome: seen.append(outcome)
    )
    runner.pause()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runner.run)
        await anyio.sleep(0.05)
        paused = len(seen)
        runner.resume()
    assert (paused, len(seen)) == (0, 3)


def test_outcomes_that_are_written_down_read_back() -> None:
    batch = [
        (0, Outcome(1, 2, "200", who="näme", answered=True)),
        (7, Outcome(3, 4, "refused", ErrorClass.NET, "connection refused")),
    ]
    line = dumps(batch)
    assert line.count(b"\n") == 1
    assert loads(line) == batch


async def test_lines_come_whole_however_they_are_cut() -> None:
    source, target = os.pipe()
    for end in (source, target):
        os.set_blocking(end, False)
    data = b"\n".join(b"x" * size for size in (0, 1, 100_000, 3)) + b"\n"

    async def send() -> None:
        await write(target, data)
        os.close(target)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        found = [len(line) async for line in lines(source)]
    os.close(source)
    assert found == [0, 1, 100_000, 3]


async def test_process_of_its_own_probes_pauses_and_ends(serve: ServerMaker) -> None:
    server = serve(answering(OK))
    seen: list[Outcome] = []
    enough = anyio.Event()

    def take(_: int, outcome: Outcome) -> None:
        seen.append(outcome)
        if len(seen) == 5:
            enough.set()

    with anyio.fail_after(60):
        async with (
            probe_process(ProbeSettings((vip(server.port),), interval_ns=10_000_000)) as process,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(process.receive, take)
            await enough.wait()
            await process.send("pause")
            await process.send("resume")
            tasks.cancel_scope.cancel()
    assert process._process.returncode == -signal.SIGTERM
    assert all(outcome.who == "nginx0" for outcome in seen)


async def test_process_that_dies_is_noticed_with_its_last_words() -> None:
    with anyio.fail_after(60):
        async with probe_process(ProbeSettings((vip(1),))) as process:
            process._process.kill()
            with pytest.raises(ProbeProcessEnded, match="without an error message"):
                await process.receive(lambda *_: None)


async def test_process_ends_when_its_parent_goes_away() -> None:
    with anyio.fail_after(60):
        async with probe_process(ProbeSettings((vip(1),))) as process:
            assert process._process.stdin is not None
            await process._process.stdin.aclose()
            assert await process._process.wait() == 0


async def test_ctrl_c_of_the_terminal_is_left_to_the_parent(serve: ServerMaker) -> None:
    server = serve(answering(OK))
    first = anyio.Event()
    with anyio.fail_after(60):
        async with (
            probe_process(ProbeSettings((vip(server.port),), interval_ns=10_000_000)) as process,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(process.receive, lambda *_: first.set())
            await first.wait()
            process._process.send_signal(signal.SIGINT)
            first = anyio.Event()
            await first.wait()
            tasks.cancel_scope.cancel()


def test_json_of_a_batch_is_plain() -> None:
    assert json.loads(dumps([(0, Outcome(1, 2, "200"))])) == [[0, 1, 2, "200", None, "", "", False]]
