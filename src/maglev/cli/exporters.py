"""Runs the installed exporters and passes reloads on to them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio.abc

from maglev.api import Exporter
from maglev.runtime import LiveControl, Supervisor
from maglev.runtime.restart_only import without_restart_only


def start_exporters(
    controller: LiveControl, classes: Mapping[str, type[Exporter]], tasks: anyio.abc.TaskGroup
) -> Supervisor:
    """Start all exporters; they run, and get new options with reloads, until the tasks are cancelled."""
    options: dict[str, Any] = dict(controller.config.exporters)
    supervisor = Supervisor(controller)

    def make(name: str) -> Exporter:
        # One that crashes after a reload restarts with the new options.
        return classes[name](options[name])

    for name in classes:
        supervisor.start(tasks, name, partial(make, name))
    tasks.start_soon(_follow_reloads, controller, supervisor, options)
    return supervisor


async def _follow_reloads(controller: LiveControl, supervisor: Supervisor, options: dict[str, Any]) -> None:
    async for config in controller.configuration.changes():
        # All of them, changed or not: the file behind an unchanged path may be new.
        for name, new in config.exporters.items():
            options[name] = without_restart_only(options.get(name), new)
        await supervisor.reload(dict(options))
