"""Runs the installed exporters and passes reloads on to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio.abc

from maglev.api import Exporter
from maglev.config import Config
from maglev.runtime import LiveControl, Supervisor
from maglev.runtime.configuration import Followed
from maglev.runtime.restart_only import without_restart_only


@contextmanager
def running_exporters(
    controller: LiveControl, classes: Mapping[str, type[Exporter]], tasks: anyio.abc.TaskGroup
) -> Iterator[Supervisor]:
    """Start all exporters; they get new options with reloads while the context lasts, and run until cancelled."""
    options: dict[str, Any] = dict(controller.config.exporters)
    supervisor = Supervisor(controller, troubles=controller.configuration.troubles)

    def make(name: str) -> Exporter:
        # One that crashes after a reload restarts with the new options.
        return classes[name](options[name])

    async def follow(config: Config) -> Followed:
        # All of them, changed or not: the file behind an unchanged path may be new.
        for name, new in config.exporters.items():
            options[name] = without_restart_only(options.get(name), new)
        return await supervisor.reload(dict(options))

    for name in classes:
        supervisor.start(tasks, name, partial(make, name))
    with controller.configuration.followed(follow):
        yield supervisor
