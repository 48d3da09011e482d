"""Implements `Control`: the daemon as exporters, the command line and embedding programs see it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

import attrs

from maglev.api import (
    Actor,
    BackendSnapshot,
    Command,
    CommandResult,
    DataplaneSnapshot,
    DataplaneState,
    EventFilter,
    EventStream,
    Flow,
    FlowTrace,
    FrontendSnapshot,
    LoopLag,
    Metrics,
    Preview,
    ProbeObserver,
    Problem,
    Snapshot,
    Status,
    Subscription,
    VipCounters,
)
from maglev.config import Config
from maglev.domain.state import State, known
from maglev.runtime.bus import Bus
from maglev.runtime.commands import Commands
from maglev.runtime.configuration import Configuration
from maglev.runtime.metrics import MetricsCache
from maglev.runtime.preview import Previews
from maglev.runtime.probe_jobs import ProbeJobs
from maglev.runtime.reconciler import Reconciler
from maglev.runtime.snapshots import (
    backend_snapshot,
    dataplane_snapshot,
    dataplane_status,
    frontend_snapshot,
    healthcheck_snapshot,
)
from maglev.runtime.state_store import StateStore
from maglev.runtime.trace import Traces

VERSION = version("maglevd")


@attrs.frozen(eq=False)
class LiveControl:
    """Implements `maglev.api.Control`. Made by `open_controller`, never by hand.

    Args:
        store: The live State.
        bus: The events.
        configuration: The configuration in force.
        jobs: The probe jobs.
        reconciler: The dataplane.
        commands: Carries commands out.
        previews: Predicts them.
        traces: Traces flows.
    """

    store: StateStore
    bus: Bus
    configuration: Configuration
    jobs: ProbeJobs
    reconciler: Reconciler
    commands: Commands
    previews: Previews
    traces: Traces
    started_at_s: float = attrs.field(factory=time.time)
    _metrics: MetricsCache = attrs.field(factory=MetricsCache)

    @property
    def state(self) -> State:
        """The live State; only the steps of `maglev.domain.state` change it."""
        return self.store.state

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.configuration.config

    # --- what is --------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything now, in one consistent and immutable value."""
        state, config = self.state, self.config
        return Snapshot(
            sequence=self.bus.sequence,
            at_s=time.time(),
            version=VERSION,
            started_at_s=self.started_at_s,
            config_loaded_at_s=self.configuration.loaded_at_s,
            warm=state.warm.over,
            frontends={name: self._frontend(name) for name in state.frontends},
            backends={name: backend_snapshot(state, name, self.jobs.record(name)) for name in state.health},
            healthchecks={
                name: healthcheck_snapshot(name, check, config) for name, check in config.healthchecks.items()
            },
            dataplane=dataplane_snapshot(self.reconciler, state, contents=True),
        )

    def status(self) -> Status:
        """The daemon itself, without backends and frontends."""
        return Status(
            at_s=time.time(),
            version=VERSION,
            started_at_s=self.started_at_s,
            config_loaded_at_s=self.configuration.loaded_at_s,
            reloads=dict(self.configuration.reloads),
            warm=self.state.warm.over,
            dataplane=dataplane_status(self.reconciler),
            troubles=self.configuration.troubles.now,
        )

    def metrics(self) -> Metrics:
        """Everything that metrics are made of, at one moment."""
        return Metrics(
            self.status(),
            self._metrics.backends(self.state, self.jobs.certificates()),
            self._metrics.frontends(self.state),
        )

    def dataplane_snapshot(self) -> DataplaneSnapshot:
        """The connection to the dataplane now, without what it holds."""
        return dataplane_snapshot(self.reconciler, self.state, contents=False)

    def frontend(self, name: str) -> FrontendSnapshot:
        """One frontend now; raises `UnknownName`."""
        known("frontend", name, self.state.frontends)
        return self._frontend(name)

    def backend(self, name: str) -> BackendSnapshot:
        """One backend now; raises `UnknownName`."""
        known("backend", name, self.state.health)
        return backend_snapshot(self.state, name, self.jobs.record(name))

    def _frontend(self, name: str) -> FrontendSnapshot:
        in_sync = self.reconciler.in_sync(self.state.frontends[name].vip.address)
        unrouted = self.reconciler.findings().unrouted
        return frontend_snapshot(self.state, name, in_sync=in_sync, unrouted=unrouted)

    async def read_dataplane(self, *, details: bool = False) -> DataplaneState:
        """Read the dataplane afresh; raises `NotConnected` or `DataplaneError`."""
        return await self.reconciler.read(details=details)

    async def counters(self) -> Sequence[VipCounters]:
        """Read what each VIP carried; raises `NotConnected` or `DataplaneError`."""
        return await self.reconciler.counters()

    def lag(self) -> LoopLag:
        """The delay of the event loop."""
        return self.jobs.lag()

    # --- what is asked for ----------------------------------------------------------------------------------------

    async def command(self, command: Command, actor: Actor) -> CommandResult:
        """Carry out a command and wait for its effect on the dataplane; raises as `Control.command` says."""
        return await self.commands.run(command, actor)

    async def preview(self, command: Command) -> Preview:
        """Tell what a command would do, bucket for bucket, without doing it; raises as `command` does."""
        return await self.previews.preview(command)

    async def trace_flow(self, frontend: str, flow: Flow) -> FlowTrace:
        """Tell which server a new flow gets; raises `UnknownName` or `BadArgument`."""
        return await self.traces.trace(frontend, flow)

    async def check_config(self) -> Sequence[Problem]:
        """Check the configuration as it stands on disk; an empty answer means that a reload would accept it."""
        return await self.commands.check_config()

    # --- what happens ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def subscribe(self, wanted: EventFilter, *, buffer: int = 1024) -> AsyncIterator[Subscription]:
        """Subscribe to events: a snapshot first, then all that follows, with nothing missed between."""
        async with self.events(wanted, buffer=buffer) as events:
            yield Subscription(self.snapshot(), events)

    @asynccontextmanager
    async def events(self, wanted: EventFilter, *, buffer: int = 1024) -> AsyncIterator[EventStream]:
        """Subscribe to what happens from now on."""
        with self.bus.subscribe(wanted, buffer) as subscriber:
            self.jobs.watch_starts()
            yield subscriber
        self.jobs.watch_starts()

    @asynccontextmanager
    async def observe_probes(self, observer: ProbeObserver) -> AsyncIterator[None]:
        """Have every probe's end reported while the context lasts."""
        forget = self.jobs.observe(observer)
        try:
            yield
        finally:
            forget()
