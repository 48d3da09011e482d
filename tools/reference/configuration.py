"""Writes the reference page of the configuration from the options' own metadata."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Union, get_args, get_origin

import attrs

from maglev.api import Reload
from maglev.config.describe import describe_type
from maglev.config.fields import Key, keys_of
from maglev.config.json_schema import plain
from maglev.config.plugins import OFFICIAL, Installed, PluginSet
from maglev.config.rules import allowed_by
from maglev.config.schema import (
    BackendConfig,
    FrontendConfig,
    HealthCheckConfig,
    HealthCheckerConfig,
    LbConfig,
    MemberConfig,
    PoolConfig,
)
from maglev.plugin import PluginManager

_INTRODUCTION = """\
# Configuration reference

<!-- Written by `python -m tools.reference` from the classes of options: change it there. -->

The configuration is one YAML file, with everything below `maglev:`. `maglevd schema` prints a JSON schema for editors.

- A key that is not listed here is an error.
- A value of another type is an error: 5 is not a string, "10" is not a number, `no` is not a boolean.
- A *duration* is written as in Go (`500ms`, `1m30s`, `1h`), in days (`14d`) or as a number of seconds.
- A name has 1 to 200 printable characters. It can contain blanks, but not begin or end with one.
- Aliases (`*name`) and merges (`<<: *name`) are allowed. Put their anchors (`&name`) into keys that begin with `x-`,
  beside or directly below `maglev`: maglevd ignores these keys.

`maglevd check` prints all problems at once, as `file:line:column: path: problem, allowed values`. Its exit status:

| status | meaning |
|---|---|
| 0 | the file is valid; there may be warnings |
| 1 | a syntax or type error |
| 2 | a semantic error: the values have the right form but do not fit together |

`maglev.dataplane` names the dataplane that holds the VIPs. By default it is the first dataplane other than `memory`
that has a section and is not switched off by an empty address. If there is none, it is `memory`.
"""

_LOST_PACKETS = """\
### Timeouts and lost packets

TCP sends a lost packet again, if the timeout is long enough. Add to the times below a round trip and the server's own
time. On Linux:

| lost | sent again after | the probe fails with |
|---|---|---|
| one SYN, or the answer to it | 1 s | `timeout: 1s` or less |
| two in a row | 2 s since Linux 6.5, 3 s before | `timeout: 2s` (`3s`) or less |
| three in a row | 3 s since Linux 6.5, 7 s before | `timeout: 3s` (`7s`) or less |
| one with data | 200 ms and a round trip, then twice as long each time | `timeout: 200ms` or less |
| ICMP, UDP | never | any timeout |

With the default of 1.5s, one lost SYN is not a failure. A shorter timeout finds dead backends sooner. A single lost
packet then counts as a failure, but does not take a backend down unless `fall` is 1.
"""
_NOTES: Mapping[type[Any], str] = {HealthCheckConfig: _LOST_PACKETS}

_CORE: tuple[tuple[str, type[Any]], ...] = (
    ("maglev.healthchecker", HealthCheckerConfig),
    ("maglev.&lt;dataplane&gt;.lb", LbConfig),
    ("maglev.healthchecks.&lt;name&gt;", HealthCheckConfig),
    ("maglev.backends.&lt;name&gt;", BackendConfig),
    ("maglev.frontends.&lt;name&gt;", FrontendConfig),
    ("maglev.frontends.&lt;name&gt;.pools[]", PoolConfig),
    ("maglev.frontends.&lt;name&gt;.pools[].backends.&lt;name&gt;", MemberConfig),
)


def page() -> str:
    """Return the page, with the options of the official plugins: others have pages of their own."""
    found = PluginSet.of(PluginManager(environ={}))
    return reference(
        PluginSet(
            {name: cls for name, cls in found.checkers.items() if ("checker", name) in OFFICIAL},
            {name: cls for name, cls in found.dataplanes.items() if ("dataplane", name) in OFFICIAL},
            {name: cls for name, cls in found.exporters.items() if ("exporter", name) in OFFICIAL},
        )
    )


def reference(plugins: Installed) -> str:
    """Return the page, in Markdown.

    Args:
        plugins: Whose options are to be listed beside the core's.
    """
    parts = [_INTRODUCTION, *(_section(title, cls) for title, cls in (*_CORE, *_of_plugins(plugins)))]
    return "\n".join(parts)


def _of_plugins(plugins: Installed) -> Iterator[tuple[str, type[Any]]]:
    for name, checker in sorted(plugins.checkers.items()):
        yield f"`params` of type `{name}`", checker.Options
    for name, dataplane in sorted(plugins.dataplanes.items()):
        yield f"maglev.{name} (beside `lb`)", dataplane.Options
    for name, exporter in sorted(plugins.exporters.items()):
        yield f"maglev.exporters.{name}", exporter.Options


def _section(title: str, cls: type[Any]) -> str:
    keys = keys_of(cls)
    lead = (inspect.getdoc(cls) or "").partition("\n\n")[0]
    if not keys:
        return f"## {title}\n\nNothing to set.\n"
    head = f"## {title}\n\n{lead}\n"
    rows = [_row(key) for key in keys]
    notes = [_NOTES[cls]] if cls in _NOTES else []
    return "\n".join([head, "| key | type | default | meaning |", "|---|---|---|---|", *rows, "", *notes])


def _row(key: Key) -> str:
    notes = [key.info.help + "."]
    if allowed := allowed_by(key.attribute):
        notes.append(f"Allowed: {allowed}.")
    if key.info.examples:
        notes.append(f"Example: {', '.join(f'`{_literal(example)}`' for example in key.info.examples)}.")
    if key.info.flag:
        notes.append(f"Flag `--{key.info.flag}`, environment `{key.info.envvar}`.")
    if key.info.reload is Reload.RESTART:
        notes.append("A change needs a restart.")
    cells = (f"`{key.name}`", _type_words(key.type), _default_words(key), " ".join(notes))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _type_words(wanted: Any) -> str:
    if wanted is timedelta:
        return "duration"
    origin, arguments = get_origin(wanted), [a for a in get_args(wanted) if a is not type(None)]
    if origin in (Union, types.UnionType) and len(arguments) == 1:
        return _type_words(arguments[0])
    if origin in (dict, Mapping):
        return f"mapping of names to {_type_words(arguments[1])}"
    if origin in (list, tuple, Sequence) and arguments:
        return f"list of {_type_words(arguments[0])}"
    if wanted is Any or attrs.has(origin or wanted):
        return "mapping"
    return describe_type(wanted).removeprefix("a ").removeprefix("an ")


def _default_words(key: Key) -> str:
    if key.required:
        return "required"
    default = plain(key.default)
    return "–" if default in (None, "", [], {}) else f"`{_literal(default)}`"


def _literal(value: Any) -> str:
    written = json.dumps(plain(value), ensure_ascii=False)
    return written[1:-1].replace('\\"', '"') if isinstance(value, str) else written
