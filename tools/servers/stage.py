"""Serves all behaviours, in a process of its own so that their work is not the prober's stall.

    python -m tools.servers.stage TIMEOUT_S

Says the port of each in a line of JSON, and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme

from tools.servers.behaviour import Behaviour
from tools.servers.catalogue import BEHAVIOURS

ROOT = Path(__file__).resolve().parents[2]
_RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, no time


@contextmanager
def stage(timeout_s: float) -> Iterator[list[int]]:
    """All servers, while the context lasts; gives the port of each.

    Args:
        timeout_s: The timeout of the checks, in seconds, which some servers go by.
    """
    command = [sys.executable, "-m", "tools.servers.stage", str(timeout_s)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline() if process.stdout else "")
        finally:
            process.kill()


class _Server:
    """Serves one behaviour on a port of its own."""

    def __init__(self, behaviour: Behaviour, timeout_s: float, contexts: dict[str, ssl.SSLContext]) -> None:
        self._does = behaviour
        self._timeout_s = timeout_s
        self._context = contexts.get(behaviour.tls)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]

    async def serve(self) -> None:
        if not self._does.listens:
            self._listener.close()
            return
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            task = asyncio.create_task(self._one(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the prober goes away as it likes
            # A reset drops what the kernel still holds back.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                await self._plain(connection)
            else:
                await asyncio.to_thread(self._secure, connection, self._context)
            if self._does.then == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def _plain(self, connection: socket.socket) -> None:
        loop, does = asyncio.get_running_loop(), self._does
        if does.reads:
            await loop.sock_recv(connection, 65_536)
        await asyncio.sleep(does.delay * self._timeout_s)
        for number, piece in enumerate(self._pieces()):
            if number:
                await asyncio.sleep(does.pause * self._timeout_s)
            await loop.sock_sendall(connection, piece)
        while does.then == "hold" and await loop.sock_recv(connection, 65_536):
            pass

    def _secure(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        connection.settimeout(20)
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True) as secure:
            secure.recv(65_536)
            secure.sendall(self._does.reply)
            if self._does.then == "reset":
                secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _pieces(self) -> Iterator[bytes]:
        reply, size = self._does.reply, self._does.piece
        if size:
            yield from (reply[start : start + size] for start in range(0, len(reply), size))
        elif reply:
            yield reply
        if self._does.forever:
            yield from itertools.repeat(self._does.forever)


def _contexts() -> dict[str, ssl.SSLContext]:
    certificate = trustme.CA().issue_cert("a.example")
    made = {}
    for version in ("1.3", "1.2"):
        made[version] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(made[version])
    made["1.2"].maximum_version = ssl.TLSVersion.TLSv1_2
    return made


async def _main(timeout_s: float) -> None:
    contexts = _contexts()
    servers = [_Server(behaviour, timeout_s, contexts) for behaviour in BEHAVIOURS]
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    sys.stdout.write(json.dumps([server.port for server in servers]) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1])))
