"""Tells the configuration which plugins are installed, and which to install for a missing one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal, Protocol, TypeVar

import attrs

from maglev.api import Checker, Dataplane, Exporter
from maglev.config.describe import either
from maglev.domain.names import Speller

Kind = Literal["checker", "dataplane", "exporter"]

OFFICIAL: Mapping[tuple[Kind, str], str] = {
    ("checker", "http"): "maglev-http",
    ("checker", "https"): "maglev-http",
    ("checker", "tcp"): "maglev-tcp",
    ("checker", "icmp"): "maglev-icmp",
    ("dataplane", "vpp"): "maglev-vpp",
    ("exporter", "grpc"): "maglev-grpc",
    ("exporter", "prometheus"): "maglev-prometheus",
}
"""Which distribution gives what, for those who have not installed it."""

_WORDS: Mapping[Kind, str] = {"checker": "type", "dataplane": "dataplane", "exporter": "exporter"}


class FailedPlugin(Protocol):
    """A plugin that could not be loaded."""

    @property
    def plugin(self) -> str:
        """The name of its entry point."""

    @property
    def distribution(self) -> str:
        """Its distribution; empty if not known."""

    @property
    def message(self) -> str:
        """The reason why it could not be loaded."""


class Installed(Protocol):
    """The classes of the plugins; `maglev.plugin.PluginManager` is one."""

    @property
    def checkers(self) -> Mapping[str, type[Checker]]:
        """Checkers by name."""

    @property
    def dataplanes(self) -> Mapping[str, type[Dataplane]]:
        """Dataplanes by name."""

    @property
    def exporters(self) -> Mapping[str, type[Exporter]]:
        """Exporters by name."""

    @property
    def problems(self) -> Sequence[FailedPlugin]:
        """The plugins that could not be loaded."""

    @property
    def switched_off(self) -> AbstractSet[str]:
        """Names of plugins and distributions that are installed, and not to be loaded."""


@attrs.frozen
class PluginSet:
    """Plain mappings of what is installed; can be pickled, and made by hand."""

    checkers: Mapping[str, type[Checker]] = attrs.field(factory=dict)
    dataplanes: Mapping[str, type[Dataplane]] = attrs.field(factory=dict)
    exporters: Mapping[str, type[Exporter]] = attrs.field(factory=dict)
    problems: Sequence[FailedPlugin] = ()
    switched_off: AbstractSet[str] = frozenset()

    @classmethod
    def of(cls, plugins: Installed) -> PluginSet:
        """Copy what a plugin manager has found."""
        return cls(
            dict(plugins.checkers),
            dict(plugins.dataplanes),
            dict(plugins.exporters),
            tuple(plugins.problems),
            plugins.switched_off,
        )


_Class = TypeVar("_Class")


def explain_missing(kind: Kind, name: str, known: Mapping[str, _Class], plugins: Installed, speller: Speller) -> str:
    """Say why there is nothing of a kind under a name, and what to do about it."""
    word = _WORDS[kind]
    official = OFFICIAL.get((kind, name))
    for problem in plugins.problems:
        if (official is not None and problem.distribution == official) or problem.plugin == name:
            label = problem.distribution or problem.plugin
            return f"{word} {name} needs plugin {label}, which failed to load: {problem.message}"
    off = next((label for label in (official, name) if label in plugins.switched_off), None)
    if off is not None:
        return (
            f"{word} {name} needs plugin {off}, which is installed and switched off: MAGLEV_LOAD_PLUGINS leaves it out"
        )
    if official is not None:
        return f"{word} {name} needs plugin {official}, which is not installed (pip install {official})"
    hint = speller.hint(name, known) or f"; installed: {either(sorted(known)) if known else 'none'}"
    failed = ", ".join(problem.distribution or problem.plugin for problem in plugins.problems)
    return f"there is no {word} {name!r}{hint}" + (f" (failed to load: {failed})" if failed else "")
