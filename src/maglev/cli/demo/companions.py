"""What runs beside the demonstration: whatever an installed distribution brings to look at it with, as a dashboard.

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
    """One of them, made with a folder that lasts as long as the demonstration."""

    exporters: ClassVar[Sequence[str]]
    """The exporters that it looks through; without one of them it is left out."""

    def overrides(self) -> Mapping[str, Mapping[str, str]]:
        """Options that it needs, by exporter and by name of the option's field."""
        ...

    def run(self) -> AbstractAsyncContextManager[Sequence[str]]:
        """Run while the context lasts, and tell in a few lines where to look."""
        ...


def find(plugins: PluginManager, folder: Path) -> list[Companion]:
    """Make those that are installed; one that cannot be made is named on standard error, and left out.

    Args:
        plugins: Only what belongs to a plugin that is loaded is made.
        folder: For files of theirs.
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
        except Exception as error:  # noqa: BLE001  (it is a guest, and the demonstration goes on without it)
            click.echo(f"maglevd: the demo goes on without {point.name}: {error}", err=True)
    return found


def merged(overrides: Overrides, companions: Sequence[Companion]) -> Overrides:
    """Add what companions need to what the command line says, which wins."""
    all_of_them = {key: dict(values) for key, values in overrides.items()}
    for companion in companions:
        for exporter, options in companion.overrides().items():
            values = all_of_them.setdefault(("exporter", exporter), {})
            for field, value in options.items():
                values.setdefault(field, Override(value, "the demo"))
    return all_of_them


@asynccontextmanager
async def running(companions: Sequence[Companion]) -> AsyncIterator[list[str]]:
    """Run them while the context lasts; gives what they say of themselves."""
    async with AsyncExitStack() as stack:
        told: list[str] = []
        for companion in companions:
            try:
                told += await stack.enter_async_context(companion.run())
            except OSError as error:
                told.append(f"{type(companion).__module__} could not be started: {error}")
        yield told
