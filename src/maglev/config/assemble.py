"""From the data of a document, or from values made in code, to a draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from maglev.config.draft import ANCHORS, CORE_KEYS, Draft
from maglev.config.faults import Fault, Path
from maglev.config.flag_values import FlagValues
from maglev.config.plugins import OFFICIAL, Installed, explain_missing
from maglev.config.schema import BackendConfig, Config, FrontendConfig, HealthCheckConfig, HealthCheckerConfig, LbConfig
from maglev.config.sections import is_enabled, read_exporters, read_options, read_params

_TOP = "maglev"
_MEMORY = "memory"


def assemble(data: Any, plugins: Installed, flag_values: FlagValues) -> Draft:
    """Read the data of a document."""
    draft = Draft(plugins)
    section = _top(draft, data)
    dataplanes = _Dataplanes(draft, section, flag_values)
    for key in section:
        if key not in CORE_KEYS and key not in dataplanes.sections and not str(key).startswith(ANCHORS):
            known = [*CORE_KEYS, *sorted(plugins.dataplanes)]
            hint = draft.speller.hint(key, known) or f"; known here: {', '.join(known)}"
            draft.complain(Fault((_TOP, key), f"unknown key {key!r}{hint}", at_key=True))
    checker = draft.structure((_TOP, "healthchecker"), section.get("healthchecker"), HealthCheckerConfig)
    draft.healthchecker = HealthCheckerConfig() if checker is attrs.NOTHING else checker
    draft.healthchecks = _named(draft, section, "healthchecks", HealthCheckConfig)
    draft.backends = _named(draft, section, "backends", BackendConfig)
    draft.frontends = _named(draft, section, "frontends", FrontendConfig)
    dataplanes.read()
    read_exporters(draft, section.get("exporters"), flag_values)
    for name, check in list(draft.healthchecks.items()):
        read_params(draft, name, check)
    return draft


def assemble_config(config: Config, plugins: Installed) -> Draft:
    """Read a configuration that was made in code."""
    draft = Draft(plugins)
    draft.healthchecker = config.healthchecker
    draft.lb = config.lb
    draft.dataplane = config.dataplane
    draft.lb_path = (_TOP, config.dataplane, "lb")
    for name in ("healthchecks", "backends", "frontends"):
        values = getattr(config, name)
        draft.named[name] = frozenset(values)
        getattr(draft, name).update(values)
    dataplanes = _Dataplanes(draft, {"dataplane": config.dataplane, config.dataplane: config.dataplane_options}, {})
    dataplanes.choose(config.dataplane)
    read_exporters(draft, config.exporters, {})
    for name, check in config.healthchecks.items():
        read_params(draft, name, check)
    return draft


def _top(draft: Draft, data: Any) -> Mapping[str, Any]:
    if data is None:
        draft.complain(Fault((), f"the document is empty: a mapping with the key {_TOP!r} is needed"))
        return {}
    if not isinstance(data, Mapping):
        draft.complain(Fault((), f"the whole must be a mapping with the key {_TOP!r}"))
        return {}
    for key in data:
        if key != _TOP and not str(key).startswith(ANCHORS):
            draft.complain(Fault((key,), f"unknown key {key!r}; everything must be below {_TOP!r}", at_key=True))
    if _TOP not in data:
        draft.complain(Fault((), f"the key {_TOP!r} is missing"))
    return draft.mapping((_TOP,), data.get(_TOP))


def _named(draft: Draft, section: Mapping[str, Any], key: str, cls: type[Any]) -> dict[str, Any]:
    path: Path = (_TOP, key)
    raw = draft.mapping(path, section.get(key))
    draft.named[key] = frozenset(raw)
    values = {name: draft.structure((*path, name), item, cls) for name, item in raw.items()}
    return {name: value for name, value in values.items() if value is not attrs.NOTHING}


class _Dataplanes:
    """The sections of the dataplanes, and which of them is meant."""

    def __init__(self, draft: Draft, section: Mapping[str, Any], flag_values: FlagValues) -> None:
        self._draft = draft
        self._section = section
        self._flag_values = flag_values
        known, explicit = draft.plugins.dataplanes, section.get("dataplane")
        self.sections = tuple(
            key
            for key in section
            if key not in CORE_KEYS and (key in known or ("dataplane", key) in OFFICIAL or key == explicit)
        )

    def read(self) -> None:
        """Read all sections, choose a dataplane, and take its options and its `lb`."""
        draft = self._draft
        explicit = draft.structure(draft.dataplane_path, self._section.get("dataplane"), str | None)
        lbs = {name: self._read_lb(name) for name in self.sections}
        if explicit is attrs.NOTHING:
            return
        options = {name: self._read_options(name) for name in self.sections if name in draft.plugins.dataplanes}
        off = "" if explicit else next((name for name in options if self._is_off(name, options[name])), "")
        chosen = explicit or next((name for name in self.sections if name not in (_MEMORY, off)), _MEMORY)
        self.choose(chosen, options.get(chosen))
        lb_of = chosen if chosen in lbs or not off else off
        draft.lb_path = (_TOP, lb_of, "lb")
        draft.lb = lbs.get(lb_of, draft.lb)
        for name in self.sections:
            if name not in (chosen, off):
                message = f"this section is not used: the dataplane is {chosen}"
                draft.complain(Fault((_TOP, name), message, "warning", at_key=True))

    def choose(self, name: str, options: Any = None) -> None:
        """Use a dataplane: complain if it is not there or has nothing to connect to.

        Args:
            name: The dataplane's name.
            options: Its options, if they were read already.
        """
        draft = self._draft
        draft.dataplane = name
        where = draft.dataplane_path if self._section.get("dataplane") else (_TOP, name)
        cls = draft.plugins.dataplanes.get(name)
        if cls is None:
            message = explain_missing("dataplane", name, draft.plugins.dataplanes, draft.plugins, draft.speller)
            draft.complain(Fault(where, message, "meaning", at_key=len(where) == 2 and where[1] == name))
            return
        draft.dataplane_options = self._read_options(name) if options is None else options
        if not is_enabled(draft, (_TOP, name), cls, draft.dataplane_options):
            draft.complain(Fault(where, f"dataplane {name} is switched off: its address is empty", "meaning"))

    def _is_off(self, name: str, options: Any) -> bool:
        """Tell whether a dataplane has an empty address; what else is wrong with it is said if it is chosen."""
        cls = self._draft.plugins.dataplanes[name]
        return name != _MEMORY and not is_enabled(Draft(self._draft.plugins), (_TOP, name), cls, options)

    def _read_lb(self, name: str) -> LbConfig:
        raw = self._draft.mapping((_TOP, name), self._section.get(name))
        lb = self._draft.structure((_TOP, name, "lb"), raw.get("lb"), LbConfig)
        return LbConfig() if lb is attrs.NOTHING else lb

    def _read_options(self, name: str) -> Any:
        """Read what an installed dataplane's section says beside `lb`; returns as `sections.read_options`."""
        raw = self._section.get(name)
        own = {key: value for key, value in raw.items() if key != "lb"} if isinstance(raw, Mapping) else raw
        cls = self._draft.plugins.dataplanes[name]
        return read_options(self._draft, (_TOP, name), own, cls.Options, self._flag_values.get(("dataplane", name), {}))
