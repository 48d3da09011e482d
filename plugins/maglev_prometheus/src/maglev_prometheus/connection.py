"""One connection of the HTTP server: uvicorn's HTTP/1.1 with a deadline on everything that a client does."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from email.utils import formatdate
from enum import IntEnum

import anyio
import attrs
import h11
import uvicorn
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

log = logging.getLogger("maglev.prometheus.http")

_SCHEME_AND_HOST = re.compile("^[A-Za-z]+://[^/]*")
"""What stands before the path in a request that is meant for a proxy."""


@attrs.frozen
class Timings:
    """Time limits for a client, in seconds.

    Args:
        first_s: From the connection to the first byte of the first request, and for a TLS handshake.
        head_s: For the whole head of a request, from its first byte.
        idle_s: Between two requests; longer than the usual scrape intervals.
        response_s: From a request until its response was taken whole.
        stall_s: To take the next piece of a response, when another client needs the place.
    """

    first_s: float = 10.0
    head_s: float = 5.0
    idle_s: float = 180.0
    response_s: float = 30.0
    stall_s: float = 1.0


class Phase(IntEnum):
    """The phase of a connection. If there are too many connections, the lowest phase is closed first."""

    NEW = 0
    """It has sent no complete request yet."""
    IDLE = 1
    """Its request was answered, and it may send another."""
    SENDING = 2
    """It is being sent a response."""
    WORKING = 3
    """Its response is being made."""


class Connection(H11Protocol):
    """One connection; `ended` is called with it once it is closed."""

    # None until the first request: uvicorn does not say so.
    cycle: RequestResponseCycle | None  # type: ignore[assignment]

    def __init__(
        self, config: uvicorn.Config, state: ServerState, timings: Timings, ended: Callable[[Connection], None]
    ) -> None:
        super().__init__(config, state, {})
        self.logger = log
        self.opening = anyio.CancelScope()
        """Holds the TLS handshake, during which uvicorn does not know of the connection."""
        self.since_s = self.loop.time()
        """When the client last did something, on the clock of the event loop."""
        self.host = ""
        """Whose it is, as `maglev.doors.host_of` says."""
        self._timings = timings
        self._ended = ended
        self._deadline: asyncio.TimerHandle | None = None
        self._head_begun = False

    @property
    def is_open(self) -> bool:
        """Whether it got as far as to be served: a TLS handshake is over."""
        return self.flow is not None

    @property
    def phase(self) -> Phase:
        """The phase that the connection is in."""
        if self.cycle is None:
            return Phase.NEW
        if self.cycle.response_complete:
            return Phase.IDLE
        return Phase.SENDING if self.cycle.response_started else Phase.WORKING

    def can_be_closed(self, stalled_before_s: float) -> bool:
        """Whether it may be closed in favour of another client; `least_useful` explains the argument."""
        if self.phase is Phase.SENDING:
            return self.flow.write_paused and self.since_s < stalled_before_s
        return self.phase is not Phase.WORKING

    def abort(self) -> None:
        """Close it at once, whatever is not sent yet."""
        self.opening.cancel()
        if self.is_open:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first byte."""
        super().connection_made(transport)
        self._limit(self._timings.first_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._limit(None)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        self._ended(self)

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of the head; once it is complete, for the end of the response."""
        self.since_s = self.loop.time()
        self.server_state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        before = self.cycle
        if self.phase < Phase.SENDING and not self._head_begun:
            self._head_begun = True
            self._limit(self._timings.head_s)
        super().data_received(data)
        self._request_begins(before)

    def _request_begins(self, before: RequestResponseCycle | None) -> None:
        if self.cycle is before:
            return
        self._head_begun = False
        self._limit(self._timings.response_s)
        self.scope["path"] = _SCHEME_AND_HOST.sub("", self.scope["path"]) or "/"
        if self.conn.their_state is h11.SEND_BODY:
            self.headers.append(CLOSE_HEADER)  # no page takes a body, so none is read

    def on_response_complete(self) -> None:
        """Wait for the next request; if none may come, for the client to take what is left of the response."""
        before = self.cycle
        if not self.transport.is_closing():
            self._limit(None)  # uvicorn's own timer runs until the first byte
        super().on_response_complete()
        self.since_s = self.loop.time()
        self._request_begins(before)

    def timeout_keep_alive_handler(self) -> None:
        """End the wait for the next request. A client that has not read the last response is not waited for."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, unless the answer to an earlier request is on its way."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # whatever is sent to a client that is gone is dropped
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Note that the client does not take what it is sent."""
        super().pause_writing()
        self.since_s = self.loop.time()

    def resume_writing(self) -> None:
        """Note that it took some of it."""
        super().resume_writing()
        self.since_s = self.loop.time()

    def _limit(self, within_s: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if within_s is None else self.loop.call_later(within_s, self.transport.abort)


def least_useful(connections: Iterable[Connection], stalled_before_s: float) -> Connection | None:
    """Choose the connection to close when another client needs its place; `None` if all are in good use.

    A scraper must be served however many others hold connections open. So connections without a request are closed
    first, then those that wait for another request, then those that do not read their response.

    Args:
        connections: All connections.
        stalled_before_s: A client that has taken nothing of its response since then may be disconnected.
    """
    candidates = (connection for connection in connections if connection.can_be_closed(stalled_before_s))
    return min(candidates, key=lambda connection: (connection.phase, connection.since_s), default=None)
