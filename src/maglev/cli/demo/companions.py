"""Runs what installed distributions have to look at the demonstration with, such as a dashboard.

A distribution names a function under the entry-point group `maglev.demo`, by the name of its plugin. It gets a folder
for its files and the unix socket of the gRPC API, and returns an asynchronous context manager that runs the companion
and gives a few lines that say where to look.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path

import click

from maglev.plugin import PluginManager

GROUP = "maglev.demo"

Companion = Callable[[Path, str], AbstractAsyncContextManager[Sequence[str]]]


def find(plugins: PluginManager) -> list[Companion]:
    """Load the companions of loaded plugins. One that fails is named on standard error and left out."""
    loaded = {plugin.plugin for plugin in plugins.plugins}
    found = []
    for point in entry_points(group=GROUP):
        if point.name in loaded:
            try:
                found.append(point.load())
            except Exception as error:  # noqa: BLE001  (code of another distribution: the demo goes on without it)
                click.echo(f"maglevd: the demo goes on without {point.name}: {error}", err=True)
    return found


@asynccontextmanager
async def running(companions: Sequence[Companion], folder: Path, socket: str) -> AsyncIterator[list[str]]:
    """Run companions while the context lasts.

    `socket` is the unix socket of the gRPC API; where it is empty there is no API, and companions are not run.

    Yields:
        Their lines.
    """
    async with AsyncExitStack() as stack:
        lines: list[str] = []
        for companion in companions if socket else ():
            try:
                lines += await stack.enter_async_context(companion(folder, socket))
            except OSError as error:
                lines.append(f"{companion.__module__} could not be started: {error}")
        yield lines
