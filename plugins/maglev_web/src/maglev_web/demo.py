"""The dashboard beside `maglevd demo`: a process of its own, so that it takes no time from the probes."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

_PORT = 8080
_USER = "demo"
_ENDS_WITHIN_S = 5.0


@asynccontextmanager
async def dashboard(folder: Path, grpc_socket: str) -> AsyncIterator[Sequence[str]]:
    """Serve a dashboard while the context lasts; `maglevd demo` runs it.

    Args:
        folder: For the log.
        grpc_socket: The unix socket of the gRPC API.

    Yields:
        Where the dashboard is.

    Raises:
        OSError: It cannot be started.
    """
    password, port = secrets.token_urlsafe(6), free_port(_PORT)
    listen = f"127.0.0.1:{port}"
    with (folder / "dashboard.log").open("wb") as log:
        process = await anyio.open_process(
            [sys.executable, "-m", "maglev_web", "--server", f"unix:{grpc_socket}", "--listen", listen],
            env={**os.environ, "MAGLEV_FRONTEND_USER": _USER, "MAGLEV_FRONTEND_PASSWORD": password},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield [
            f"Dashboard: http://{listen}/view/",
            f"  with commands: http://{listen}/admin/ (user {_USER}, password {password})",
        ]
    finally:
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):  # it has ended already
                process.terminate()
            with anyio.move_on_after(_ENDS_WITHIN_S):
                await process.wait()
            if process.returncode is None:
                process.kill()
            await process.aclose()


def free_port(wanted: int) -> int:
    """A TCP port that is free on loopback: the wanted one if it is."""
    for port in (wanted, 0):
        with socket.socket() as sock, suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            found: int = sock.getsockname()[1]
            return found
    raise OSError("no port is free")
