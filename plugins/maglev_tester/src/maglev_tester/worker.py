"""The probing process: drawing the screen in the same process would make latencies look longer than they are.

The settings come as a line on standard input, outcomes go out as lines of JSON on standard output, and later lines on
standard input are `pause` or `resume`. The end of either stream ends the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator

import anyio
import attrs

from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.runner import Runner
from maglev_tester.settings import ProbeSettings

BATCH_S = 0.1
"""How often outcomes are handed on."""


def dumps(batch: list[tuple[int, Outcome]]) -> bytes:
    """Write outcomes, each with the position of its VIP, as one line."""
    return json.dumps([(index, *attrs.astuple(outcome)) for index, outcome in batch]).encode() + b"\n"


def loads(line: bytes) -> list[tuple[int, Outcome]]:
    """Read what `dumps` wrote."""
    return [
        (index, Outcome(started, ended, status, ErrorClass(error) if error else None, *rest))
        for index, started, ended, status, error, *rest in json.loads(line)
    ]


async def work(commands: AsyncIterator[bytes], output: int) -> None:
    """Probe and report until the other side goes away; `output` is a non-blocking file descriptor."""
    batch: list[tuple[int, Outcome]] = []
    settings = ProbeSettings.loads(await anext(commands))
    runner = Runner(settings, lambda index, outcome: batch.append((index, outcome)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runner.run)
        tasks.start_soon(_follow_commands, runner, commands, tasks.cancel_scope)
        while True:
            await anyio.sleep(BATCH_S)
            if batch:
                line, batch[:] = dumps(batch), []
                await write(output, line)


async def _follow_commands(runner: Runner, commands: AsyncIterator[bytes], scope: anyio.CancelScope) -> None:
    known = {b"pause": runner.pause, b"resume": runner.resume}
    async for command in commands:
        known[command]()
    scope.cancel()


async def lines(source: int) -> AsyncIterator[bytes]:
    """Read lines, without their ends, from a non-blocking file descriptor."""
    rest = b""
    while True:
        await anyio.wait_readable(source)
        piece = os.read(source, 65_536)
        if not piece:
            return
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line


async def write(target: int, data: bytes) -> None:
    """Write all of it to a non-blocking file descriptor, at the pace of who reads."""
    while data:
        try:
            data = data[os.write(target, data) :]
        except BlockingIOError:
            await anyio.wait_writable(target)


def main() -> None:
    """The entry point of the process."""
    # Ctrl-C goes to all processes of a terminal; this one ends when its parent does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (0, 1):
        os.set_blocking(stream, False)
    with contextlib.suppress(BrokenPipeError, StopAsyncIteration):  # the parent is gone
        anyio.run(work, lines(0), 1)


if __name__ == "__main__":
    main()
