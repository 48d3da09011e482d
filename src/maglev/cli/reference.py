"""The reference page of the command line, made from the command itself: `python -m maglev.cli.reference`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from maglev.cli.command import command
from maglev.cli.options import own_flags
from maglev.config import FlaggedOption
from maglev.library import installed
from maglev.plugin import PluginManager

_OPENING = """\
# maglevd: the command line

<!-- Made by `python -m maglev.cli.reference`; a test fails when it is not current. -->

Every option has an environment variable, and the option wins over it. An option of an exporter or a dataplane wins over
the configuration file. Long options may be written with one dash too (`-config x`, `-observe=false`).
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
| `maglevd` | 0 when told to stop; 1 or 2 when the configuration is refused, as below; 1 on any other failure; 2 for a wrong option |
| `maglevd check`, `--check` | 0 valid; 1 no YAML or not the right shape; 2 the right shape with a wrong meaning |
| `maglevd plugins` | 1 if a plugin could not be loaded |
| `maglevd demo --once` | 1 if something did not go as predicted |
"""


def reference(plugins: PluginManager) -> str:
    """Write the page.

    Args:
        plugins: Whose options are described.
    """
    group = command(plugins)
    context = click.Context(group, info_name="maglevd")
    flagged = {f"plugin_{option.info.flag.replace('-', '_')}": option for option in own_flags(plugins)}
    sections = [
        _OPENING,
        "\n".join(
            ["## Options", "", "| option | variable | default | meaning |", "|---|---|---|---|", *_rows(group, flagged)]
        ),
        "",
        "\n".join(["## Subcommands", "", *_subcommands(group, context)]),
        _CLOSING,
    ]
    return "\n".join(sections)


def _rows(group: click.Group, flagged: dict[str, FlaggedOption]) -> Iterator[str]:
    for parameter in group.params:
        if isinstance(parameter, click.Option):
            option = flagged.get(parameter.name or "")
            yield _plugin_row(parameter, option) if option is not None else _row(parameter)


def _row(option: click.Option) -> str:
    default = option.default if isinstance(option.default, str) else "false" if option.secondary_opts else ""
    choices = (
        ", ".join(f"`{choice}`" for choice in option.type.choices) if isinstance(option.type, click.Choice) else ""
    )
    return _line(option, str(option.envvar or ""), default, f"{option.help}{f': {choices}' if choices else ''}")


def _plugin_row(option: click.Option, flagged: FlaggedOption) -> str:
    default = "" if flagged.default is None or flagged.info.secret else str(flagged.default)
    return _line(option, flagged.info.envvar, default, f"{flagged.plugin}: {flagged.info.help}")


def _line(option: click.Option, variable: str, default: str, meaning: str) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    metavar = f" `{option.metavar}`" if option.metavar else ""
    return f"| {names}{metavar} | {_code(variable)} | {_code(default)} | {meaning} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _subcommands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        subcommand = group.commands[name]
        pieces = [
            f"`{name}`",
            *(f"`[{p.human_readable_name}]`" for p in subcommand.params if isinstance(p, click.Argument)),
        ]
        yield f"### {' '.join(pieces)}"
        yield ""
        yield " ".join((subcommand.help or "").split())
        yield ""
        options = [p for p in subcommand.params if isinstance(p, click.Option)]
        yield from (f"- {_code(option.opts[0])}: {option.help}" for option in options)
        if options:
            yield ""


if __name__ == "__main__":
    click.echo(reference(installed(environ={})), nl=False)
