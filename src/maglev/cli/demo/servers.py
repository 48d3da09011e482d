"""Runs the backends of the demonstration: HTTP servers on loopback addresses that can be stopped and made to hang.

`/stop` and `/hang` do so for some seconds, for whoever tries it with `curl`.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from enum import Enum
from ipaddress import IPv4Address

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

BACK_AFTER_S = 20.0
"""How long `/stop` and `/hang` last."""
_MAX_HEAD = 8192
_HEAD_WITHIN_S = 10.0
_TRIES = 50


class Mode(Enum):
    """The behaviours of a server."""

    OK = "ok"
    STOPPED = "stopped"
    """Its port is closed."""
    HANGING = "hanging"
    """It accepts connections and answers nothing."""


_MODES = {"/stop": Mode.STOPPED, "/hang": Mode.HANGING}


class Server:
    """One HTTP server.

    Args:
        address: A loopback address of its own.
    """

    def __init__(self, name: str, address: IPv4Address, port: int) -> None:
        self.name = name
        self.address = address
        self.port = port
        self.mode = Mode.OK
        self._until_s = math.inf
        self._serving = anyio.CancelScope()

    def change(self, mode: Mode, for_s: float = math.inf) -> None:
        """Stop it, let it hang, or let it serve again. Open connections end.

        Args:
            mode: What it does from now on.
            for_s: How long, in seconds, before it serves again.
        """
        self.mode, self._until_s = mode, anyio.current_time() + for_s
        self._serving.cancel()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            with anyio.CancelScope(deadline=self._until_s) as self._serving:
                await self._serve()
            if anyio.current_time() >= self._until_s:
                self.mode, self._until_s = Mode.OK, math.inf

    async def _serve(self) -> None:
        if self.mode is Mode.STOPPED:
            await anyio.sleep_forever()
        async with await anyio.create_tcp_listener(local_host=str(self.address), local_port=self.port) as listener:
            await listener.serve(self._answer)

    async def _answer(self, stream: SocketStream) -> None:
        # A client may close its connection at any time, or send nothing.
        with suppress(
            anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.IncompleteRead, anyio.DelimiterNotFound
        ):
            async with stream:
                if self.mode is Mode.HANGING:
                    await anyio.sleep_forever()
                with anyio.move_on_after(_HEAD_WITHIN_S):
                    head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n", _MAX_HEAD)
                    await self._respond(stream, head.decode("latin-1").split()[1:2])

    async def _respond(self, stream: SocketStream, path: Sequence[str]) -> None:
        mode = _MODES.get(path[0]) if path else None
        body = f"{self.name}: {mode.value} for {BACK_AFTER_S:g} s\n" if mode else f"{self.name}\n"
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        await stream.send((head + body).encode())
        if mode:
            self.change(mode, BACK_AFTER_S)


def free_port(addresses: Sequence[IPv4Address]) -> int:
    """Find a TCP port that is free on all of these addresses.

    Raises:
        OSError: No such port was found.
    """
    failure = OSError("no port is free on all addresses")
    for _ in range(_TRIES):
        with ExitStack() as sockets:
            try:
                port = 0
                for address in addresses:
                    one = sockets.enter_context(socket.socket())
                    one.bind((str(address), port))
                    port = one.getsockname()[1]
                return port
            except OSError as error:
                failure = error
    raise failure
