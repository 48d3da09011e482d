"""The way in: a file, text, plain data, or a configuration made in code, checked whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from maglev.api import Problem
from maglev.config.advice import warnings
from maglev.config.assemble import assemble, assemble_config
from maglev.config.document import Document, NotYamlError, read_document
from maglev.config.draft import Draft
from maglev.config.errors import ConfigError, Loaded
from maglev.config.faults import Fault, show_path
from maglev.config.faults import Path as KeyPath
from maglev.config.flag_values import FlagValues
from maglev.config.other_process import in_other_process
from maglev.config.plugins import Installed, PluginSet
from maglev.config.schema import Config
from maglev.config.semantics import semantic_errors

MAX_BYTES = 64 * 1024 * 1024
READ_WITHIN_S = 30.0
"""How long reading may take in another process: ten thousand backends take two seconds, on a busy host ten."""


def load(path: str | os.PathLike[str], plugins: Installed, *, flag_values: FlagValues | None = None) -> Loaded:
    """Read and check a file.

    `flag_values` are options of exporters and dataplanes that win over the file's.

    Raises:
        ConfigError: With all that is wrong: the file cannot be read, syntax, type and semantic errors.
    """
    file = os.fspath(path)
    return load_text(_read(file), plugins, file=file, flag_values=flag_values)


def load_vips(path: str | os.PathLike[str]) -> Config:
    """Read what a client has to know of a file: its VIPs, and who serves them.

    Needs no plugin: what belongs to plugins is neither judged nor needed where the dataplane and its certificates are
    not.

    Returns:
        Frontends, backends and health checks, whose `params` are as they stand in the file. The rest is at its default.

    Raises:
        ConfigError: With all that is wrong in these sections.
    """
    file = os.fspath(path)
    document = _document(_read(file), file)
    draft = assemble(document.data, PluginSet(), {})
    draft.faults = [fault for fault in draft.faults if _concerns_clients(fault.path)]
    draft.complain(*document.faults)
    draft = _judged(draft, document, _concerns_clients)
    return Config(healthchecks=draft.healthchecks, backends=draft.backends, frontends=draft.frontends)


def _concerns_clients(path: KeyPath) -> bool:
    if path[:2] == ("maglev", "healthchecks"):
        return path[3:4] not in (("type",), ("params",))
    return len(path) < 2 or path[1] in ("backends", "frontends")


def _read(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            source = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror or error}", file)]) from error
    if len(source) > MAX_BYTES:
        raise ConfigError([Problem("", f"is larger than {MAX_BYTES // 1024**2} MiB", file)])
    return source


def load_text(
    text: str | bytes, plugins: Installed, *, file: str = "", flag_values: FlagValues | None = None
) -> Loaded:
    """Check YAML text.

    Bytes must be UTF-8. `file` is a name for messages; `flag_values` as for `load`.

    Raises:
        ConfigError: With all that is wrong.
    """
    document = _document(text, file)
    draft = assemble(document.data, plugins, flag_values or {})
    draft.complain(*document.faults)
    return _loaded(draft, document)


def _document(text: str | bytes, file: str) -> Document:
    try:
        return read_document(text, file)
    except NotYamlError as error:
        line, column = error.position
        raise ConfigError([Problem("", error.message, file, line, column)]) from error


def load_mapping(data: Mapping[str, Any], plugins: Installed, *, flag_values: FlagValues | None = None) -> Loaded:
    """Check plain data, as YAML would give it: `{"maglev": {…}}`. As `load_text`."""
    return _loaded(assemble(data, plugins, flag_values or {}), Document(data))


def check(config: Config, plugins: Installed) -> Loaded:
    """Check a configuration that was made in code, and put in what it leaves to defaults.

    Options of plugins in it may be instances of their `Options`, mappings of YAML keys, or `None`.

    Raises:
        ConfigError: With all that is wrong.
    """
    return _loaded(assemble_config(config, plugins), Document())


async def load_in_subprocess(
    path: str | os.PathLike[str],
    plugins: Installed,
    *,
    flag_values: FlagValues | None = None,
    within_s: float = READ_WITHIN_S,
) -> Loaded:
    """Load a configuration in another process: reading 10 000 backends would delay probes here for a second.

    A file that does not answer (a pipe that nobody writes to, a dead network disk) stops nothing but that process,
    which is killed after `within_s` seconds. That goes for the files that checks name, too.

    Raises:
        ConfigError: With all that is wrong, or because the time was over.
    """
    file = os.fspath(path)
    work = partial(load, file, PluginSet.of(plugins), flag_values=dict(flag_values or {}))
    try:
        return await in_other_process(work, within_s)
    except TimeoutError:
        message = f"could not be read within {within_s:g} s: it, or a file that it names, does not answer"
        raise ConfigError([Problem("", message, file)]) from None


def _loaded(draft: Draft, document: Document) -> Loaded:
    """Judge a draft, and hand out the configuration with its warnings."""
    _judged(draft, document)
    draft.complain(*warnings(draft))
    return Loaded(draft.config(), tuple(_problems(draft.faults, document)))


def _judged(draft: Draft, document: Document, concerns: Callable[[KeyPath], bool] = lambda _path: True) -> Draft:
    """Look for semantic errors, and raise all errors."""
    unread = _above_what_could_not_be_read(draft)
    wrong = (fault for fault in semantic_errors(draft) if concerns(fault.path))
    draft.complain(*(fault for fault in wrong if fault.at_key or fault.path not in unread))
    errors = [fault for fault in draft.faults if fault.severity != "warning"]
    if errors:
        raise ConfigError(_problems(errors, document))
    return draft


def _above_what_could_not_be_read(draft: Draft) -> set[KeyPath]:
    """Return the paths below which something could not be read: a pool whose only backend is misspelt is not empty."""
    shapes = (fault.path for fault in draft.faults if fault.severity == "shape")
    return {path[:length] for path in shapes for length in range(len(path))}


def _problems(faults: Iterable[Fault], document: Document) -> list[Problem]:
    """Say where each fault stands, in the order of the file."""
    problems = [_problem(fault, document) for fault in faults]
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _problem(fault: Fault, document: Document) -> Problem:
    if fault.source:
        return Problem(fault.source, fault.message, severity=fault.severity)
    line, column = fault.position if fault.position[0] else document.place(fault.path, at_key=fault.at_key)
    return Problem(show_path(fault.path), fault.message, document.file, line, column, fault.severity)
