"""Connections for httpcore, made from the sockets of the target: in its namespace, from its source address."""

from __future__ import annotations

import errno
import socket
import ssl
import struct
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore
from anyio.abc import ByteStream, SocketStream
from anyio.streams.tls import TLSAttribute, TLSStream

from maglev.api import RESET_EARLY, Code, ProbeResult, Sockets, Target
from maglev.probing import connect_failed, tls_failed

_HANDSHAKE_CLOSED = ProbeResult(Code.L6RSP, "closed by the peer during the TLS handshake")
_RESET_BEFORE_SENT = ProbeResult(Code.L7RSP, "reset by the peer before the request was sent")
_LINGER = struct.pack("ii", 1, 0)


class Ended(Exception):
    """A probe ended below HTTP, with this result."""

    def __init__(self, result: ProbeResult) -> None:
        super().__init__(str(result))
        self.result = result


class CoreStream(httpcore.AsyncNetworkStream):
    """A stream of anyio's as httpcore wants it. The engine keeps the time, so time-outs are left alone."""

    def __init__(self, stream: ByteStream, server_name: str) -> None:
        self._stream = stream
        self._server_name = server_name

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        try:
            return await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except (ssl.SSLError, anyio.BrokenResourceError) as error:
            raise Ended(_broken(error, RESET_EARLY)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        if not buffer:
            return
        try:
            await self._stream.send(buffer)
        except (ssl.SSLError, anyio.BrokenResourceError) as error:
            raise Ended(_broken(error, _RESET_BEFORE_SENT)) from error

    async def aclose(self) -> None:
        # TLS is not shut down in order: the peer might never answer.
        stream = self._stream
        while isinstance(stream, TLSStream):
            stream = stream.transport_stream  # type: ignore[assignment]  # a ByteStream: we made it
        await stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        try:
            secure = await TLSStream.wrap(
                self._stream,
                server_side=False,
                hostname=self._server_name,  # httpcore knows no other name than the address inside a tunnel
                ssl_context=ssl_context,
                standard_compatible=False,
            )
        except (ssl.SSLError, ssl.CertificateError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            await self.aclose()
            raise Ended(_broken(error, _HANDSHAKE_CLOSED)) from error
        return CoreStream(secure, self._server_name)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.extra(TLSAttribute.ssl_object, None) if info == "ssl_object" else None  # noqa: S610 - anyio's, no ORM's


class TargetNetwork(httpcore.AsyncNetworkBackend):
    """Connects with the sockets of one target. Hosts are addresses here: nothing is looked up."""

    def __init__(self, target: Target) -> None:
        if target.sockets is None:
            raise RuntimeError("a target without sockets cannot be probed with engine: httpx")
        self._sockets: Sockets = target.sockets
        self.server_name = ""
        """The name for TLS on connections made from now on."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        sock = self._sockets.open()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            await _connect(sock, (host, port))
        except BaseException:
            sock.close()
            raise
        return CoreStream(await SocketStream.from_socket(sock), self.server_name)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


async def _connect(sock: socket.socket, address: tuple[str, int]) -> None:
    error = sock.connect_ex(address)
    if error in (errno.EINPROGRESS, errno.EAGAIN):
        await anyio.wait_writable(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise Ended(connect_failed(error))


def _broken(error: Exception, otherwise: ProbeResult) -> ProbeResult:
    """The failure that an exception of a stream stands for: of TLS, or else this one."""
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    return tls_failed(cause) if isinstance(cause, ssl.SSLError) else otherwise
