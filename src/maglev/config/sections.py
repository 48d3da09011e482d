"""Reads the sections that plugins own: the options of exporters, dataplanes and checkers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import attrs

from maglev.api import Dataplane, redacted, secrets_of
from maglev.api.secrecy import secret_texts
from maglev.config.draft import Draft
from maglev.config.faults import Fault, MisfitError, Path, Severity
from maglev.config.fields import keys_of, message_of
from maglev.config.flag_values import FlagValue, FlagValues, plain_from_text
from maglev.config.plugins import explain_missing
from maglev.config.schema import HealthCheckConfig


def read_options(draft: Draft, path: Path, raw: Any, cls: type[Any], flag_values: Mapping[str, FlagValue]) -> Any:
    """Read a plugin's options, with what comes from outside the file put over it.

    `raw` is what stands at the path; an instance of `cls` (of a configuration made in code) is taken as it is.

    Returns:
        An instance, in part at least; `attrs.NOTHING` if it could not be made.
    """
    if isinstance(raw, cls):
        return raw
    sources: dict[str, str] = {}
    section = dict(draft.mapping(path, raw))
    for key in keys_of(cls):
        value = flag_values.get(key.attribute.name)
        if value is None:
            continue
        try:
            section[key.name] = plain_from_text(value.value, key.type)
            sources[key.name] = value.source
        except MisfitError as error:
            secrets = tuple(secret_texts(value.value, key.info.secret))
            for fault in error.faults:
                draft.complain(attrs.evolve(fault, message=redacted(fault.message, secrets), source=value.source))
    try:
        return draft.structurer.structure(section, cls)
    except MisfitError as error:
        draft.complain(*(_placed(fault, path, sources) for fault in error.faults))
        return error.partial


def _placed(fault: Fault, path: Path, sources: Mapping[str, str]) -> Fault:
    source = sources.get(str(fault.path[0]), "") if fault.path else ""
    return attrs.evolve(fault.below(*path), source=source)


def try_constructor(draft: Draft, path: Path, cls: Any, options: Any, severity: Severity = "meaning") -> Any:
    """Make a checker, dataplane or exporter once, to learn whether it takes its options.

    `severity` says how bad it is if it does not.

    Returns:
        It, or `None`.
    """
    try:
        return cls(options)
    except Exception as error:  # noqa: BLE001  (a plugin's own code: no fault of it may end the loader)
        draft.complain(Fault(path, redacted(message_of(error), secrets_of(options)), severity))
        return None


def read_exporters(draft: Draft, raw: Any, flag_values: FlagValues) -> None:
    """Read `exporters`: the options of all that are installed, and complain of those that are not."""
    path: Path = ("maglev", "exporters")
    named = draft.mapping(path, raw)
    known = draft.plugins.exporters
    for name in named:
        if name not in known:
            message = explain_missing("exporter", name, known, draft.plugins, draft.speller)
            draft.complain(Fault((*path, name), message, "meaning", at_key=True))
    for name, cls in sorted(known.items()):
        given = flag_values.get(("exporter", name), {})
        if name not in named and not given and any(key.required for key in keys_of(cls.Options)):
            continue  # installed, and nobody asked for it
        before = len(draft.faults)
        options = read_options(draft, (*path, name), named.get(name), cls.Options, given)
        if len(draft.faults) == before:
            asked_for = name in named or bool(given)
            # One that nobody asked for must not keep the daemon from its work.
            made = try_constructor(draft, (*path, name), cls, options, "meaning" if asked_for else "warning")
            if made is not None or asked_for:
                draft.exporters[name] = options


def read_params(draft: Draft, name: str, check: HealthCheckConfig) -> None:
    """Read a check's `params` by its type, and make the checker once to learn whether it takes them."""
    path: Path = ("maglev", "healthchecks", name)
    cls = draft.plugins.checkers.get(check.type)
    if cls is None:
        known = draft.plugins.checkers
        message = explain_missing("checker", check.type, known, draft.plugins, draft.speller)
        draft.complain(Fault((*path, "type"), message, "meaning"))
        return
    before = len(draft.faults)
    options = read_options(draft, (*path, "params"), check.params, cls.Options, {})
    # `attrs.evolve` would refuse a check that is in part wrong already.
    draft.healthchecks[name] = changed = copy.copy(check)
    object.__setattr__(changed, "params", None if options is attrs.NOTHING else options)
    if len(draft.faults) > before:
        return
    checker = try_constructor(draft, (*path, "params"), cls.build, options)
    if checker is not None:
        draft.tried.append(checker)
        try:
            checker.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            message = f"checker {check.type} could not be closed: {type(error).__name__}: {error}"
            draft.complain(Fault((*path, "type"), redacted(message, secrets_of(options)), "warning"))


def is_enabled(draft: Draft, path: Path, cls: type[Dataplane], options: Any) -> bool:
    """Tell whether a dataplane has anything to connect to: an empty address switches it off."""
    if options is attrs.NOTHING:
        return True
    dataplane = try_constructor(draft, path, cls, options)
    return dataplane is None or bool(getattr(dataplane, "enabled", True))
