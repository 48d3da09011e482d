"""Writes the reference page of `maglevd` from the command itself."""

from __future__ import annotations

from collections.abc import Iterator

import click

from maglev.cli.command import command
from maglev.library import installed
from tools.reference.options import options_table

_OPENING = """\
# maglevd: the command line

<!-- Written by `python -m tools.reference` from the command itself: change it there. -->

Every option has an environment variable; the option takes precedence. You can write long options with one dash too
(`-config x`, `-observe=false`).

Exporters and dataplanes add their own options. `maglevd --help` shows those of the installed plugins. The
[configuration reference](configuration.md) names the flag and the variable of each key. Both take precedence over the
file.
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
| `maglevd plugins` | 1: a plugin could not be loaded |
| `maglevd demo --once` | 1: a prediction was wrong |
"""


def page() -> str:
    """Write the page: what the core has, whatever is installed beside it."""
    group = command(installed(environ={"MAGLEV_LOAD_PLUGINS": ""}))
    return "\n".join(
        [_OPENING, "## Options", "", options_table(group), "", "## Subcommands", "", *_subcommands(group), _CLOSING]
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _subcommands(group: click.Group) -> Iterator[str]:
    for name, subcommand in sorted(group.commands.items()):
        arguments = [one.human_readable_name for one in subcommand.params if isinstance(one, click.Argument)]
        yield f"### {' '.join([f'`{name}`', *(f'`[{argument}]`' for argument in arguments)])}"
        yield ""
        yield " ".join((subcommand.help or "").split())
        yield ""
        options = [one for one in subcommand.params if isinstance(one, click.Option)]
        yield from (f"- {_code(option.opts[0])}: {option.help}" for option in options)
        if options:
            yield ""
