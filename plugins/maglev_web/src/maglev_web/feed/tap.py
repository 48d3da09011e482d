"""A stream of events that costs the daemon something, and is asked for only while somebody wants it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

import anyio

from maglev import api
from maglev_grpc.client import Client
from maglev_grpc.convert import read_event, watch_request
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb


class Tap:
    """Runs while it is wanted, and no longer.

    Args:
        client: Of the daemon.
        wanted: Which events are wanted now; `None`: none.
        take: Takes an event as it is delivered.
    """

    def __init__(
        self, client: Client, wanted: Callable[[], api.EventFilter | None], take: Callable[[api.Delivery], None]
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._take = take
        self._running: tuple[api.EventFilter, anyio.CancelScope] | None = None

    async def run(self) -> None:
        """Ask for what is wanted, if anything is, and take it until something else is wanted or the stream ends."""
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
                            self._take(read_event(event).delivery)
            finally:
                self._running = None

    def review(self) -> None:
        """End the stream if it is not what is wanted now."""
        if self._running is not None and not serves(self._running[0], self._wanted()):
            self._running[1].cancel()


def serves(asked: api.EventFilter, wanted: api.EventFilter | None) -> bool:
    """Whether who asked for `asked` gets all that is `wanted`, of the same kinds; more backends do no harm."""
    if wanted is None or asked.kinds != wanted.kinds or asked.log_level != wanted.log_level:
        return False
    if not asked.backends or not wanted.backends:
        return asked.backends == wanted.backends
    return wanted.backends <= asked.backends
