"""Limits how long a request's head may take, and an answer's reading, so that slow clients do not hold connections."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from maglev.doors import Door, host_of
from maglev.listening import unmapped

Network = IPv4Network | IPv6Network

HEAD_WITHIN_S = 20.0
"""How long the head of a request may take from when it is waited for, in seconds."""
TAKEN_WITHIN_S = 60.0
"""How long a client may take to read what was sent to it at once, in seconds."""


class LimitedHeadTime(H11Protocol):
    """Closes a connection whose next request does not come in time, and breaks one whose client does not read.

    Args:
        uvicorns: uvicorn's own arguments, and `others`.
        door: Counts connections; one that does not get in is closed at once.
        trusted: Networks of proxies: whoever comes through them is not one host.
    """

    def __init__(
        self, *uvicorns: Any, door: Door[LimitedHeadTime], trusted: Collection[Network] = (), **others: Any
    ) -> None:
        super().__init__(*uvicorns, **others)
        self._door = door
        self._trusted = trusted

    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(transport)
        leaving = self._door.enter(self, self._host(transport))
        if leaving is not None:
            leaving.transport.abort()
        transport.set_write_buffer_limits(high=1, low=0)  # whatever is left unread is noticed
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._door.leave(self)
        self._forget()
        self.resume_writing()
        super().connection_lost(exc)

    def _host(self, transport: asyncio.Transport) -> Hashable:
        address = (transport.get_extra_info("peername") or ("",))[0]
        if not address or not self._trusted:
            return host_of(address)
        parsed = ip_address(unmapped(address))
        return self if any(parsed in network for network in self._trusted) else host_of(address)

    def pause_writing(self) -> None:
        """Wait until the client has read what was sent. Closing waits for that too, without end."""
        super().pause_writing()
        self._unread = self.loop.call_later(TAKEN_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no longer: all is read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a head, or no longer once it is there."""
        super().data_received(data)
        self._judge()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._judge()

    def _judge(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self._watch()
        else:
            self._forget()

    def _watch(self) -> None:
        # What has begun is not made longer by another byte.
        if self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _forget(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
