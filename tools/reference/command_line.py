"""Writes the reference page of `maglevd` from the command itself."""

from __future__ import annotations

from collections.abc import Iterator

import click

from maglev.cli.command import command
from maglev.cli.options import own_flags
from maglev.config import FlaggedOption
from maglev.config.plugins import OFFICIAL
from maglev.library import installed
from tools.reference.options import HEAD, options_table

_OPENING = """\
# maglevd: the command line

<!-- Written by `python -m tools.reference` from the command itself: change it there. -->

Every option has an environment variable; the option takes precedence. You can write long options with one dash too
(`-config x`, `-observe=false`).

Exporters and dataplanes add their own options. `maglevd --help` shows those of the installed plugins. They take
precedence over the keys of the [configuration](configuration.md).
"""

_CLOSING = """\
## Environment

| variable | effect |
|---|---|
| `MAGLEV_LOAD_PLUGINS` | load only these plugins, by name, separated by commas; empty: only the core's own |
| `MAGLEV_TRACE_PLUGINS` | `1`: print each call of a plugin and its result |
| `NOTIFY_SOCKET`, `WATCHDOG_USEC` | set by systemd: the socket for status messages, and the interval of the watchdog |

## Signals

| signal | effect |
|---|---|
| `SIGHUP` | reload the configuration; an invalid file changes nothing, and the log has its errors |
| `SIGTERM`, `SIGINT` | end event streams and exporters, and exit with 0; the dataplane stays as it is |
| a second `SIGINT` | exit at once |

## Exit status

| command | status |
|---|---|
| `maglevd` | 0: stopped by a signal; 1 or 2: invalid configuration, as below; 1: another failure; 2: wrong option |
| `maglevd check`, `--check` | 0: valid; 1: syntax or type error; 2: semantic error |
| `maglevd import` | 1: nothing to import, or a file cannot be read; 2: wrong option |
| `maglevd plugins` | 1: a plugin could not be loaded |
| `maglevd demo --once` | 1: a prediction was wrong |
"""


def page() -> str:
    """Write the page: what the core has, and what the official plugins bring."""
    group = command(installed(environ={"MAGLEV_LOAD_PLUGINS": ""}))
    return "\n".join(
        [
            *(_OPENING, "## Options", "", options_table(group), ""),
            *("## Options of plugins", "", HEAD, *map(_row, _official()), ""),
            *("## Subcommands", "", *_subcommands(group), _CLOSING),
        ]
    )


def _official() -> Iterator[FlaggedOption]:
    plugins = installed(environ={})
    return (one for one in own_flags(plugins) if (one.kind, one.plugin) in OFFICIAL)


def _row(one: FlaggedOption) -> str:
    flag = one.info.flag
    names = f"`--{flag}` / `--no-{flag}`" if one.is_switch else f"`--{flag}` `VALUE`"
    default = "–" if one.default in (None, "") or one.info.secret else f"`{_plain(one.default)}`"
    return f"| {names} | {_code(one.info.envvar)} | {default} | `{one.plugin}`: {one.info.help} |".replace("\n", " ")


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _subcommands(group: click.Group, before: str = "") -> Iterator[str]:
    for word, subcommand in sorted(group.commands.items()):
        name = f"{before}{word}"
        arguments = [one.human_readable_name for one in subcommand.params if isinstance(one, click.Argument)]
        yield f"### {' '.join([f'`{name}`', *(f'`[{argument}]`' for argument in arguments)])}"
        yield ""
        yield " ".join((subcommand.help or "").split())
        yield ""
        options = [one for one in subcommand.params if isinstance(one, click.Option)]
        yield from (f"- {_code(option.opts[0])}: {option.help}" for option in options)
        if options:
            yield ""
        if isinstance(subcommand, click.Group):
            yield from _subcommands(subcommand, f"{name} ")
