"""`Control`: the running controller for exporters and for programs that embed maglevd.

It returns immutable snapshots, runs and previews commands, and delivers events. Nothing that is done through it can
slow down a probe or the dataplane.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from maglev.api.commands import Actor, Command, CommandResult
from maglev.api.dataplane import DataplaneState, VipCounters
from maglev.api.events import Event, EventKind
from maglev.api.metrics import Metrics, Status
from maglev.api.preview import Flow, FlowTrace, Preview
from maglev.api.problems import Problem
from maglev.api.results import ProbeResult
from maglev.api.snapshots import BackendSnapshot, DataplaneSnapshot, FrontendSnapshot, Snapshot


@attrs.frozen
class EventFilter:
    """Selects the events of a subscriber.

    Args:
        kinds: The kinds of events; probes only if they are named here.
        log_level: The lowest level of log records.
        backends: Only these backends; empty for all.
        frontends: Only these frontends; empty for all.
    """

    kinds: frozenset[EventKind] = frozenset(set(EventKind) - {EventKind.PROBE, EventKind.LOG})
    log_level: str = "info"
    backends: frozenset[str] = frozenset()
    frontends: frozenset[str] = frozenset()


@attrs.frozen
class Delivery:
    """One event as a subscriber gets it.

    Args:
        sequence: Increases by one with every event of the daemon; gaps are events that the filter leaves out.
        event: The event.
        lost: How many events this subscriber lost just before this one, because it was too slow.
    """

    sequence: int
    event: Event
    lost: int = 0


class EventStream(Protocol):
    """The events of a subscriber, to be read one by one, or all waiting ones at once."""

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Iterate over deliveries, in order, until the controller closes (or the subscription is left)."""
        ...

    async def batch(self) -> Sequence[Delivery]:
        """Wait for at least one delivery and return all that are there; empty when the controller has closed."""
        ...


@attrs.frozen
class Subscription:
    """The state at one moment, and every event after it.

    Args:
        snapshot: Everything up to `snapshot.sequence`.
        events: Every wanted event with a higher number, in order.
    """

    snapshot: Snapshot
    events: EventStream


@attrs.frozen
class LoopLag:
    """The delay of the event loop, in seconds.

    Args:
        last_s: The latest measurement.
        max_s: The longest since the start.
        stalls: How many times stalls of 50 ms and more were reported, at most once a second.
    """

    last_s: float
    max_s: float
    stalls: int


class ProbeObserver(Protocol):
    """Is called at every probe's end, on the probing path: it must be quick and must not raise."""

    def __call__(self, backend: str, checker: str, result: ProbeResult, duration_ns: int) -> None:
        """Note one completed probe."""
        ...


class Control(Protocol):
    """The running controller, as exporters and embedding programs see it."""

    def snapshot(self) -> Snapshot:
        """Everything now, in one consistent and immutable value."""
        ...

    def status(self) -> Status:
        """The daemon itself, without backends and frontends: cheap enough to be asked every second."""
        ...

    def metrics(self) -> Metrics:
        """Everything that metrics are made of, at one moment; a few milliseconds for ten thousand backends."""
        ...

    def dataplane_snapshot(self) -> DataplaneSnapshot:
        """The connection to the dataplane now, without what it holds (`state` is `None`)."""
        ...

    def frontend(self, name: str) -> FrontendSnapshot:
        """One frontend now, at a small part of a whole snapshot's cost.

        Raises:
            UnknownName: No such frontend.
        """
        ...

    def backend(self, name: str) -> BackendSnapshot:
        """One backend now, at a small part of a whole snapshot's cost.

        Raises:
            UnknownName: No such backend.
        """
        ...

    async def command(self, command: Command, actor: Actor) -> CommandResult:
        """Carry out a command and wait for its effect on the dataplane.

        Commands run one after the other. A command that is cancelled before it begins (while it waits, or while a
        reload reads its file) changes nothing. One that has begun runs to its end.

        Raises:
            UnknownName: It names something that does not exist.
            BadArgument: An argument is never valid.
            FailedPrecondition: It does not fit the present state.
            NotConnected: It needs the dataplane, and there is no connection.
        """
        ...

    async def preview(self, command: Command) -> Preview:
        """Predict the effect of a command, bucket for bucket, without any change. Raises as `command` does."""
        ...

    async def trace_flow(self, frontend: str, flow: Flow) -> FlowTrace:
        """Tell which server a new flow gets.

        Raises:
            UnknownName: No such frontend.
            BadArgument: The source is of another address family than the VIP.
        """
        ...

    async def check_config(self) -> Sequence[Problem]:
        """Check the configuration file on disk; an empty answer means that a reload would accept it."""
        ...

    async def read_dataplane(self, *, details: bool = False) -> DataplaneState:
        """Read the dataplane now; with `details`, also what is costly (the entries of each server).

        Raises:
            NotConnected: There is no connection.
            DataplaneError: It could not be read.
        """
        ...

    async def counters(self) -> Sequence[VipCounters]:
        """Read the counters of each VIP. Raises as `read_dataplane` does."""
        ...

    def subscribe(self, wanted: EventFilter, *, buffer: int = 1024) -> AbstractAsyncContextManager[Subscription]:
        """Subscribe to events: a snapshot first, then every later event, without a gap.

        Args:
            wanted: What to deliver.
            buffer: How many undelivered events are kept of a reader that is late by seconds; the oldest are dropped,
                and counted, beyond that. A burst, however large, is kept for a reader that is not late.
        """
        ...

    def events(self, wanted: EventFilter, *, buffer: int = 1024) -> AbstractAsyncContextManager[EventStream]:
        """Subscribe to events from now on, without a snapshot, which takes long with many backends.

        Args:
            wanted: What to deliver.
            buffer: How many undelivered events are kept of a reader that is late by seconds; the oldest are dropped,
                and counted, beyond that. A burst, however large, is kept for a reader that is not late.
        """
        ...

    def observe_probes(self, observer: ProbeObserver) -> AbstractAsyncContextManager[None]:
        """Have every probe's end reported while the context lasts."""
        ...

    def lag(self) -> LoopLag:
        """The delay of the event loop."""
        ...
