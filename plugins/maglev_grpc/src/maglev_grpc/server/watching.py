"""Streams events: the present state first, then every change, each serialised once however many watch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel

from maglev.api import (
    BackendEvent,
    BackendSnapshot,
    BadArgument,
    Control,
    DataplaneChange,
    DataplaneEvent,
    Delivery,
    Event,
    EventFilter,
    EventKind,
    EventStream,
    FrontendEvent,
    FrontendSnapshot,
    Snapshot,
    Transition,
    WeightEvent,
)
from maglev_grpc.convert import event_message, filter_of
from maglev_grpc.errors import ResourceExhausted, shutting_down
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server import encode
from maglev_grpc.server.calls import Call
from maglev_grpc.server.names import bounded

_MOST_EVENTS = 128
"""Events in one message: some tens of kilobytes."""
_KEPT = 4096
"""Keep this many serialised events for watchers who are slower than the first."""
_GATHER_S = 0.01
"""Wait this long after a message, so that events close together are sent together."""
_AT_ONCE = 4
"""Serve this many watchers before other tasks, probes above all, have their turn in the event loop."""
_NAMES_AT_ONCE = 32
_EVENTS = pb.WatchEventsResponse.DESCRIPTOR.fields_by_name["events"].number
_SNAPSHOT = pb.WatchEventsResponse.DESCRIPTOR.fields_by_name["snapshot"].number


class Serialised:
    """Keeps the newest events in the form that they travel in."""

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._parts: dict[int, bytes] = {}
        self.made = 0
        """How many events were serialised."""

    def part(self, delivery: Delivery) -> bytes:
        """One event as an item of a `WatchEventsResponse`."""
        if delivery.lost:  # seldom, and each watcher's own
            return _part(delivery.sequence, delivery.event, lost=delivery.lost)
        part = self._parts.get(delivery.sequence)
        if part is None:
            part = self._parts[delivery.sequence] = _part(delivery.sequence, delivery.event)
            self.made += 1
            if len(self._parts) > self._most:
                del self._parts[next(iter(self._parts))]
        return part


def _part(sequence: int, event: Event, *, lost: int = 0, initial: bool = False) -> bytes:
    message = event_message(sequence, event, lost=lost, initial=initial)
    return encode.item(_EVENTS, message.SerializeToString())


class Watching:
    """Answers `WatchEvents`.

    Args:
        control: The running controller.
        most: How many watchers there may be at once.
        buffer: How many undelivered events are kept for each.
    """

    def __init__(self, control: Control, *, most: int, buffer: int) -> None:
        self._control = control
        self._most = most
        self._buffer = buffer
        self._scopes: set[anyio.CancelScope] = set()
        self._closing = False
        self._turns = anyio.Semaphore(_AT_ONCE, fast_acquire=True)
        self.serialised = Serialised()

    @property
    def watchers(self) -> int:
        """The number of watchers."""
        return len(self._scopes)

    def close(self) -> None:
        """End all streams, and refuse new ones."""
        self._closing = True
        for scope in self._scopes:
            scope.cancel()

    async def watch(self, request: pb.WatchEventsRequest, call: Call) -> None:
        """Send events until the watcher leaves or we close."""
        if self._closing:
            raise shutting_down()
        if len(self._scopes) >= self._most:
            raise ResourceExhausted(f"there are {self._most} watchers already, and no more fit")
        try:
            wanted = filter_of(request)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                await self._send_all(wanted, request.initial_state, call)
            finally:
                self._scopes.discard(scope)
        raise shutting_down()

    async def _send_all(self, wanted: EventFilter, initial: Any, call: Call) -> None:
        await _check_names(wanted, self._control)
        if initial == pb.INITIAL_STATE_NONE:
            async with self._control.events(wanted, buffer=self._buffer) as events:
                await call.send(b"")  # tells the watcher that it is subscribed
                await self._send_events(events, call)
            return
        async with self._control.subscribe(wanted, buffer=self._buffer) as subscription:
            if initial == pb.INITIAL_STATE_SNAPSHOT:
                everything = await encode.serialised(subscription.snapshot)
                await call.send(encode.item(_SNAPSHOT, everything))
            else:
                await self._send_state(wanted, subscription.snapshot, call)
            await self._send_events(subscription.events, call)

    async def _send_events(self, events: EventStream, call: Call) -> None:
        while batch := await events.batch():
            await self._send_batch(batch, call)
            await anyio.sleep(_GATHER_S)

    async def _send_state(self, wanted: EventFilter, snapshot: Snapshot, call: Call) -> None:
        parts: list[bytes] = []
        for event in present(snapshot, wanted):
            parts.append(_part(snapshot.sequence, event, initial=True))
            if len(parts) >= _MOST_EVENTS:
                await call.send(b"".join(parts))
                await anyio.lowlevel.checkpoint()
                parts.clear()
        await call.send(b"".join(parts))

    async def _send_batch(self, batch: Sequence[Delivery], call: Call) -> None:
        for start in range(0, len(batch), _MOST_EVENTS):
            # An event wakes all watchers at once; who finds no turn left gets one in a later round of the loop. Sending
            # is outside: it waits for readers, and a slow one must hold up nobody.
            async with self._turns:
                await anyio.lowlevel.checkpoint()
            parts = [self.serialised.part(delivery) for delivery in batch[start : start + _MOST_EVENTS]]
            await call.send(b"".join(parts))


async def _check_names(wanted: EventFilter, control: Control) -> None:
    asked = [
        *((control.backend, name) for name in sorted(wanted.backends)),
        *((control.frontend, name) for name in sorted(wanted.frontends)),
    ]
    for number, (look, name) in enumerate(asked, start=1):
        look(bounded(name))
        if number % _NAMES_AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()


def present(snapshot: Snapshot, wanted: EventFilter) -> Iterator[Event]:
    """Make events of the present state of everything that is watched; from and to are equal in them."""
    now = snapshot.at_s
    if EventKind.BACKEND in wanted.kinds:
        yield from (_backend(now, backend) for backend in _chosen(snapshot.backends.values(), wanted.backends))
    for frontend in _chosen(snapshot.frontends.values(), wanted.frontends):
        if EventKind.FRONTEND in wanted.kinds:
            state = frontend.state
            yield FrontendEvent(now, frontend.name, state, state, frontend.active_pool, frontend.why)
        if EventKind.WEIGHT in wanted.kinds:
            yield from _weights(now, frontend, wanted.backends)
    if EventKind.DATAPLANE in wanted.kinds:
        plane = snapshot.dataplane
        change = DataplaneChange.CONNECTED if plane.connected else DataplaneChange.LOST
        yield DataplaneEvent(now, plane.name, change, plane.info.version if plane.info else plane.detail)


def _chosen(values: Iterable[Any], names: frozenset[str]) -> Iterator[Any]:
    return (value for value in values if not names or value.name in names)


def _backend(now: float, backend: BackendSnapshot) -> BackendEvent:
    newest = backend.history[-1] if backend.history else None
    transition = Transition(
        backend.state,
        backend.state,
        newest.at_s if newest else now,
        newest.result if newest else None,
        newest.why if newest else "",
    )
    return BackendEvent(now, backend.name, backend.frontends, transition)


def _weights(now: float, frontend: FrontendSnapshot, backends: frozenset[str]) -> Iterator[WeightEvent]:
    for member in frontend.members:
        if not backends or member.backend in backends:
            effective = member.effective_weight
            yield WeightEvent(
                now, frontend.name, member.pool, member.backend, member.weight, effective, effective, member.reason
            )
