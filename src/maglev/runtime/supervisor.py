"""Runs exporters, each in its own guarded task: one that crashes is logged and started again with back-off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.abc
import attrs

from maglev.api import Control, Exporter
from maglev.runtime.logging import get_logger

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
"""An exporter that served this long starts over with the first delay when it crashes."""
RELOAD_WITHIN_S = 10.0

log = get_logger("maglev.exporters")


@attrs.define(eq=False)
class _Running:
    name: str
    make: Callable[[], Exporter]
    exporter: Exporter | None = None
    ready: anyio.Event = attrs.field(factory=anyio.Event)
    crashes: int = 0


class Supervisor:
    """Keeps exporters running. Nothing that an exporter does, its constructor included, gets past it.

    Args:
        control: What they see.
        clock_s: A monotonic clock in seconds.
    """

    def __init__(self, control: Control, clock_s: Callable[[], float] = anyio.current_time) -> None:
        self._control = control
        self._clock_s = clock_s
        self._running: dict[str, _Running] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The exporters that are being kept running."""
        return tuple(self._running)

    def start(self, group: anyio.abc.TaskGroup, name: str, make: Callable[[], Exporter]) -> None:
        """Keep one exporter running in a task group; one that has nothing to serve is left out.

        Args:
            group: Where it runs.
            name: The exporter's name.
            make: Makes it, now and again after each crash.
        """
        running = _Running(name, make)
        try:
            running.exporter = make()
            if not running.exporter.enabled:
                return
        except Exception:
            log.exception("exporter-not-made", exporter=name)
            running.exporter = None
        self._running[name] = running
        group.start_soon(self._keep, running, name=f"exporter {name}")

    async def ready(self, within_s: float) -> tuple[str, ...]:
        """Wait until clients can connect to all of them.

        Args:
            within_s: How long to wait at most, in seconds.

        Returns:
            The names of those that are not ready by then.
        """
        with anyio.move_on_after(within_s):
            for running in self._running.values():
                await running.ready.wait()
        return tuple(name for name, running in self._running.items() if not running.ready.is_set())

    async def reload(self, options: Mapping[str, Any]) -> None:
        """Hand new options to the exporters; one that cannot take them keeps the old ones, and the log says so.

        Args:
            options: By exporter name; who is not named, or is down just now, is not told.
        """
        for name, running in self._running.items():
            if name not in options or running.exporter is None:
                continue
            try:
                with anyio.fail_after(RELOAD_WITHIN_S):
                    await running.exporter.reload(options[name])
            except Exception:
                log.exception("exporter-reload-failed", exporter=name)

    async def _keep(self, running: _Running) -> None:
        while True:
            started = self._clock_s()
            await self._serve(running)
            running.exporter = None
            if self._clock_s() - started > STEADY_S:
                running.crashes = 0
            await anyio.sleep(min(FIRST_DELAY_S * math.pow(2, running.crashes), LONGEST_DELAY_S))
            running.crashes += 1

    async def _serve(self, running: _Running) -> None:
        try:
            if running.exporter is None:
                running.exporter = running.make()
            await running.exporter.serve(self._control, running.ready.set)
            log.warning("exporter-ended", exporter=running.name)
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                raise
            # Not ours: some library cancelled its own task, which would end ours without a word.
            log.exception("exporter-crashed", exporter=running.name)
        except (Exception, SystemExit):
            # A server library that cannot bind is apt to exit; only its exporter ends.
            log.exception("exporter-crashed", exporter=running.name)
