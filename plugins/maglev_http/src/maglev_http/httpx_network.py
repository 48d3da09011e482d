"""Connections of `engine: httpx`, made from the sockets of the target: in its namespace, from its source address."""

from __future__ import annotations

import errno
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute, TLSStream

from maglev.api import Action, Closed, Done, ProbeResult, Send, Sockets
from maglev.probing import connect_failed, tls_failed
from maglev.probing.socket_probe import RESETS
from maglev.probing.verdicts import HANDSHAKE_CLOSED, HANDSHAKE_RESET, unreadable

_LINGER = struct.pack("ii", 1, 0)
_READ_SIZE = 65_536


class Ended(Exception):
    """A probe ended with this result."""

    def __init__(self, result: ProbeResult) -> None:
        super().__init__(str(result))
        self.result = result


class PeerReset(Exception):
    """The peer has reset the connection, and all that it sent before is read."""


class Wire(ByteStream):
    """A connected socket. What the system says of the connection is a verdict (`Ended`), as with `engine: lean`.

    Args:
        sock: A non-blocking socket, closed with this.
        reset: Whether the peer is known to have reset the connection; there may be something left to read.
    """

    def __init__(self, sock: socket.socket, *, reset: bool) -> None:
        self._sock = sock
        self._reset = reset

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {}

    async def receive(self, max_bytes: int = _READ_SIZE) -> bytes:
        await anyio.lowlevel.checkpoint()  # a peer that floods us must not keep the others waiting
        while True:
            try:
                data = self._sock.recv(max_bytes)
            except BlockingIOError:
                await anyio.wait_readable(self._sock)
                continue
            except OSError as error:
                self._failed(error)
                raise PeerReset from error
            if data:
                return data
            raise PeerReset if self._reset else anyio.EndOfStream

    async def send(self, item: bytes) -> None:
        rest = memoryview(item)
        while rest and not self._reset:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._sock)
            except OSError as error:
                # What the peer sent before the reset may be the answer (a 503, then a reset): go on reading.
                self._failed(error)
                self._reset = True

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        # TLS is not shut down in order: the peer might never answer.
        self._sock.close()

    def _failed(self, error: OSError) -> None:
        """Raise the verdict on an error, unless it is a reset."""
        if error.errno not in RESETS:
            raise Ended(connect_failed(error.errno or 0)) from error


class Talk(Protocol):
    """The part of a `Conversation` that is used here: one that sends first."""

    def opening(self) -> bytes: ...

    def receive(self, data: bytes) -> Action | None: ...

    def closed(self, why: Closed) -> ProbeResult: ...


async def connect(sockets: Sockets, address: tuple[Any, ...]) -> Wire:
    """Connect a new socket.

    Raises:
        Ended: The peer or the network refused.
        OSError: No socket could be had.
    """
    sock = sockets.open(family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        number = sock.connect_ex(address)
        reset = False
        if number == errno.EINPROGRESS:
            await anyio.wait_writable(sock)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            # A peer that accepts and resets at once has been connected.
            reset = number in RESETS
        if number and not reset:
            raise Ended(connect_failed(number))
    except BaseException:
        sock.close()
        raise
    return Wire(sock, reset=reset)


async def secure(wire: ByteStream, context: ssl.SSLContext, server_name: str) -> tuple[ByteStream, str | None]:
    """Do the TLS handshake; returns the stream inside, and the protocol agreed on by ALPN.

    Raises:
        Ended: It failed.
    """
    try:
        stream = await TLSStream.wrap(
            wire, server_side=False, hostname=server_name, ssl_context=context, standard_compatible=False
        )
    except ssl.SSLError as error:
        raise Ended(tls_failed(error)) from error
    except PeerReset as error:
        raise Ended(HANDSHAKE_RESET) from error
    except anyio.EndOfStream as error:
        raise Ended(HANDSHAKE_CLOSED) from error
    return stream, stream.extra(TLSAttribute.alpn_protocol)  # noqa: S610 - anyio's, no ORM's


async def converse(stream: ByteStream, conversation: Talk) -> ProbeResult:
    """Hold a conversation to its end, as the engine of `StreamChecker`s does.

    Raises:
        Ended: The network or TLS ended it.
    """
    try:
        await stream.send(conversation.opening())
        while True:
            came = await _receive(stream)
            try:
                action = Done(conversation.closed(came)) if isinstance(came, Closed) else conversation.receive(came)
            except Exception as error:  # noqa: BLE001 - a conversation may fail on anything its peer says
                return unreadable(error)
            if isinstance(action, Done):
                return action.result
            if isinstance(action, Send):
                await stream.send(action.data)
    except ssl.SSLError as error:
        raise Ended(tls_failed(error)) from error


async def _receive(stream: ByteStream) -> bytes | Closed:
    try:
        return await stream.receive(_READ_SIZE)
    except anyio.EndOfStream:
        return Closed.EOF
    except PeerReset:
        return Closed.RESET
