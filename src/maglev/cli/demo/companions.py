"""Runs what installed distributions have to look at the demonstration with, such as a dashboard.

A distribution names a class under the entry-point group `maglev.demo`, by the name of its plugin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Protocol

import click

from maglev.config import Override, Overrides
from maglev.plugin import PluginManager

GROUP = "maglev.demo"


class Companion(Protocol):
    """A class of that group. It is constructed with a folder that lasts as long as the demonstration."""

    exporters: ClassVar[Sequence[str]]
    """The exporters that it needs; without one of them it is left out."""

    def overrides(self) -> Mapping[str, Mapping[str, str]]:
        """Return options that it needs, by exporter and by name of the option's field."""
        ...

    def run(self) -> AbstractAsyncContextManager[Sequence[str]]:
        """Run while the context lasts; gives a few lines that say where to look."""
        ...


def find(plugins: PluginManager, folder: Path) -> list[Companion]:
    """Construct the installed ones. One that fails is named on standard error and left out.

    Args:
        plugins: Only companions of loaded plugins are constructed.
        folder: For their files.
    """
    loaded = {plugin.plugin for plugin in plugins.plugins}
    found = []
    for point in entry_points(group=GROUP):
        if point.name not in loaded:
            continue
        try:
            kind: Any = point.load()
            if all(exporter in plugins.exporters for exporter in kind.exporters):
                found.append(kind(folder))
        except Exception as error:  # noqa: BLE001  (code of another distribution: the demo goes on without it)
            click.echo(f"maglevd: the demo goes on without {point.name}: {error}", err=True)
    return found


def merged(overrides: Overrides, companions: Sequence[Companion]) -> Overrides:
    """Add the options that companions need to those of the command line, which win."""
    result = {key: dict(values) for key, values in overrides.items()}
    for companion in companions:
        for exporter, options in companion.overrides().items():
            values = {field: Override(value, "the demo") for field, value in options.items()}
            result["exporter", exporter] = values | result.get(("exporter", exporter), {})
    return result


@asynccontextmanager
async def running(companions: Sequence[Companion]) -> AsyncIterator[list[str]]:
    """Run companions while the context lasts; gives their lines."""
    async with AsyncExitStack() as stack:
        lines: list[str] = []
        for companion in companions:
            try:
                lines += await stack.enter_async_context(companion.run())
            except OSError as error:
                lines.append(f"{type(companion).__module__} could not be started: {error}")
        yield lines
