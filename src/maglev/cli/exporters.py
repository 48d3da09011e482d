"""Runs the installed exporters and passes reloads on to them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio.abc

from maglev.api import Exporter
from maglev.runtime import LiveControl, Supervisor
from maglev.runtime.restart_only import without_restart_only


class Exporters:
    """Runs every installed exporter, and passes reloads on to it.

    Args:
        controller: What they export.
        classes: The exporters by name.
        tasks: Where they run.
    """

    def __init__(
        self, controller: LiveControl, classes: Mapping[str, type[Exporter]], tasks: anyio.abc.TaskGroup
    ) -> None:
        self._controller = controller
        self._classes = classes
        self._tasks = tasks
        self._options: dict[str, Any] = dict(controller.config.exporters)
        self._supervisor = Supervisor(controller)

    def start(self) -> None:
        """Start them all; they run until the tasks are cancelled."""
        for name in self._classes:
            self._supervisor.start(self._tasks, name, partial(self._make, name))
        self._tasks.start_soon(self._follow_reloads)

    @property
    def names(self) -> tuple[str, ...]:
        """The exporters that have something to serve."""
        return self._supervisor.names

    async def ready(self, within_s: float) -> tuple[str, ...]:
        """Wait until clients can connect to all of them; returns the names of those that are not ready in time."""
        return await self._supervisor.ready(within_s)

    def _make(self, name: str) -> Exporter:
        # One that crashes after a reload restarts with the new options.
        return self._classes[name](self._options[name])

    async def _follow_reloads(self) -> None:
        async for config in self._controller.configuration.changes():
            # All of them, changed or not: the file behind an unchanged path may be new.
            for name, options in config.exporters.items():
                self._options[name] = without_restart_only(self._options.get(name), options)
            await self._supervisor.reload(dict(self._options))
