"""Finds the installed plugins, without running any of their code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

import attrs

GROUP = "maglev"
LOAD = "MAGLEV_LOAD_PLUGINS"
TRACE = "MAGLEV_TRACE_PLUGINS"


def find(points: Iterable[EntryPoint] | None = None) -> tuple[EntryPoint, ...]:
    """Find the entry points of all plugins, in the order of their names.

    Args:
        points: Where to look; `None`: the entry points of what is installed.
    """
    group = entry_points(group=GROUP) if points is None else points
    found = {(point.name, *distribution_of(point), point.value): point for point in group}
    return tuple(found[key] for key in sorted(found))


def distribution_of(point: EntryPoint) -> tuple[str, str]:
    """Return name and version of a plugin's distribution; both are empty if it is not known."""
    return ("", "") if point.dist is None else (point.dist.name, point.dist.version)


@attrs.frozen
class Choice:
    """The choice of plugins to load.

    Args:
        chosen: The plugins to load.
        absent: Names that were asked for and are not installed.
        switched_off: The plugins that are installed and were not asked for.
    """

    chosen: tuple[EntryPoint, ...]
    absent: tuple[str, ...] = ()
    switched_off: tuple[EntryPoint, ...] = ()


def wanted(points: Iterable[EntryPoint], environ: Mapping[str, str]) -> Choice:
    """Choose by `MAGLEV_LOAD_PLUGINS`: absent is all, empty is none, else names of plugins or distributions."""
    if LOAD not in environ:
        return Choice(tuple(points))
    names = {name.strip() for name in environ[LOAD].split(",")} - {""}
    labelled = [(point, {point.name, distribution_of(point)[0]}) for point in points]
    return Choice(
        tuple(point for point, labels in labelled if labels & names),
        tuple(sorted(names.difference(*(labels for _, labels in labelled)))),
        tuple(point for point, labels in labelled if not labels & names),
    )
