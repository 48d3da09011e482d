"""The backends of the demonstration: real HTTP servers on loopback addresses, which can be killed and hung."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from enum import Enum
from ipaddress import IPv4Address

import anyio
from anyio.abc import SocketStream

from maglev.cli.demo.http import Answer, answer_one

_TRIES = 50


class Health(Enum):
    """How a server fares."""

    WELL = "well"
    DEAD = "dead"
    """Its port is closed."""
    HUNG = "hung"
    """It takes connections and says nothing."""


class Server:
    """One HTTP server.

    Args:
        name: The backend's name.
        address: A loopback address of its own.
        port: The port.
    """

    def __init__(self, name: str, address: IPv4Address, port: int) -> None:
        self.name = name
        self.address = address
        self.port = port
        self.health = Health.WELL
        self._changed = anyio.Event()
        self._serving: anyio.CancelScope | None = None

    def become(self, health: Health) -> None:
        """Kill, hang or heal it. Connections that are open end."""
        self.health = health
        self._changed.set()
        self._changed = anyio.Event()
        if self._serving is not None:
            self._serving.cancel()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            changed = self._changed
            if self.health is Health.DEAD:
                await changed.wait()
                continue
            listener = await anyio.create_tcp_listener(local_host=str(self.address), local_port=self.port)
            async with listener:
                with anyio.CancelScope() as self._serving:
                    if changed is self._changed:
                        await listener.serve(self._take)
                self._serving = None

    async def _take(self, stream: SocketStream) -> None:
        if self.health is Health.HUNG:
            async with stream:
                await anyio.sleep_forever()
        await answer_one(stream, self._answer)

    async def _answer(self, path: str) -> Answer:
        return (200, "ok\n") if path == "/healthz" else (200, f"{self.name} got {path}\n")


def free_port(addresses: Sequence[IPv4Address]) -> int:
    """Find a TCP port that is free on all of these addresses.

    Raises:
        OSError: No such port was found.
    """
    failure: OSError | None = None
    for _ in range(_TRIES):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in addresses]
        try:
            port = 0
            for sock, address in zip(sockets, addresses, strict=True):
                sock.bind((str(address), port))
                port = sock.getsockname()[1]
            return port
        except OSError as error:
            failure = error
        finally:
            for sock in sockets:
                sock.close()
    raise failure or OSError("no addresses")
