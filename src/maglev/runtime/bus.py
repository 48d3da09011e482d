"""The event bus: every event gets a number and goes to whoever wants it, and nobody can slow the publisher down.

Publishing is a plain function call that appends to each subscriber's buffer. A subscriber that does not keep up loses
its oldest events and is told how many. Not to keep up means both: more events wait for it than its buffer has room for,
and the oldest has waited for long. An outage makes any number of events at one moment, and nobody is late by that.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

import anyio
import attrs

from maglev.api import (
    BackendEvent,
    Delivery,
    Event,
    EventFilter,
    EventKind,
    FrontendEvent,
    LogEvent,
    ProbeEvent,
    SyncEvent,
    WeightEvent,
)

LATE_S = 2.0
"""How long an event waits for a reader before it may be dropped for a newer one, in seconds."""
MOST_KEPT = 262_144
"""Events kept for one reader, however young: references to events that all readers share, some 2 MiB."""


class Subscriber:
    """One reader's end of the bus; an `EventStream`.

    Args:
        wanted: What to deliver.
        buffer: How many undelivered events are kept once the reader is late, at least 1.
    """

    def __init__(self, wanted: EventFilter, buffer: int) -> None:
        self.wanted = wanted
        self._all = not (wanted.backends or wanted.frontends)
        self._buffer = max(1, buffer)
        self._waiting: deque[tuple[float, Delivery]] = deque()
        self._lost = 0
        self._wake: anyio.Event | None = None
        self._closed = False

    def offer(self, now_s: float, delivery: Delivery) -> None:
        """Keep an event of a kind that is wanted; the oldest ones make room if the reader is late.

        Args:
            now_s: When it was published, in seconds of a monotonic clock.
            delivery: The event, the same object for all subscribers.
        """
        event = delivery.event
        if not (self._all and event.kind is not EventKind.LOG) and not is_wanted(self.wanted, event):
            return
        waiting = self._waiting
        while len(waiting) >= self._buffer and (waiting[0][0] < now_s - LATE_S or len(waiting) >= MOST_KEPT):
            waiting.popleft()
            self._lost += 1
        waiting.append((now_s, delivery))
        if self._wake is not None:
            self._rouse()

    def close(self) -> None:
        """No more events come: the reader ends once it has read what is left."""
        self._closed = True
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None:
            self._wake.set()
            self._wake = None

    async def batch(self) -> Sequence[Delivery]:
        """Wait for at least one delivery and return all that are there; empty when the bus has closed."""
        while not self._waiting and not self._closed:
            if self._wake is None:
                self._wake = anyio.Event()
            await self._wake.wait()
        batch = [delivery for _at_s, delivery in self._waiting]
        self._waiting.clear()
        if batch and self._lost:
            # Only the oldest are dropped, so all that were lost came before the first that is left.
            batch[0], self._lost = attrs.evolve(batch[0], lost=self._lost), 0
        return batch

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        while batch := await self.batch():
            for delivery in batch:
                yield delivery


def is_wanted(wanted: EventFilter, event: Event) -> bool:
    """Whether a filter lets an event through."""
    if event.kind not in wanted.kinds:
        return False
    match event:
        case LogEvent():
            return _level(event.level) >= _level(wanted.log_level)
        case BackendEvent() | ProbeEvent():
            return not wanted.backends or event.backend in wanted.backends
        case FrontendEvent():
            return not wanted.frontends or event.frontend in wanted.frontends
        case WeightEvent():
            return (not wanted.frontends or event.frontend in wanted.frontends) and (
                not wanted.backends or event.backend in wanted.backends
            )
        case SyncEvent():
            # One that is for all frontends names none.
            return not (wanted.frontends and event.frontends) or not wanted.frontends.isdisjoint(event.frontends)
        case _:
            return True


def _level(name: str) -> int:
    return logging.getLevelNamesMapping().get(name.upper(), logging.INFO)


class Bus:
    """Numbers events and hands them to subscribers.

    Args:
        clock_s: A monotonic clock in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.sequence = 0
        self._clock_s = clock_s
        self._subscribers: list[Subscriber] = []
        self._by_kind: dict[EventKind, list[Subscriber]] = {}
        self._closed = False
        self._left: anyio.Event | None = None

    def wants(self, kind: EventKind) -> bool:
        """Whether anybody listens to this kind, so that costly events need not be made for nobody."""
        return kind in self._by_kind

    def publish(self, event: Event) -> None:
        """Give an event the next number and hand it to everybody who wants it. Never waits and never raises."""
        self.sequence += 1
        readers = self._by_kind.get(event.kind)
        if not readers:
            return
        now_s, delivery = self._clock_s(), Delivery(self.sequence, event)
        for reader in readers:
            reader.offer(now_s, delivery)

    @contextmanager
    def subscribe(self, wanted: EventFilter, buffer: int) -> Iterator[Subscriber]:
        """Listen while the context lasts; only events published inside it are seen."""
        subscriber = Subscriber(wanted, buffer)
        if self._closed:
            subscriber.close()
        self._subscribers.append(subscriber)
        self._sort()
        try:
            yield subscriber
        finally:
            self._subscribers.remove(subscriber)
            subscriber.close()
            self._sort()
            if not self._subscribers and self._left is not None:
                self._left.set()

    def close(self) -> None:
        """End every subscription, once each reader has read what is left; later ones end at once."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.close()

    async def drained(self) -> None:
        """Wait until every subscription has been left: after `close`, until every reader has read what was left."""
        while self._subscribers:
            self._left = anyio.Event()
            await self._left.wait()

    def _sort(self) -> None:
        self._by_kind = {}
        for subscriber in self._subscribers:
            for kind in subscriber.wanted.kinds:
                self._by_kind.setdefault(kind, []).append(subscriber)
