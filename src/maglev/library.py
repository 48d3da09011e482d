"""maglevd as a library: opens a controller, and finds the installed plugins.

Nothing here installs a signal handler, configures logging or keeps global state: that is up to the program.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread

from maglev.api import Dataplane
from maglev.config import Config, FlagValues
from maglev.dataplanes.memory import MemoryDataplane
from maglev.plugin import PluginManager, hookimpl
from maglev.runtime import LiveControl, Settings
from maglev.runtime import open_controller as open_with


class _Memory:
    """The core's own dataplane, registered through the same hooks as those of plugins."""

    __name__ = "maglev.dataplanes.memory"

    @hookimpl
    def maglev_dataplanes(self) -> Iterable[type[Dataplane]]:
        """The dataplane `memory`."""
        return (MemoryDataplane,)


def installed(environ: Mapping[str, str] | None = None) -> PluginManager:
    """Find all installed plugins. One that cannot be loaded is in `.problems`, with the reason.

    Args:
        environ: Where `MAGLEV_LOAD_PLUGINS` and `MAGLEV_TRACE_PLUGINS` are read; by default the process's own.
    """
    return PluginManager((_Memory(),), environ=environ)


@asynccontextmanager
async def open_controller(
    source: Config | Path | str,
    *,
    plugins: PluginManager | None = None,
    dataplane: Dataplane | None = None,
    flag_values: FlagValues | None = None,
    state_dir: Path | None = None,
    observe: bool = False,
) -> AsyncIterator[LiveControl]:
    """Run maglevd inside a program: probes, decisions and dataplane, as long as the context lasts.

    The controller runs in tasks of its own within the context; leaving it stops the probes and leaves the dataplane as
    it is. It is a `maglev.api.Control`: take snapshots, subscribe to events, give commands.

    Args:
        source: A configuration built in code, or the path of a YAML file, which `ReloadConfig` then reads again.
        plugins: What is installed; looked for if not given.
        dataplane: Use this one instead of the one that the configuration names.
        flag_values: Options of the dataplane that win over the file.
        state_dir: Where changes made by commands are kept; by default nowhere.
        observe: Plan and tell, but write nothing to the dataplane.

    Raises:
        maglev.ConfigError: The configuration is not valid; names every problem.
        maglev.runtime.StateError: The state directory is used by another, or its file cannot be read.
    """
    settings = Settings(
        source=source if isinstance(source, Config) else Path(source),
        # Reads what is installed from disk, and imports it.
        plugins=plugins if plugins is not None else await anyio.to_thread.run_sync(installed),
        dataplane=dataplane,
        flag_values=flag_values or {},
        state_dir=state_dir,
        observe=observe,
    )
    async with open_with(settings) as controller:
        yield controller
