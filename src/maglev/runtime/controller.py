"""Wires the running daemon together, and runs its tasks. Decides nothing; what the world sees of it is `control`."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import anyio
import anyio.to_thread

from maglev.api import Checker, EventFilter, EventKind
from maglev.config import Loaded, nanoseconds
from maglev.domain import warmup
from maglev.domain.overrides import OperatorOverrides
from maglev.domain.state import State, take_config
from maglev.domain.state.sync import warm_up_tick
from maglev.runtime.bus import Bus
from maglev.runtime.checkers import Checkers, build_beside
from maglev.runtime.commands import Commands
from maglev.runtime.configuration import Configuration, prepared
from maglev.runtime.control import LiveControl
from maglev.runtime.execution import Live
from maglev.runtime.logging import BusHandler, get_logger
from maglev.runtime.overrides import OverrideStore, StateError
from maglev.runtime.preview import Previews
from maglev.runtime.probe_jobs import ProbeJobs
from maglev.runtime.reconciler import Reconciler
from maglev.runtime.settings import Settings
from maglev.runtime.state_store import ProbeQueue, StateStore, SyncQueue
from maglev.runtime.tables import Tables
from maglev.runtime.trace import Traces

_WARM_UP_TICK_S = 0.05
"""Verdicts that come within this time are looked at together while the warm-up lasts."""

log = get_logger("maglev.controller")


class Controller:
    """Owns the parts of the daemon.

    Args:
        settings: How it was opened.
        loaded: The configuration to start with.
        overrides: The state file, loaded.
        checkers: The configuration's checkers, built.
    """

    def __init__(self, settings: Settings, loaded: Loaded, overrides: OverrideStore, checkers: Checkers) -> None:
        dataplane, lb = settings.make_dataplane(loaded.config), loaded.config.lb
        warm = warmup.start(
            time.monotonic_ns(), min_ns=nanoseconds(lb.startup_min_delay), max_ns=nanoseconds(lb.startup_max_delay)
        )
        state = State(warm, dataplane.carries_probes, overrides=overrides.saved or OperatorOverrides())
        self._bus, syncs, probes = Bus(), SyncQueue(), ProbeQueue()
        self._store = StateStore(state, self._bus, syncs, probes)
        self._jobs = ProbeJobs(self._store, probes, self._bus)
        self._reconciler = Reconciler(dataplane, self._store, syncs, self._bus, observe=settings.observe)
        configuration, tables = Configuration(settings, loaded, self._jobs, probes), Tables()
        execution = Live(self._store, overrides, configuration, self._jobs, self._reconciler)
        first = prepared(loaded, checkers, {})
        self._store.step(take_config, first.resolved, why="start")
        configuration.take(first)
        self.control = LiveControl(
            self._store,
            self._bus,
            configuration,
            self._jobs,
            self._reconciler,
            Commands(execution, configuration),
            Previews(self._store, configuration, self._reconciler, tables),
            Traces(self._store, self._reconciler, tables),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Probe and reconcile while the context lasts; the dataplane is left as it is."""
        failure: Exception | None = None
        try:
            with self._logs_on_bus():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._jobs.run, name="probe jobs")
                    tasks.start_soon(self._reconciler.run, name="reconciler")
                    tasks.start_soon(self._warm_up, name="warm-up")
                    try:
                        yield
                    except Exception as error:  # noqa: BLE001 - the user's own; the group would wrap it
                        failure = error
                    finally:
                        self._bus.close()
                        tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._jobs.aclose()
        if failure is not None:
            raise failure

    async def _warm_up(self) -> None:
        store = self._store
        # A sync run is what ends a reload, which may have taken away what is waited for.
        kinds = frozenset({EventKind.BACKEND, EventKind.SYNC, EventKind.DATAPLANE})
        with self._bus.subscribe(EventFilter(kinds), buffer=1) as moves:
            while not store.state.warm.over:
                store.step(warm_up_tick, time.monotonic_ns())
                wake_ns = warmup.next_wakeup_ns(store.state.warm, time.monotonic_ns())
                if wake_ns is None:
                    break
                with anyio.move_on_after(max(0.0, (wake_ns - time.monotonic_ns()) / 1e9)):
                    if not await moves.batch():
                        break  # The daemon is stopping.
                await anyio.sleep(_WARM_UP_TICK_S)

    @contextmanager
    def _logs_on_bus(self) -> Iterator[None]:
        handler = BusHandler(self._bus.publish, lambda: self._bus.wants(EventKind.LOG))
        logger = logging.getLogger("maglev")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


@asynccontextmanager
async def open_controller(settings: Settings) -> AsyncIterator[LiveControl]:
    """Load a configuration and run it while the context lasts.

    Args:
        settings: What to run, and with what.

    Raises:
        ConfigError: The configuration is not valid; names every problem.
        StateError: The state directory is used by another, or its file cannot be read.
    """
    overrides = OverrideStore(settings.state_dir, settings.origin)
    try:
        controller = await _made(settings, overrides)
        async with controller.running():
            yield controller.control
    finally:
        overrides.close()


async def _made(settings: Settings, overrides: OverrideStore) -> Controller:
    # Apart, so that nothing here holds the first configuration and its checkers as long as the daemon runs.
    loaded = await settings.load()
    await anyio.to_thread.run_sync(overrides.lock)
    await anyio.to_thread.run_sync(overrides.load)
    checkers = await build_beside(settings.plugins.checkers, loaded.config.healthchecks, {}, _close)
    controller = Controller(settings, loaded, overrides, checkers)
    try:
        # The file may have changed what an override stood for: what is dropped now must not come back later.
        await anyio.to_thread.run_sync(overrides.save, controller.control.state.overrides)
    except StateError as error:
        log.warning("overrides-not-saved", error=str(error))
        controller.control.configuration.troubles.report("state", str(error))
    return controller


def _close(checkers: Sequence[Checker]) -> None:
    """Close what was built for a daemon that does not start."""
    for checker in checkers:
        checker.close()
