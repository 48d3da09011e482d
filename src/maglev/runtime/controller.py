"""The controller: owns all that changes, and is what exporters and embedding programs see as `Control`.

It wires probes, backends, frontends and the reconciler together, and decides nothing itself: decisions are the
domain's. Everything here runs in one event loop, and what touches state does so between two awaits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version

import anyio
import anyio.abc
import anyio.to_thread

from maglev.api import (
    Actor,
    BackendEvent,
    BackendSnapshot,
    Checker,
    Command,
    CommandResult,
    DataplaneSnapshot,
    DataplaneState,
    EventFilter,
    EventKind,
    EventStream,
    Flow,
    FlowTrace,
    FrontendSnapshot,
    LagEvent,
    LoopLag,
    Metrics,
    Preview,
    ProbeObserver,
    Problem,
    Snapshot,
    Status,
    Subscription,
    Transition,
    VipCounters,
)
from maglev.config import Config, ConfigError, Loaded, nanoseconds
from maglev.config.resolve import dataplane_conf, frontends
from maglev.domain import warmup
from maglev.probing import Prober
from maglev.runtime import reload as reloading
from maglev.runtime.backends import Backend, Backends
from maglev.runtime.bus import Bus
from maglev.runtime.checks import Checkers
from maglev.runtime.commands import Commands
from maglev.runtime.frontends import Frontends
from maglev.runtime.ledger import Ledger
from maglev.runtime.logging import BusHandler, get_logger
from maglev.runtime.metrics import MetricsCache
from maglev.runtime.overrides import Overrides, OverrideStore
from maglev.runtime.previews import Previews
from maglev.runtime.reconciler import Reconciler
from maglev.runtime.settings import Settings
from maglev.runtime.snapshots import (
    FrontendSnapshots,
    backend_snapshot,
    dataplane_snapshot,
    dataplane_status,
    healthcheck_snapshot,
)
from maglev.runtime.tables import Tables

_WARM_UP_TICK_S = 0.05
"""Verdicts that come within this time are looked at together while the warm-up lasts."""

VERSION = version("maglevd")

log = get_logger("maglev.controller")


class Controller:
    """Implements `maglev.api.Control`. Made by `open_controller`, never by hand.

    Args:
        settings: How it was opened.
        loaded: The configuration to start with.
        overrides: What commands of earlier runs changed.
    """

    def __init__(self, settings: Settings, loaded: Loaded, overrides: Overrides) -> None:
        config = loaded.config
        self.settings = settings
        self.config = config
        self.warnings = loaded.warnings
        self.started_at_s = self.config_loaded_at_s = time.time()
        self.reloads = {"success": 0, "failure": 0}
        self.on_reload: list[Callable[[Config], None]] = []
        self.bus = Bus()
        self.ledger = Ledger()
        self.tables = Tables()
        self.store = OverrideStore(settings.state_dir)
        self.overrides = overrides
        self.checkers = Checkers(settings.plugins.checkers)
        self.backends = Backends(self.checkers, self.bus, self._moved, self._excused)
        self.prober = Prober(self.backends.on_result, on_start=self.backends.on_start, on_lag=self._on_lag)
        self.backends.prober = self.prober
        warm = warmup.start(
            time.monotonic_ns(),
            min_ns=nanoseconds(config.lb.startup_min_delay),
            max_ns=nanoseconds(config.lb.startup_max_delay),
        )
        self.frontends = Frontends(self.ledger, self.backends.statuses, self.bus.publish, warm)
        self.dataplane = settings.make_dataplane(config)
        self.reconciler = Reconciler(
            self.dataplane,
            self.ledger,
            self.frontends,
            self.bus,
            sync_interval_s=config.lb.sync_interval.total_seconds(),
            observe=settings.observe,
        )
        self.frontends.mark = self.reconciler.mark
        self.previews = Previews(self.frontends, self.ledger, self.tables)
        self._commands = Commands(self)
        self._snapshots = FrontendSnapshots(self.frontends, self.ledger, self.reconciler)
        self._figures = MetricsCache(self.backends, self.frontends)
        self._tasks: anyio.abc.TaskGroup | None = None
        self._verdicts = anyio.Event()
        self.apply(loaded, "start")

    # --- Control --------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything now, in one consistent and immutable value."""
        now = time.time()
        backends = self.backends.all()
        return Snapshot(
            sequence=self.bus.sequence,
            at_s=now,
            version=VERSION,
            started_at_s=self.started_at_s,
            config_loaded_at_s=self.config_loaded_at_s,
            warm=self.frontends.warm.over,
            frontends={n: self._snapshots.build(n, backends, self.overrides) for n in self.frontends.specs},
            backends={name: backend_snapshot(backend, None) for name, backend in backends.items()},
            healthchecks={
                name: healthcheck_snapshot(name, check, self.config) for name, check in self.config.healthchecks.items()
            },
            dataplane=dataplane_snapshot(self.reconciler, self.ledger, self.ledger.state()),
        )

    def status(self) -> Status:
        """The daemon itself, without backends and frontends."""
        return Status(
            at_s=time.time(),
            version=VERSION,
            started_at_s=self.started_at_s,
            config_loaded_at_s=self.config_loaded_at_s,
            reloads=dict(self.reloads),
            warm=self.frontends.warm.over,
            dataplane=dataplane_status(self.reconciler),
        )

    def metrics(self) -> Metrics:
        """Everything that metrics are made of, at one moment."""
        return Metrics(self.status(), self._figures.backends(), self._figures.frontends())

    def dataplane_snapshot(self) -> DataplaneSnapshot:
        """The connection to the dataplane now, without what it holds."""
        return dataplane_snapshot(self.reconciler, self.ledger, None)

    def frontend(self, name: str) -> FrontendSnapshot:
        """One frontend now; raises `UnknownName`."""
        self._commands.known("frontend", name, self.frontends.specs)
        return self._snapshots.build(name, self.backends.all(), self.overrides)

    def backend(self, name: str) -> BackendSnapshot:
        """One backend now; raises `UnknownName`."""
        self._commands.known("backend", name, self.backends.all())
        return backend_snapshot(self.backends[name], None)

    async def command(self, command: Command, actor: Actor) -> CommandResult:
        """Carry out a command and wait for its effect on the dataplane; raises as `Control.command` says."""
        return await self._commands.run(command, actor)

    async def preview(self, command: Command) -> Preview:
        """Tell what a command would do, bucket for bucket, without doing it; raises as `command` does."""
        return await self._commands.preview(command)

    async def trace_flow(self, frontend: str, flow: Flow) -> FlowTrace:
        """Tell which server a new flow gets; raises `UnknownName` or `BadArgument`."""
        self._commands.known("frontend", frontend, self.frontends.specs)
        session = self.reconciler.session
        kind = session.info.flow_hash if session is not None else "crc32c"
        return await self.previews.trace(frontend, flow, kind, self.backends.statuses())

    async def check_config(self) -> Sequence[Problem]:
        """Check the configuration as it stands on disk; an empty answer means that a reload would take it."""
        try:
            await self.settings.reload()
        except ConfigError as error:
            return error.problems
        return ()

    async def read_dataplane(self, *, details: bool = False) -> DataplaneState:
        """Read the dataplane afresh; raises `NotConnected` or `DataplaneError`."""
        return await self.reconciler.read(details=details)

    async def counters(self) -> Sequence[VipCounters]:
        """Read what each VIP carried; raises `NotConnected` or `DataplaneError`."""
        return await self.reconciler.counters()

    @asynccontextmanager
    async def subscribe(self, wanted: EventFilter, *, buffer: int = 1024) -> AsyncIterator[Subscription]:
        """Subscribe to events: a snapshot first, then all that follows, with nothing missed between."""
        async with self.events(wanted, buffer=buffer) as events:
            yield Subscription(self.snapshot(), events)

    @asynccontextmanager
    async def events(self, wanted: EventFilter, *, buffer: int = 1024) -> AsyncIterator[EventStream]:
        """Subscribe to what happens from now on."""
        with self.bus.subscribe(wanted, buffer) as subscriber:
            self._watch_starts()
            yield subscriber
        self._watch_starts()

    @asynccontextmanager
    async def observe_probes(self, observer: ProbeObserver) -> AsyncIterator[None]:
        """Have every probe's end reported while the context lasts."""
        forget = self.backends.observe(observer)
        try:
            yield
        finally:
            forget()

    def lag(self) -> LoopLag:
        """How late the event loop runs."""
        lag = self.prober.lag
        return LoopLag(lag.last_ns / 1e9, lag.max_ns / 1e9, lag.stalls)

    # --- configuration --------------------------------------------------------------------------------------------

    def apply(self, loaded: Loaded, why: str, *, force: bool = False) -> tuple[str, ...]:
        """Take over a valid configuration, all at once.

        Args:
            loaded: The configuration.
            why: `start` or `reload`, the cause of the transitions this makes.
            force: Whether it may remove more than half of the VIPs.

        Returns:
            What the caller should know: what takes effect only after a restart.

        Raises:
            FailedPrecondition: It would remove more than half of the VIPs; nothing was changed.
            ValueError: A checker refuses its options; nothing was changed.
        """
        config = loaded.config
        kept = self.overrides.against(reloading.filed_enabled(config), reloading.filed_weights(config))
        specs = frontends(config, {key: override.weight for key, override in kept.weights.items()})
        reloading.brake(self.frontends.specs, specs, force=force)
        retired = self.checkers.configure(config.healthchecks)
        messages = reloading.needs_restart(self.config, config)
        was = {backend.name: backend.health.state for backend in self.backends}
        self.overrides = kept
        self.config, self.warnings = config, loaded.warnings
        self.backends.configure(config, reloading.users_of(specs), kept.admin, why)
        self.frontends.members_left(specs, was)
        self.frontends.configure(specs, dataplane_conf(config))
        self.frontends.reconfigure_warm_up(
            min_ns=nanoseconds(config.lb.startup_min_delay), max_ns=nanoseconds(config.lb.startup_max_delay)
        )
        self.reconciler.sync_interval_s = config.lb.sync_interval.total_seconds()
        self.config_loaded_at_s = time.time()
        self._release(retired)
        for callback in self.on_reload:
            callback(config)
        return messages

    def respecify(self) -> None:
        """Resolve the frontends anew, after an override changed."""
        weights = {key: override.weight for key, override in self.overrides.weights.items()}
        self.frontends.configure(frontends(self.config, weights), dataplane_conf(self.config))

    def _release(self, checkers: Sequence[Checker]) -> None:
        if self._tasks is not None:
            for checker in checkers:
                self._tasks.start_soon(self.prober.release, checker)

    # --- callbacks ------------------------------------------------------------------------------------------------

    def _moved(self, backend: Backend, transition: Transition) -> None:
        why = str(transition.result) if transition.result is not None else transition.why
        states = {"from": str(transition.from_state), "to": str(transition.to_state)}
        log.info("backend", backend=backend.name, **states, why=why)
        self.bus.publish(BackendEvent(transition.at_s, backend.name, backend.frontends, transition))
        self.frontends.backend_moved(backend.name, backend.frontends, transition)
        self._verdicts.set()

    def _excused(self, backend: Backend, ended_ns: int) -> bool:
        if self.config.healthchecker.netns is None or not self.dataplane.carries_probes:
            return False
        connected_ns = self.reconciler.connected_at_ns
        return connected_ns is None or ended_ns < connected_ns + backend.interval_ns()

    def _watch_starts(self) -> None:
        # The prober calls for every start of a probe, so only while somebody wants to see it.
        self.prober.report_starts = self.bus.wants(EventKind.PROBE)

    def _on_lag(self, lag_ns: int, voided: int) -> None:
        log.warning("stalled", lag_ms=lag_ns // 1_000_000, voided=voided)
        self.bus.publish(LagEvent(time.time(), lag_ns / 1e9, voided))

    # --- running --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Probe and reconcile while the context lasts; the dataplane is left as it is."""
        failure: Exception | None = None
        try:
            with self._logs_on_bus():
                async with anyio.create_task_group() as tasks:
                    self._tasks = tasks
                    tasks.start_soon(self.prober.run, name="prober")
                    tasks.start_soon(self.reconciler.run, name="reconciler")
                    tasks.start_soon(self._warm_up, name="warm-up")
                    try:
                        yield
                    except Exception as error:  # noqa: BLE001 - the user's own; the group would wrap it
                        failure = error
                    finally:
                        self._tasks = None
                        self.bus.close()
                        tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._close()
        if failure is not None:
            raise failure

    async def _close(self) -> None:
        await self.prober.aclose()
        for checker in self.checkers.all():
            await self.prober.release(checker)

    async def _warm_up(self) -> None:
        while not self.frontends.warm.over:
            self._verdicts = anyio.Event()
            self.frontends.advance()
            wake_ns = warmup.next_wakeup_ns(self.frontends.warm, time.monotonic_ns())
            if wake_ns is None:
                break
            with anyio.move_on_after(max(0.0, (wake_ns - time.monotonic_ns()) / 1e9)):
                await self._verdicts.wait()
            await anyio.sleep(_WARM_UP_TICK_S)

    @contextmanager
    def _logs_on_bus(self) -> Iterator[None]:
        handler = BusHandler(self.bus.publish, lambda: self.bus.wants(EventKind.LOG))
        logger = logging.getLogger("maglev")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


@asynccontextmanager
async def open_controller(settings: Settings) -> AsyncIterator[Controller]:
    """Load a configuration and run it while the context lasts.

    Args:
        settings: What to run, and with what.

    Raises:
        ConfigError: The configuration is not valid; names every problem.
        StateError: The state directory's file cannot be read.
    """
    loaded = await settings.load()
    overrides = await anyio.to_thread.run_sync(OverrideStore(settings.state_dir).load)
    controller = Controller(settings, loaded, overrides)
    async with controller.running():
        yield controller
