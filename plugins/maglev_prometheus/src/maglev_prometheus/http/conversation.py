"""One connection: requests in, responses out, and a deadline on everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import urlsplit

import anyio
import anyio.abc
import attrs
import h11

from maglev_prometheus.http.guests import Guest, Phase
from maglev_prometheus.http.messages import Application, Request, Response, plain

LARGEST_HEAD = 16 * 1024
PIECE = 64 * 1024
"""Bytes given to the connection at a time; what counts as progress of a reader."""


@attrs.frozen
class Timings:
    """How long a client may take, in seconds.

    Args:
        first_s: From the connection to the first byte of the first request, and for a TLS handshake.
        head_s: For the whole head of a request, from its first byte.
        idle_s: Between two requests; longer than the usual scrape intervals.
        response_s: To take a whole response.
        stall_s: To take one piece of it, when others want the place.
    """

    first_s: float = 10.0
    head_s: float = 5.0
    idle_s: float = 180.0
    response_s: float = 30.0
    stall_s: float = 1.0


class Conversation:
    """Serves one connection.

    Args:
        stream: The connection.
        guest: Its place.
        application: Answers.
        timings: How long the client may take.
    """

    def __init__(self, stream: anyio.abc.ByteStream, guest: Guest, application: Application, timings: Timings) -> None:
        self._stream = stream
        self._guest = guest
        self._application = application
        self._timings = timings
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)

    async def run(self) -> None:
        """Answer until the client has had enough, breaks the rules or takes too long.

        Raises:
            anyio.BrokenResourceError: The connection broke.
        """
        wait_s = self._timings.first_s
        while True:
            try:
                request = await self._request(wait_s)
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                return
            if request is None:
                return
            self._guest.is_now(Phase.WORKING)
            response = await self._application(request)
            if not await self._respond(response, head_only=request.method == "HEAD") or not self._again():
                return
            self._guest.is_now(Phase.IDLE)
            wait_s = self._timings.idle_s

    async def _request(self, wait_s: float) -> Request | None:
        event = self._http.next_event()
        if event is h11.NEED_DATA:
            with anyio.move_on_after(wait_s) as waiting:
                await self._hear()
            if waiting.cancelled_caught:
                return None
            event = self._http.next_event()
        with anyio.move_on_after(self._timings.head_s):
            while event is h11.NEED_DATA:
                await self._hear()
                event = self._http.next_event()
        return _read(event) if isinstance(event, h11.Request) else None

    async def _hear(self) -> None:
        try:
            data = await self._stream.receive(PIECE)
        except anyio.EndOfStream:
            data = b""
        self._http.receive_data(data)

    async def _respond(self, response: Response, *, head_only: bool) -> bool:
        """Send a response; returns whether the client took it in time."""
        self._guest.is_now(Phase.SENDING)
        with anyio.move_on_after(self._timings.response_s):
            await self._stream.send(self._http.send(self._head(response)))
            for piece in () if head_only else _pieces(response.body):
                await self._stream.send(self._http.send(h11.Data(data=piece)) or b"")
                self._guest.is_now(Phase.SENDING)
            if end := self._http.send(h11.EndOfMessage()):
                await self._stream.send(end)
            return True
        return False

    def _head(self, response: Response) -> h11.Response:
        headers = {
            "Date": formatdate(usegmt=True),
            "Content-Type": response.content_type,
            "Content-Length": str(sum(map(len, response.body))),
            **response.headers,
        }
        if not self._whole():
            headers["Connection"] = "close"
        reason = HTTPStatus(response.status).phrase
        return h11.Response(status_code=response.status, headers=list(headers.items()), reason=reason)

    def _whole(self) -> bool:
        """Whether the request is all here: who sends a body is not listened to, and not heard again."""
        if self._http.their_state is h11.SEND_BODY:
            try:
                self._http.next_event()
            except h11.RemoteProtocolError:
                return False
        return self._http.their_state is h11.DONE

    def _again(self) -> bool:
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def _refuse(self, status: int) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._respond(plain(status, HTTPStatus(status).phrase, {"Connection": "close"}), head_only=False)


def _read(event: h11.Request) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in event.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(event.method.decode("latin-1"), _path(event.target.decode("latin-1")), headers)


def _path(target: str) -> str:
    if target.startswith("/"):
        return target.partition("?")[0]
    try:
        return urlsplit(target).path or "/"
    except ValueError:
        return target


def _pieces(body: Sequence[bytes]) -> Iterator[bytes]:
    for part in body:
        for at in range(0, len(part), PIECE):
            yield part[at : at + PIECE]
