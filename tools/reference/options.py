"""Writes the table of a command's options, the same for every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

HEAD = "| option | variable | default | meaning |\n|---|---|---|---|"
"""The head of such a table."""


def options_table(command: click.Command) -> str:
    """Return the table, in Markdown, without a newline at its end.

    Args:
        command: Whose options to list.
    """
    return "\n".join([HEAD, *map(_row, _options(command))])


def _options(command: click.Command) -> Iterator[click.Option]:
    with click.Context(command, **command.context_settings) as context:
        parameters = command.get_params(context)
    return (parameter for parameter in parameters if isinstance(parameter, click.Option))


def _row(option: click.Option) -> str:
    names = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" `{_value(option)}`"
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
    variable = ", ".join(f"`{name}`" for name in variables) or "–"
    default = "–" if option.is_flag and not option.secondary_opts else _default(option.default)
    meaning = (option.help or "").replace("|", "\\|")
    return f"| {names}{value} | {variable} | {default} | {meaning} |"


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "\\|".join(option.type.choices)
    return option.metavar or option.type.name.upper()


def _default(value: Any) -> str:
    if value in (None, "", [], ()):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (list, tuple)):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`" if isinstance(value, (str, int, float)) else "–"
