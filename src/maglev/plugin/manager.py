"""Loads plugins one by one and registers what they provide. An error in a plugin affects only that plugin."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint
from operator import itemgetter
from typing import Any

import attrs
import pluggy

from maglev.api import Checker, Dataplane, Exporter
from maglev.plugin import finding, spec
from maglev.plugin.hooks import HOOKS, RefusedError, call, kind_of, register

BUILT_IN = "built-in"


@attrs.frozen
class PluginInfo:
    """A plugin that was loaded.

    Args:
        plugin: The name of its entry point.
        distribution: Its distribution; `built-in` for the core's own.
        version: Of the distribution; empty for the core's own.
        origin: The module it was loaded from.
        gives: Kind and name of all that it provides: `(("checker", "http"), ("checker", "https"))`.
    """

    plugin: str
    distribution: str
    version: str
    origin: str
    gives: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """The name in messages: `http (maglev-http 0.1.0)`."""
        by = " ".join(filter(None, (self.distribution, self.version)))
        return f"{self.plugin} ({by})" if by else self.plugin


@attrs.frozen
class PluginProblem:
    """A plugin, or a class of it, that cannot be used.

    Args:
        plugin: The name of its entry point.
        distribution: Its distribution; empty if not known.
        message: Why it cannot be used.
    """

    plugin: str
    distribution: str
    message: str

    def __str__(self) -> str:
        by = f" ({self.distribution})" if self.distribution else ""
        return f"plugin {self.plugin}{by}: {self.message}"


class PluginManager:
    """The installed plugins. The constructor loads them all; plugins that cannot be used are in `problems`.

    Args:
        builtins: Modules or objects of the core that implement hooks; always loaded.
        environ: For `MAGLEV_LOAD_PLUGINS` and `MAGLEV_TRACE_PLUGINS`; `None`: the process's own.
        entry_points: Where to look for plugins; `None`: what is installed.
    """

    def __init__(
        self,
        builtins: Iterable[object] = (),
        *,
        environ: Mapping[str, str] | None = None,
        entry_points: Iterable[EntryPoint] | None = None,
    ) -> None:
        environment = os.environ if environ is None else environ
        self._tracing = environment.get(finding.TRACE, "") not in ("", "0")
        self._pluggy = pluggy.PluginManager("maglev")
        self._pluggy.add_hookspecs(spec)
        self._classes: dict[str, dict[str, Any]] = {kind_of(hook): {} for hook in HOOKS}
        self._owners: dict[tuple[str, str], PluginInfo] = {}
        self._plugins: list[PluginInfo] = []
        self._problems: list[PluginProblem] = []
        for plugin in builtins:
            origin = str(getattr(plugin, "__name__", type(plugin).__name__))
            self._add(plugin, PluginInfo(origin.removesuffix(".plugin").rpartition(".")[2], BUILT_IN, "", origin))
        choice = finding.wanted(finding.find(entry_points), environment)
        off = ((point.name, finding.distribution_of(point)[0]) for point in choice.switched_off)
        self._switched_off = frozenset(name for names in off for name in names if name)
        told = f"named in {finding.LOAD}, but not installed"
        self._problems += (PluginProblem(name, "", told) for name in choice.absent)
        for point in choice.chosen:
            self._load(point)

    @property
    def checkers(self) -> Mapping[str, type[Checker]]:
        """All checkers, by the name after `type:`."""
        return self._classes["checker"]

    @property
    def dataplanes(self) -> Mapping[str, type[Dataplane]]:
        """All dataplanes, by name."""
        return self._classes["dataplane"]

    @property
    def exporters(self) -> Mapping[str, type[Exporter]]:
        """All exporters, by name."""
        return self._classes["exporter"]

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """The loaded plugins, the core's own first, each with those of its classes that are used."""
        return tuple(
            attrs.evolve(info, gives=tuple((kind, name) for kind, name in info.gives if name in self._classes[kind]))
            for info in self._plugins
        )

    @property
    def switched_off(self) -> frozenset[str]:
        """Names of plugins and distributions that are installed, and not loaded as `MAGLEV_LOAD_PLUGINS` wants it."""
        return self._switched_off

    @property
    def problems(self) -> tuple[PluginProblem, ...]:
        """The plugins that cannot be used, with the reasons."""
        return tuple(self._problems)

    def _load(self, point: EntryPoint) -> None:
        info = PluginInfo(point.name, *finding.distribution_of(point), point.value)
        try:
            plugin = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001  (code of others: whatever it raises, the daemon starts)
            self._refuse(info, f"{type(error).__name__}: {error}")
            return
        self._add(plugin, info)

    def _add(self, plugin: object, info: PluginInfo) -> None:
        """Register a loaded plugin and the classes that its hooks return."""
        try:
            hooks = register(self._pluggy, plugin, info.label)
            returned = {hook: call(hook, function) for hook, function in hooks.items()}
        except RefusedError as error:
            self._refuse(info, str(error))
            return
        gives: list[tuple[str, str]] = []
        for hook, classes in returned.items():
            self._trace(f"{hook}() of {info.label}: {', '.join(cls.name for cls in classes) or 'nothing'}")
            kind = kind_of(hook)
            gives += ((kind, cls.name) for cls in classes if self._add_class(kind, cls, info))
        self._plugins.append(attrs.evolve(info, gives=tuple(sorted(gives, key=itemgetter(0)))))

    def _add_class(self, kind: str, cls: Any, info: PluginInfo) -> bool:
        """Register a class, unless another plugin has one of that name: then neither is used."""
        name: str = cls.name
        other = self._owners.setdefault((kind, name), info)
        if other is info:
            self._classes[kind][name] = cls
            return True
        message = f"{kind} {name!r} is given by {other.label} and by {info.label}: neither is used, remove one"
        if self._classes[kind].pop(name, None) is not None:
            self._refuse(other, message)
        self._refuse(info, message)
        return False

    def _refuse(self, info: PluginInfo, message: str) -> None:
        self._trace(f"{info.label} refused: {message}")
        self._problems.append(PluginProblem(info.plugin, info.distribution, message))

    def _trace(self, line: str) -> None:
        if self._tracing:
            sys.stderr.write(f"maglev plugins: {line}\n")
