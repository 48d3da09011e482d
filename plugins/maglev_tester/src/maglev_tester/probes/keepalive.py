"""Probes over one connection, for `--keepalive`. The engine opens one for each probe, so asyncio keeps this one."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import cast

import h11

from maglev.api import AsyncChecker, ProbeResult, Sockets, Target
from maglev.probing import connect_failed, tls_failed
from maglev_tester.probes.answer import Answer
from maglev_tester.probes.checkers import HttpVipChecker
from maglev_tester.probes.exchange import Exchange
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Vip

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class KeepaliveChecker(HttpVipChecker, AsyncChecker):
    """Sends a GET over the connection of the probe before, or over a new one if that cannot be used again."""

    name = "http-keepalive"

    def __init__(self, vip: Vip, settings: ProbeSettings, context: ssl.SSLContext | None) -> None:
        super().__init__(vip, settings, context)
        self._kept: KeptConnection | None = None

    async def probe(self, target: Target) -> ProbeResult:
        """Probe once."""
        connection, self._kept = self._kept, None
        try:
            if connection is None or not connection.usable:
                connection = await self._open(target)
            self.waiting_for = "waiting for the answer"
            answer = await connection.ask(self.exchange(connection=connection.protocol))
            self._kept = connection
            return self.keep(answer)
        except ssl.SSLError as error:
            return tls_failed(error)
        except OSError as error:
            return connect_failed(error.errno or 0)
        finally:
            if connection is not None and not (self._kept and connection.usable):
                connection.close()

    async def aclose(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.close()

    async def _open(self, target: Target) -> KeptConnection:
        loop = asyncio.get_running_loop()
        self.waiting_for = "connecting"
        sock = cast("Sockets", target.sockets).open()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            await loop.sock_connect(sock, target.sockaddr)
        except BaseException:
            sock.close()
            raise
        self.waiting_for = "waiting for the TLS handshake"
        context, name = (self.secure.context, self.secure.server_name) if self.secure else (None, None)
        return (await loop.create_connection(KeptConnection, sock=sock, ssl=context, server_hostname=name))[1]


class KeptConnection(asyncio.Protocol):
    """Carries one exchange after the other."""

    def __init__(self) -> None:
        self.protocol: h11.Connection | None = None
        """h11's state after the exchange before."""
        self.usable = True
        """Whether another exchange can follow."""
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._answer: asyncio.Future[Answer] | None = None

    async def ask(self, exchange: Exchange) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            OSError: The connection broke.
        """
        self._exchange = exchange
        self._answer = asyncio.get_running_loop().create_future()
        cast("asyncio.Transport", self._transport).write(exchange.request())
        answer = await self._answer
        self.protocol, self._exchange = exchange.next_connection(), None
        self.usable = self.usable and self.protocol is not None
        return answer

    def close(self) -> None:
        """Close the connection at once."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        answer = self._exchange.receive(data) if self._exchange else None
        if answer is not None:
            self._end(answer)
        elif self._exchange is None:  # the peer sent what nobody asked for
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        if error is not None:
            self._end(error)
        elif self._exchange is not None:
            self._end(self._exchange.closed())

    def _end(self, how: Answer | Exception) -> None:
        if self._answer is None or self._answer.done():
            return
        if isinstance(how, Answer):
            self._answer.set_result(how)
        else:
            self._answer.set_exception(how)
