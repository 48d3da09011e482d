"""The event bus: every event gets a number and goes to whoever wants it, and nobody can slow the publisher down.

Publishing is a plain function call that touches each subscriber's bounded buffer. A subscriber that does not keep up
loses its oldest events and is told how many.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import anyio

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


class Subscriber:
    """One reader's end of the bus; an `EventStream`.

    Args:
        wanted: What to deliver.
        buffer: How many undelivered events are kept, at least 1.
    """

    def __init__(self, wanted: EventFilter, buffer: int) -> None:
        self.wanted = wanted
        self._buffer = max(1, buffer)
        self._waiting: deque[Delivery] = deque()
        self._lost = 0
        self._wake: anyio.Event | None = None
        self._closed = False

    def offer(self, sequence: int, event: Event) -> None:
        """Keep an event if it is wanted, at the cost of the oldest one if there is no room."""
        if not is_wanted(self.wanted, event):
            return
        if len(self._waiting) >= self._buffer:
            self._lost += 1 + self._waiting.popleft().lost
        lost, self._lost = (self._lost, 0) if not self._waiting else (0, self._lost)
        self._waiting.append(Delivery(sequence, event, lost))
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
        batch = list(self._waiting)
        self._waiting.clear()
        if batch and self._lost:
            batch[0], self._lost = Delivery(batch[0].sequence, batch[0].event, batch[0].lost + self._lost), 0
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
    """Numbers events and hands them to subscribers."""

    def __init__(self) -> None:
        self.sequence = 0
        self._subscribers: list[Subscriber] = []
        self._kinds: frozenset[EventKind] = frozenset()
        self._closed = False
        self._left: anyio.Event | None = None

    def wants(self, kind: EventKind) -> bool:
        """Whether anybody listens to this kind, so that costly events need not be made for nobody."""
        return kind in self._kinds

    def publish(self, event: Event) -> None:
        """Give an event the next number and hand it to everybody who wants it. Never waits and never raises."""
        self.sequence += 1
        if event.kind not in self._kinds:
            return
        for subscriber in self._subscribers:
            subscriber.offer(self.sequence, event)

    @contextmanager
    def subscribe(self, wanted: EventFilter, buffer: int) -> Iterator[Subscriber]:
        """Listen while the context lasts; only events published inside it are seen."""
        subscriber = Subscriber(wanted, buffer)
        if self._closed:
            subscriber.close()
        self._subscribers.append(subscriber)
        self._count_kinds()
        try:
            yield subscriber
        finally:
            self._subscribers.remove(subscriber)
            subscriber.close()
            self._count_kinds()
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

    def _count_kinds(self) -> None:
        self._kinds = frozenset().union(*(subscriber.wanted.kinds for subscriber in self._subscribers))
