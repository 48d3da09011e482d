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

Every option has an environment variable, and the option wins over it. Long options may be written with one dash too
(`-config x`, `-observe=false`).

Exporters and dataplanes bring options of their own. `maglevd --help` shows those of what is installed, and the
[configuration reference](configuration.md) names flag and variable beside each key. They win over the file.
"""

_CLOSING = """\
## Environment

| variable | effect |
|---|---|
| `MAGLEV_LOAD_PLUGINS` | load only these plugins, by name, separated by commas; empty: none but the core's own |
| `MAGLEV_TRACE_PLUGINS` | `1`: print what each plugin is asked and what it gives |
| `NOTIFY_SOCKET`, `WATCHDOG_USEC` | set by systemd: where to tell how the daemon fares, and how often |

## Signals

| signal | effect |
|---|---|
| `SIGHUP` | read the configuration again; refused whole if anything is wrong with it, and the log says what |
| `SIGTERM`, `SIGINT` | end event streams and exporters and exit with 0; the dataplane is left as it is |
| a second `SIGINT` | exit at once |

## Exit status

| command | status |
|---|---|
| `maglevd` | 0 told to stop; 1 or 2 configuration refused, as below; 1 any other failure; 2 a wrong option |
| `maglevd check`, `--check` | 0 valid; 1 a syntax or type error; 2 a semantic error |
| `maglevd import` | 1 if a file cannot be read or holds nothing to import; 2 a wrong option |
| `maglevd plugins` | 1 if a plugin could not be loaded |
| `maglevd demo --once` | 1 if something did not go as predicted |
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
