"""Which probes of a daemon are followed: all where there are few backends, else those that somebody looks at."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from maglev import api
from maglev_grpc.client import Client
from maglev_web.feed.beats import Beats
from maglev_web.feed.mirror import Mirror
from maglev_web.feed.tap import Tap
from maglev_web.feed.wishes import Wishes

AT_MOST = 300
"""Backends whose probes are followed at once: thousands of results a second would cost the daemon dearly, and every
browser too."""


class Probes:
    """The heartbeats of one daemon.

    Args:
        client: Of the daemon.
        mirror: Of the daemon.
        connected: Whether the daemon can be asked.
    """

    def __init__(self, client: Client, mirror: Mirror, connected: Callable[[], bool]) -> None:
        self.beats = Beats()
        self._mirror = mirror
        self._connected = connected
        self._wishes = Wishes(AT_MOST)
        self._tap = Tap(client, self._wanted, self._take)

    async def run(self) -> None:
        """Follow what is wanted, if anything is, until something else is wanted or the connection ends."""
        wanted = self._wanted()
        if not self._all:
            # What is followed no longer would have gaps when it is followed again.
            self.beats.forget(wanted.backends if wanted else frozenset[str]())
        if wanted is not None:
            await self._tap.run()

    def look_at(self, names: Collection[str]) -> dict[str, Any]:
        """Follow these backends for a while, the most important first, and tell what is kept of them."""
        if not self._all:
            self._wishes.wish(names)
            self.review()
        return self.beats.kept(set(names))

    def review(self) -> None:
        """Follow others if others are wanted now."""
        self._tap.review()

    @property
    def _all(self) -> bool:
        return len(self._mirror.backends) <= AT_MOST

    def _wanted(self) -> api.EventFilter | None:
        names = frozenset[str]() if self._all else self._wishes.now() & self._mirror.backends.keys()
        if not self._connected() or not (names or self._all):
            return None
        return api.EventFilter(frozenset({api.EventKind.PROBE}), backends=names)

    def _take(self, delivery: api.Delivery) -> None:
        if isinstance(delivery.event, api.ProbeEvent):
            self.beats.add(delivery.event)
