"""Finds the installed plugins, without running any of their code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

import attrs

GROUP = "maglev"
LOAD = "MAGLEV_LOAD_PLUGINS"
TRACE = "MAGLEV_TRACE_PLUGINS"


@attrs.frozen
class Candidate:
    """A plugin that might be loaded.

    Args:
        plugin: The name of its entry point.
        distribution: Its distribution; empty if not known.
        version: Of the distribution.
        entry_point: Loads it.
    """

    plugin: str
    distribution: str
    version: str
    entry_point: EntryPoint


def find(points: Iterable[EntryPoint] | None = None) -> tuple[Candidate, ...]:
    """Find all plugins, in the order of their names.

    Args:
        points: Where to look; `None`: the entry points of what is installed.
    """
    group = entry_points(group=GROUP) if points is None else points
    candidates = {_candidate(point) for point in group}
    return tuple(sorted(candidates, key=lambda candidate: (candidate.plugin, candidate.distribution)))


def _candidate(point: EntryPoint) -> Candidate:
    distribution = point.dist
    name, version = (distribution.name, distribution.version) if distribution is not None else ("", "")
    return Candidate(point.name, name, version, point)


def wanted(
    candidates: Iterable[Candidate], environ: Mapping[str, str]
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Choose by `MAGLEV_LOAD_PLUGINS`: absent is all, empty is none, else names of plugins or distributions.

    Returns:
        The plugins to load, and the names of those that are not installed.
    """
    if LOAD not in environ:
        return tuple(candidates), ()
    names = {name.strip() for name in environ[LOAD].split(",")} - {""}
    chosen = tuple(c for c in candidates if c.plugin in names or c.distribution in names)
    known = {name for c in chosen for name in (c.plugin, c.distribution)}
    return chosen, tuple(sorted(names - known))
