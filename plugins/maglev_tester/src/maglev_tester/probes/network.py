"""Connections that cost little: a non-blocking socket, and waiting for it.

Closing is by reset, as HAProxy's checks do it: ten probes a second and VIP would else leave thousands of sockets in
TIME-WAIT on the client, or on the server, for what was answered whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import struct
from collections.abc import Callable
from typing import TypeVar

import anyio

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_T = TypeVar("_T")
_PIECE = 65_536


class Connection:
    """A connection of one probe, or of many with `--keepalive`.

    Args:
        sock: Connected, non-blocking.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def handshake(self, context: ssl.SSLContext, server_name: str) -> None:
        """Speak TLS from here on.

        Args:
            context: Of all connections.
            server_name: A name or an address; who the certificate must be for.

        Raises:
            OSError: Of which `ssl.SSLError` is one.
        """
        self._sock = secure = context.wrap_socket(
            self._sock, server_hostname=server_name, do_handshake_on_connect=False
        )
        await self._until_done(secure.do_handshake)

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        while rest:
            sent = await self._until_done(lambda piece=rest: self._sock.send(piece), writing=True)  # type: ignore[misc]
            rest = rest[sent:]

    async def receive(self) -> bytes:
        """Receive some; nothing at the end."""
        return await self._until_done(lambda: self._sock.recv(_PIECE))

    async def _until_done(self, operation: Callable[[], _T], *, writing: bool = False) -> _T:
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                wait = anyio.wait_readable
            except ssl.SSLWantWriteError:
                wait = anyio.wait_writable
            except BlockingIOError:
                wait = anyio.wait_writable if writing else anyio.wait_readable
            await wait(self._sock)

    @property
    def idle(self) -> bool:
        """Whether it can be used again: the peer has neither closed it nor said more than it was asked."""
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Be rid of it at once."""
        with contextlib.suppress(OSError):  # not connected any more
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._sock.close()


async def connect(address: str, port: int) -> Connection:
    """Connect.

    Args:
        address: IPv4 or IPv6.
        port: The port.

    Raises:
        OSError: It did not come about.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        number = sock.connect_ex((address, port))
        if number == errno.EINPROGRESS:
            await anyio.wait_writable(sock)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))
    except BaseException:
        sock.close()
        raise
    return Connection(sock)
