"""The event bus: every event gets a number and goes to whoever wants it, and nobody can slow the publisher down.

Publishing is a plain function call that appends to one log for each filter in use, however many readers have that
filter: fifty of them that do not read cost no more than one. A reader that does not keep up loses its oldest events and
is told how many. Not to keep up means both: more events wait for it than its buffer has room for, and the oldest has
waited for seconds. An outage makes any number of events at one moment, and nobody is late by that.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile

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

LATE_S = 10.0
"""How long an event waits for a reader before it may be dropped for a newer one, in seconds: longer than a busy daemon
takes to send what two thousand backends do at once."""
MOST_KEPT = 65_536
"""Events kept for the readers with one filter, however young: an outage of ten thousand backends makes some 40 000.
They are references, half a MiB of them; all filters share the events."""


class _Log:
    """The newest events that one filter lets through, for all readers with that filter."""

    def __init__(self, wanted: EventFilter) -> None:
        self.wanted = wanted
        self.readers: list[Subscriber] = []
        self.first = 0
        """The number of the oldest that is kept, counted from the log's beginning."""
        self.kept: deque[tuple[float, Delivery]] = deque()
        self._all = not (wanted.backends or wanted.frontends or EventKind.LOG in wanted.kinds)
        self._wake: anyio.Event | None = None

    @property
    def end(self) -> int:
        """The number of the next one."""
        return self.first + len(self.kept)

    def add(self, entry: tuple[float, Delivery]) -> None:
        """Keep an event of a kind that is wanted; those that no reader can ask for any more make room.

        Args:
            entry: When it was published, in seconds of a monotonic clock, and the event; the same object for all logs.
        """
        now_s, delivery = entry
        if not self._all and not is_wanted(self.wanted, delivery.event):
            return
        kept = self.kept
        kept.append(entry)
        # One buffer's worth for each reader that is late; `Subscriber.batch` decides what is lost.
        if kept[0][0] < now_s - LATE_S or len(kept) > MOST_KEPT:
            self._drop(now_s)
        self.rouse()

    def _drop(self, now_s: float) -> None:
        kept, room = self.kept, max((reader.buffer for reader in self.readers), default=0)
        while len(kept) > MOST_KEPT or (len(kept) > room and kept[0][0] < now_s - LATE_S):
            kept.popleft()
            self.first += 1

    def rouse(self) -> None:
        """Wake the readers that wait."""
        if self._wake is not None:
            self._wake.set()
            self._wake = None

    async def wait(self) -> None:
        """Wait until something is added, or a reader closed."""
        if self._wake is None:
            self._wake = anyio.Event()
        await self._wake.wait()


class Subscriber:
    """One reader's end of the bus; an `EventStream`.

    Args:
        log: Where its events are.
        buffer: How many undelivered events are kept once the reader is late, at least 1.
    """

    def __init__(self, log: _Log, buffer: int) -> None:
        self.buffer = max(1, buffer)
        self._log = log
        self._next = log.end
        self._closed = False

    def close(self) -> None:
        """No more events come: the reader ends once it has read what is left."""
        self._closed = True
        self._log.rouse()

    async def batch(self) -> Sequence[Delivery]:
        """Wait for at least one delivery and return all that are there; empty when the bus has closed."""
        log = self._log
        while self._next == log.end and not self._closed:
            await log.wait()
        start = self._first_left()
        batch = [delivery for _at_s, delivery in islice(log.kept, start - log.first, None)]
        if start > self._next:
            batch[0] = attrs.evolve(batch[0], lost=start - self._next)
        self._next = log.end
        return batch

    def _first_left(self) -> int:
        """The number of the oldest that is not lost: those beyond the buffer are, if the newest is much younger."""
        log, start = self._log, max(self._next, self._log.first)
        if log.end - start <= self.buffer:
            return start
        late_s = log.kept[-1][0] - LATE_S
        beyond = islice(log.kept, start - log.first, len(log.kept) - self.buffer)
        return start + sum(1 for _ in takewhile(lambda entry: entry[0] < late_s, beyond))

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
        self._logs: dict[EventFilter, _Log] = {}
        self._by_kind: dict[EventKind, list[_Log]] = {}
        self._closed = False
        self._left: anyio.Event | None = None

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """The subscribers."""
        return tuple(reader for log in self._logs.values() for reader in log.readers)

    def wants(self, kind: EventKind) -> bool:
        """Whether anybody listens to this kind, so that costly events need not be made for nobody."""
        return kind in self._by_kind

    def publish(self, event: Event) -> None:
        """Give an event the next number and hand it to everybody who wants it. Never waits and never raises."""
        self.sequence += 1
        logs = self._by_kind.get(event.kind)
        if not logs:
            return
        entry = self._clock_s(), Delivery(self.sequence, event)
        for log in logs:
            log.add(entry)

    @contextmanager
    def subscribe(self, wanted: EventFilter, buffer: int) -> Iterator[Subscriber]:
        """Listen while the context lasts; only events published inside it are seen."""
        log = self._logs.get(wanted) or _Log(wanted)
        subscriber = Subscriber(log, buffer)
        log.readers.append(subscriber)
        self._logs[wanted] = log
        self._sort()
        if self._closed:
            subscriber.close()
        try:
            yield subscriber
        finally:
            log.readers.remove(subscriber)
            subscriber.close()
            if not log.readers:
                del self._logs[wanted]
            self._sort()
            if not self._logs and self._left is not None:
                self._left.set()

    def close(self) -> None:
        """End every subscription, once each reader has read what is left; later ones end at once."""
        self._closed = True
        for log in self._logs.values():
            for subscriber in log.readers:
                subscriber.close()

    async def drained(self) -> None:
        """Wait until every subscription has been left: after `close`, until every reader has read what was left."""
        while self._logs:
            self._left = anyio.Event()
            await self._left.wait()

    def _sort(self) -> None:
        self._by_kind = {}
        for log in self._logs.values():
            for kind in log.wanted.kinds:
                self._by_kind.setdefault(kind, []).append(log)
