"""HTTP and HTTPS as httpx speaks of them, over connections that cost little.

`LeanTransport` takes the place of httpx's own transport, whose pool and layers cost about a millisecond of CPU a probe:
with it one core bears two thousand probes a second. There is one for each VIP and no pool. It speaks HTTP/1.1 and sends
plain GETs; the reading of answers is left to h11, as in httpx.
"""

from __future__ import annotations

import ssl

import h11
import httpx

from maglev_tester.probes.network import Connection, connect

MAX_BODY = 65_536
"""So much of a body is read, in bytes; a longer one is good all the same, and its connection is closed."""


class AnswerCut(Exception):
    """The peer ended the connection before its answer was complete."""


class LeanTransport(httpx.AsyncBaseTransport):
    """Carries requests to one VIP, one at a time.

    Args:
        address: Of the VIP; names in URLs are not looked up.
        port: Of the VIP.
        context: For HTTPS; shared by all VIPs.
        server_name: Who the certificate must be for.
        keepalive: Keep a connection for the next request.
    """

    def __init__(
        self, address: str, port: int, context: ssl.SSLContext | None, server_name: str, *, keepalive: bool = False
    ) -> None:
        self.doing = ""
        """What is being waited for, in words."""
        self._address = address
        self._port = port
        self._context = context
        self._server_name = server_name
        self._keepalive = keepalive
        self._kept: tuple[Connection, h11.Connection] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer.

        Raises:
            OSError: The connection did not come about, or broke; `ssl.SSLError` is one.
            AnswerCut: The peer closed it too early.
            h11.RemoteProtocolError: The answer is not HTTP/1.
        """
        connection, protocol = self._reused() or await self._opened()
        keep = False
        try:
            self.doing = "waiting for the answer"
            await connection.send(_serialised(request, protocol))
            response, complete = await _answer(connection, protocol)
            keep = self._keepalive and complete and protocol.our_state is h11.DONE and protocol.their_state is h11.DONE
        finally:
            if not keep:
                connection.close()
        if keep:
            protocol.start_next_cycle()
            self._kept = (connection, protocol)
        return response

    async def aclose(self) -> None:
        """Close what is open."""
        if self._kept is not None:
            self._kept[0].close()
            self._kept = None

    async def _opened(self) -> tuple[Connection, h11.Connection]:
        self.doing = "connecting"
        connection = await connect(self._address, self._port)
        if self._context is not None:
            self.doing = "shaking hands by TLS"
            try:
                await connection.handshake(self._context, self._server_name)
            except BaseException:
                connection.close()
                raise
        return connection, h11.Connection(h11.CLIENT)

    def _reused(self) -> tuple[Connection, h11.Connection] | None:
        kept, self._kept = self._kept, None
        if kept is not None and not kept[0].idle:
            kept[0].close()
            return None
        return kept


def _serialised(request: httpx.Request, protocol: h11.Connection) -> bytes:
    head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
    return protocol.send(head) + protocol.send(h11.EndOfMessage())


async def _answer(connection: Connection, protocol: h11.Connection) -> tuple[httpx.Response, bool]:
    """Read an answer; returns it, and whether it was read to its end."""
    head: h11.Response | None = None
    size = 0
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            data = await connection.receive()
            if not data and (head is None or not _ends_with_connection(head)):
                raise AnswerCut("in the middle of its answer" if head else "without an answer")
            protocol.receive_data(data)
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            size += len(event.data)
        if head is not None and (isinstance(event, h11.EndOfMessage) or size > MAX_BODY):
            response = httpx.Response(head.status_code, headers=head.headers.raw_items(), stream=httpx.ByteStream(b""))
            return response, size <= MAX_BODY


def _ends_with_connection(head: h11.Response) -> bool:
    framing = {name for name, _ in head.headers}
    return not framing & {b"content-length", b"transfer-encoding"}
