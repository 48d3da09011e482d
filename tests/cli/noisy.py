"""A `maglevd` with an exporter that writes to standard error past the log; run as a program by `test_unread_log.py`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import anyio

from maglev.api import Control, Dataplane, Exporter
from maglev.cli.command import command
from maglev.dataplanes.memory import MemoryDataplane
from maglev.plugin import PluginManager, hookimpl


class Noisy(Exporter):
    """Writes as a C library would, and as `print` does: much more than a pipe holds."""

    name = "noisy"

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        for number in range(200):
            os.write(2, b"noise \x1b[2J %d\n" % number)
            sys.stderr.write("n" * 1000 + "\n")
            sys.stderr.flush()
        await anyio.Path(DONE).touch()
        ready()
        await anyio.sleep_forever()


class Plugin:
    """Brings it, and the dataplane that every daemon needs."""

    @hookimpl
    def maglev_dataplanes(self) -> Iterable[type[Dataplane]]:
        return (MemoryDataplane,)

    @hookimpl
    def maglev_exporters(self) -> Iterable[type[Exporter]]:
        return (Noisy,)


if __name__ == "__main__":
    DONE = Path(sys.argv.pop(1))
    command(PluginManager((Plugin(),), entry_points=()))(prog_name="maglevd")
