"""The parent's side of the probing process: starts and ends it, receives outcomes, sends it commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from maglev_tester.runner import OnOutcome
from maglev_tester.settings import ProbeSettings
from maglev_tester.worker import loads

_END_WITHIN_S = 2.0


class ProbeProcessEnded(Exception):
    """The probing process ended by itself; the message is what it wrote to standard error."""


class ProbeProcess:
    """VIPs being probed by `maglev_tester.worker` in a process of their own."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process

    async def receive(self, on_outcome: OnOutcome) -> None:
        """Hand outcomes on until cancelled.

        Raises:
            ProbeProcessEnded: The process ended.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        rest = b""
        async for piece in self._process.stdout:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                for index, outcome in loads(line):
                    on_outcome(index, outcome)
        raise ProbeProcessEnded(await self._errors())

    async def send(self, command: str) -> None:
        """Send it the command `pause` or `resume`."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        await self._process.stdin.send(f"{command}\n".encode())

    async def _errors(self) -> str:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        written = b"".join([piece async for piece in self._process.stderr])
        return written.decode(errors="replace").strip() or "without an error message"


@asynccontextmanager
async def probe_process(settings: ProbeSettings) -> AsyncIterator[ProbeProcess]:
    """Probe in a process of its own while the context lasts."""
    command = [sys.executable, "-m", "maglev_tester.worker"]
    async with await anyio.open_process(command, stderr=subprocess.PIPE) as process:
        probing = ProbeProcess(process)
        try:
            await probing.send(settings.dumps())
            yield probing
        finally:
            await _end(process)


async def _end(process: anyio.abc.Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.terminate()
        with anyio.move_on_after(_END_WITHIN_S) as waiting:
            await process.wait()
        if waiting.cancelled_caught:
            process.kill()
