"""The parent's side of the probing process: starts it, hears it, tells it to pause, ends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from maglev_tester.plan import Plan
from maglev_tester.runner import OnOutcome
from maglev_tester.worker import loads

_END_WITHIN_S = 2.0


class ProberDied(Exception):
    """The probing process ended by itself; the message is what it said last."""


class Elsewhere:
    """A plan being probed in a process of its own.

    Args:
        process: Which runs `maglev_tester.worker`.
    """

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process

    async def listen(self, on_outcome: OnOutcome) -> None:
        """Hand on outcomes until cancelled.

        Raises:
            ProberDied: The process ended.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        rest = b""
        async for piece in self._process.stdout:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                for index, outcome in loads(line):
                    on_outcome(index, outcome)
        raise ProberDied(await self._last_words())

    async def say(self, command: str) -> None:
        """Tell it to `pause` or `resume`."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        await self._process.stdin.send(f"{command}\n".encode())

    async def _last_words(self) -> str:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        said = b"".join([piece async for piece in self._process.stderr])
        return said.decode(errors="replace").strip() or "without a word"


@asynccontextmanager
async def probing_elsewhere(plan: Plan) -> AsyncIterator[Elsewhere]:
    """Probe in a process of its own as long as the context lasts.

    Args:
        plan: What and how.
    """
    command = [sys.executable, "-m", "maglev_tester.worker"]
    async with await anyio.open_process(command, stderr=subprocess.PIPE) as process:
        elsewhere = Elsewhere(process)
        try:
            await elsewhere.say(plan.dumps())
            yield elsewhere
        finally:
            await _end(process)


async def _end(process: anyio.abc.Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.terminate()
        with anyio.move_on_after(_END_WITHIN_S) as patience:
            await process.wait()
        if patience.cancelled_caught:
            process.kill()
