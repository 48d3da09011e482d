"""Watches events that are costly for the daemon, only while somebody needs them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

import anyio

from maglev.api import EventFilter
from maglev_grpc.client import Client
from maglev_grpc.convert import watch_request
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb


class OnDemandStream:
    """Runs while it is needed, and no longer."""

    def __init__(
        self, client: Client, wanted: Callable[[], EventFilter | None], take: Callable[[pb.Event], None]
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._take = take
        self._running: tuple[EventFilter, anyio.CancelScope] | None = None

    async def run(self) -> None:
        """Ask for what is needed, if anything is, and take it until something else is needed or the stream ends."""
        asked = self._wanted()
        if asked is None:
            return
        # The state is known already, and of thousands of backends it is large.
        request = watch_request(asked, pb.INITIAL_STATE_NONE)
        with anyio.CancelScope() as scope:
            self._running = asked, scope
            try:
                async with aclosing(self._client.stream("WatchEvents", request)) as answers:
                    async for answer in answers:
                        for event in answer.events:
                            self._take(event)
            finally:
                self._running = None

    def review(self) -> None:
        """End the stream if it is not what is needed now."""
        if self._running is not None and not covers(self._running[0], self._wanted()):
            self._running[1].cancel()


def covers(asked: EventFilter, wanted: EventFilter | None) -> bool:
    """Whether who asked for `asked` gets all that is `wanted`, of the same kinds; more backends do no harm."""
    if wanted is None or asked.kinds != wanted.kinds or asked.log_level != wanted.log_level:
        return False
    if not asked.backends or not wanted.backends:
        return asked.backends == wanted.backends
    return wanted.backends <= asked.backends
