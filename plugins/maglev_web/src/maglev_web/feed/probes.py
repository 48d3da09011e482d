"""Follows the probes of a daemon's backends: of all where there are few, else of those that a page shows."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Container, Iterable

from maglev.api import EventFilter, EventKind
from maglev_grpc.client import Client
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed.on_demand import OnDemandStream
from maglev_web.feed.state import State

AT_MOST = 300
"""Backends whose probes are followed at once: thousands of results a second would cost the daemon dearly, and every
browser too."""
FOLLOWED_S = 30.0
"""A backend is followed this long after it was last asked for; pages ask every ten seconds."""
KEPT = 90
"""Probes of each backend that a page which is opened now can still draw."""

Probe = tuple[float, float, str]
"""Seconds since the epoch, milliseconds, code."""


class ProbeHistory:
    """Keeps the newest probes of each backend, and those that were not handed on yet."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Probe]] = {}
        self._fresh: dict[str, list[Probe]] = {}

    def add(self, event: pb.ProbeEvent) -> None:
        """Take a probe's end; of its start there is nothing to keep."""
        if event.HasField("result"):
            probe = (round(event.at_s, 3), round(event.result.duration_ns / 1e6, 3), event.result.code)
            self._kept.setdefault(event.backend, deque(maxlen=KEPT)).append(probe)
            self._fresh.setdefault(event.backend, []).append(probe)

    def take(self) -> dict[str, list[Probe]]:
        """Take the new probes, by backend."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def kept(self, names: Container[str] | None = None) -> dict[str, list[Probe]]:
        """All that is kept, by backend; only of these, if they are named."""
        return {name: list(probes) for name, probes in self._kept.items() if names is None or name in names}

    def forget(self, names: Container[str]) -> None:
        """Drop backends that are in `names` no longer."""
        for name in [name for name in self._kept if name not in names]:
            del self._kept[name]


class FollowedBackends:
    """The names that were asked for last.

    Args:
        most: How many there may be.
        kept_s: How long a name is kept unless it is asked for again, in seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, most: int, *, kept_s: float = FOLLOWED_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._kept_s = kept_s
        self._clock = clock
        self._ends_s: OrderedDict[str, float] = OrderedDict()

    def ask(self, names: Iterable[str]) -> None:
        """Follow these, the most important first."""
        asked = list(dict.fromkeys(names))[: self._most]
        for name in reversed(asked):
            self._ends_s.pop(name, None)
            self._ends_s[name] = self._clock() + self._kept_s
        while len(self._ends_s) > self._most:
            self._ends_s.popitem(last=False)

    def now(self) -> frozenset[str]:
        """Those that are followed now."""
        now_s = self._clock()
        while self._ends_s and next(iter(self._ends_s.values())) <= now_s:
            self._ends_s.popitem(last=False)
        return frozenset(self._ends_s)


class Probes:
    """Follows the probes of one daemon."""

    def __init__(self, client: Client, state: State, connected: Callable[[], bool]) -> None:
        self.history = ProbeHistory()
        self._state = state
        self._connected = connected
        self._followed = FollowedBackends(AT_MOST)
        self._stream = OnDemandStream(client, self._wanted, lambda event: self.history.add(event.probe))

    async def run(self) -> None:
        """Follow what is asked for, if anything is, until something else is or the connection ends."""
        wanted = self._wanted()
        if not self._all:
            # What is followed no longer would have gaps when it is followed again.
            self.history.forget(wanted.backends if wanted else frozenset[str]())
        if wanted is not None:
            await self._stream.run()

    def follow(self, names: Collection[str]) -> dict[str, list[Probe]]:
        """Follow these backends for a while, the most important first, and tell what is kept of them."""
        if not self._all:
            self._followed.ask(names)
            self.review()
        return self.history.kept(set(names))

    def review(self) -> None:
        """Follow others if others are asked for now."""
        self._stream.review()

    @property
    def _all(self) -> bool:
        return len(self._state.backends) <= AT_MOST

    def _wanted(self) -> EventFilter | None:
        names = frozenset[str]() if self._all else self._followed.now() & self._state.backends.keys()
        if not self._connected() or not (names or self._all):
            return None
        return EventFilter(frozenset({EventKind.PROBE}), backends=names)
