"""Probes over one connection, for `--keepalive`. The engine opens one for each probe, so asyncio keeps this one.

Also chooses a checker for each VIP.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

import anyio
import attrs
import h11

from maglev.api import AsyncChecker, ProbeResult, Sockets, Target
from maglev_tester.probes.checkers import HttpChecker, HttpVipChecker, TcpChecker, VipChecker, tls_context
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Kind

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_READ_SIZE = 65_536


@attrs.frozen
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    protocol: h11.Connection | None = None
    """The state after the exchange before."""

    async def is_idle(self) -> bool:
        """Whether the peer has neither closed the connection nor sent what nobody asked for."""
        with anyio.move_on_after(0):
            await self.reader.read(1)
            return False
        return True


class KeepaliveChecker(HttpVipChecker, AsyncChecker):
    """Sends a GET over the connection of the probe before, or over a new one if that cannot be used again."""

    name = "http-keepalive"
    _kept: _Connection | None = None

    async def probe(self, target: Target) -> ProbeResult:
        """Probe once; the engine judges an `OSError`, of TLS too."""
        connection, self._kept = self._kept, None
        try:
            if connection is not None and not await connection.is_idle():
                connection.writer.transport.abort()
                connection = None
            if connection is None:
                connection = await self._open(target)
            return await self._ask(connection)
        finally:
            if connection is not None and self._kept is None:
                connection.writer.transport.abort()

    async def aclose(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.writer.transport.abort()

    async def _open(self, target: Target) -> _Connection:
        self.waiting_for = "connecting"
        sock = cast("Sockets", target.sockets).open()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            await asyncio.get_running_loop().sock_connect(sock, target.sockaddr)
        except BaseException:
            sock.close()
            raise
        self.waiting_for = "waiting for the TLS handshake"
        context, name = (self.secure.context, self.secure.server_name) if self.secure else (None, None)
        return _Connection(*await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name))

    async def _ask(self, connection: _Connection) -> ProbeResult:
        self.waiting_for = "waiting for the answer"
        exchange = self.exchange(connection=connection.protocol)
        connection.writer.write(exchange.request())
        answer = None
        while answer is None:
            data = await connection.reader.read(_READ_SIZE)
            answer = exchange.receive(data) if data else exchange.closed()
        if (protocol := exchange.next_connection()) is not None:
            self._kept = attrs.evolve(connection, protocol=protocol)
        return self.keep(answer)


def checkers_of(settings: ProbeSettings) -> tuple[VipChecker, ...]:
    """Make a checker for each VIP, in their order."""
    http = KeepaliveChecker if settings.keepalive else HttpChecker
    secure = tls_context(settings) if any(vip.kind is Kind.HTTPS for vip in settings.vips) else None
    return tuple(
        TcpChecker(vip) if vip.kind is Kind.TCP else http(vip, settings, secure if vip.kind is Kind.HTTPS else None)
        for vip in settings.vips
    )
