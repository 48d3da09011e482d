"""The hooks through which a plugin registers its classes.

`maglev.plugin.PluginManager` calls each of them once, after it has loaded the plugin: before the configuration is read,
outside any event loop, one implementation at a time, each with its errors caught. A hook only returns classes; they are
instantiated later. Implement hooks with a plain function or a generator; `async def` is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from maglev.api import Checker, Dataplane, Exporter

hookspec = pluggy.HookspecMarker("maglev")
hookimpl = pluggy.HookimplMarker("maglev")
"""Marks the functions of a plugin that implement hooks: `from maglev.plugin import hookimpl`."""


@hookspec
def maglev_checkers() -> Iterable[type[Checker]]:
    """Return kinds of health checks.

    Called by the manager when plugins are loaded. Each class is instantiated once per health check that names it.

    Returns:
        Classes with a `name` that no other checker has.
    """
    return ()


@hookspec
def maglev_dataplanes() -> Iterable[type[Dataplane]]:
    """Return kinds of dataplanes.

    Called by the manager when plugins are loaded. The class that the configuration names is instantiated.

    Returns:
        Classes with a `name` that no other dataplane has.
    """
    return ()


@hookspec
def maglev_exporters() -> Iterable[type[Exporter]]:
    """Return kinds of exporters.

    Called by the manager when plugins are loaded. Each class is instantiated, and the daemon runs it.

    Returns:
        Classes with a `name` that no other exporter has.
    """
    return ()
