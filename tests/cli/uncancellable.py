"""A `maglevd` with an exporter that ignores cancellation; run as a program by `test_stopping.py`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import anyio

from maglev.api import Control, Dataplane, Exporter
from maglev.cli import daemon
from maglev.cli.command import command
from maglev.dataplanes.memory import MemoryDataplane
from maglev.plugin import PluginManager, hookimpl


class Uncancellable(Exporter):
    """Goes on when it is cancelled."""

    name = "uncancellable"

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        ready()
        with anyio.CancelScope(shield=True):
            await anyio.sleep_forever()


class Plugin:
    """Brings it, and the dataplane that every daemon needs."""

    @hookimpl
    def maglev_dataplanes(self) -> Iterable[type[Dataplane]]:
        return (MemoryDataplane,)

    @hookimpl
    def maglev_exporters(self) -> Iterable[type[Exporter]]:
        return (Uncancellable,)


if __name__ == "__main__":
    daemon.SHUTDOWN_DEADLINE_S = float(os.environ["DEADLINE_S"])
    command(PluginManager((Plugin(),), entry_points=()))(prog_name="maglevd")
