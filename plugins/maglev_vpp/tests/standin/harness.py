"""Starts VPPs for tests, stand-ins and real ones, and controls the stand-ins."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.abc

from maglev_vpp import VppOptions

ROOT = Path(__file__).parents[4]
MODULE = "plugins.maglev_vpp.tests.standin"
STARTUP = """
unix {{ nodaemon nosyslog runtime-dir {folder} cli-listen {folder}/cli.sock log {folder}/vpp.log }}
api-segment {{ prefix maglev-{pid} }}
socksvr {{ socket-name {folder}/api.sock }}
statseg {{ socket-name {folder}/stats.sock size 64m page-size 4k }}
memory {{ main-heap-size 512M main-heap-page-size 4k }}
buffers {{ buffers-per-numa 4096 page-size default }}
plugins {{ path {plugins} plugin default {{ disable }} plugin lb_plugin.so {{ enable }} }}
"""


class Process:
    """A VPP of some kind, in a folder of its own.

    Args:
        folder: For its sockets; short, since a socket's path may have 107 bytes.
        command: What starts it.
        ready: The socket that it opens last.
    """

    def __init__(self, folder: Path, command: Sequence[str], ready: str) -> None:
        self.folder = folder
        self._command = command
        self._ready = ready
        self._process: anyio.abc.Process | None = None

    @property
    def options(self) -> VppOptions:
        """Where it is found."""
        return VppOptions(api_addr=str(self.folder / "api.sock"), stats_addr=str(self.folder / "stats.sock"))

    @property
    def pid(self) -> int:
        """The process that runs now."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    async def start(self) -> None:
        """Start it, empty, and wait until it listens."""
        for name in ("api.sock", "stats.sock", self._ready):
            await anyio.Path(self.folder / name).unlink(missing_ok=True)
        self._process = await anyio.open_process(
            self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=None, stderr=subprocess.DEVNULL
        )
        with anyio.fail_after(30):
            while not (await self._listens()):
                if self._process.returncode is not None:
                    raise RuntimeError(f"{self._command[0]} ended with {self._process.returncode}")
                await anyio.sleep(0.02)

    async def _listens(self) -> bool:
        try:
            async with await anyio.connect_unix(self.folder / self._ready):
                return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    async def kill(self) -> None:
        """Kill it, and leave its sockets lying around as a killed VPP does."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):  # it may be dead already
                os.kill(process.pid, signal.SIGKILL)
            with anyio.CancelScope(shield=True):
                await process.wait()
                await process.aclose()

    async def restart(self) -> None:
        """Kill it and start it again: empty, with another pid."""
        await self.kill()
        await self.start()


class Standin(Process):
    """A stand-in, which tests control.

    Args:
        folder: As for `Process`.
        kind: As for `server.vocabulary_of`.
    """

    def __init__(self, folder: Path, kind: str = "full") -> None:
        super().__init__(folder, [sys.executable, "-m", MODULE, str(folder), kind], "api.sock")

    async def do(self, command: str, **arguments: Any) -> Any:
        """Control it; see the methods `do_…` of its server."""
        async with await anyio.connect_unix(self.folder / "control.sock") as stream:
            await stream.send(json.dumps({"do": command, **arguments}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                data += await stream.receive()
        return json.loads(data)

    async def writes(self, *, clear: bool = False) -> list[dict[str, Any]]:
        """What was written to it so far."""
        report = await self.do("report", clear=clear)
        writes: list[dict[str, Any]] = report["writes"]
        return writes


class RealVpp(Process):
    """A real VPP.

    Args:
        folder: As for `Process`.
        binary: The program.
        plugins: The folder with its plugins.
    """

    def __init__(self, folder: Path, binary: str, plugins: str) -> None:
        configuration = folder / "startup.conf"
        configuration.write_text(STARTUP.format(folder=folder, plugins=plugins, pid=os.getpid()))
        super().__init__(folder, [binary, "-c", str(configuration)], "api.sock")
