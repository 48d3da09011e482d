"""The hooks: how a plugin says what it brings.

Each is called once, by `maglev.plugin.PluginManager`, right after the plugin was loaded: before the configuration is
read, outside any event loop, one implementation at a time and each guarded. A hook only hands over classes; work
happens in the objects that are made of them later. Implement them with a plain function or a generator; `async def`
is refused.
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
    """Hand over kinds of health checks.

    Called by the manager when plugins are loaded. One object is made of each class per health check that names it.

    Returns:
        Classes with a `name` that no other checker has.
    """
    return ()


@hookspec
def maglev_dataplanes() -> Iterable[type[Dataplane]]:
    """Hand over kinds of dataplanes.

    Called by the manager when plugins are loaded. One object is made of the class that the configuration chooses.

    Returns:
        Classes with a `name` that no other dataplane has.
    """
    return ()


@hookspec
def maglev_exporters() -> Iterable[type[Exporter]]:
    """Hand over kinds of exporters.

    Called by the manager when plugins are loaded. One object is made of each class, and served by the daemon.

    Returns:
        Classes with a `name` that no other exporter has.
    """
    return ()
