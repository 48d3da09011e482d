"""Accepts long options with one dash too, and `-color=false`, as Go's `flag` package does.

The commands of this project replace Go programs whose options stand in unit files and scripts. Every command, those of
plugins included, accepts both spellings by using `SingleDashCommand` or `SingleDashGroup` in place of click's classes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice

import click

_TRUE = frozenset({"1", "t", "true"})
_FALSE = frozenset({"0", "f", "false"})


def normalise(
    arguments: Sequence[str], parameters: Iterable[click.Parameter], *, interspersed: bool = True
) -> list[str]:
    """Rewrite a command line to the spelling that click knows.

    `-config x` becomes `--config x`. `--color=false` becomes `--no-color` if there is such an option, and is removed if
    there is not. Whatever matches no long option is passed on unchanged.

    Args:
        arguments: The command line, without the program's name.
        parameters: The command's own parameters.
        interspersed: Whether options may follow the first positional argument; in a group they belong to a subcommand.
    """
    known = _options(parameters)
    rest = iter(arguments)
    done: list[str] = []
    for argument in rest:
        name, equals, value = argument.partition("=")
        is_positional = argument == "-" or not argument.startswith("-")
        # A dash is added where there is one already: the word `h` is no `-h`.
        option = None if is_positional else known.get(name) or known.get(f"-{name}")
        if option is None:
            done.append(argument)
            if argument == "--" or (is_positional and not interspersed):
                break
            continue
        name = name if name in known else f"-{name}"
        if not option.is_flag:
            done.append(f"{name}{equals}{value}")
            # The option's values follow, whatever they look like.
            done += islice(rest, 0 if equals else option.nargs)
        else:
            done += _flag(option, name, value) if equals else [name]
    return [*done, *rest]


def version_option(command: str) -> click.Option:
    """Make the `--version` option of a command: it shows version, commit and date, and exits.

    Args:
        command: The command's name, as it is to be shown.
    """

    def show(context: click.Context, _parameter: click.Parameter, value: object) -> None:
        if value:
            from maglev.build import this_build  # noqa: PLC0415  (asks git in a checkout)

            click.echo(f"{command} {this_build()}")
            context.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show version, commit and date, and exit",
    )


def _options(parameters: Iterable[click.Parameter]) -> dict[str, click.Option]:
    options = (parameter for parameter in parameters if isinstance(parameter, click.Option))
    return {name: option for option in options for name in (*option.opts, *option.secondary_opts)}


def _flag(option: click.Option, long: str, value: str) -> list[str]:
    if value.lower() in _TRUE:
        return [long]
    if value.lower() not in _FALSE:
        return [f"{long}={value}"]  # click refuses it and says why
    opposite = option.opts if long in option.secondary_opts else option.secondary_opts
    return [name for name in opposite if name.startswith("--")][:1]


class SingleDashCommand(click.Command):
    """A click command that accepts long options with one dash too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite the arguments to click's spelling and parse them."""
        interspersed = ctx.allow_interspersed_args
        return super().parse_args(ctx, normalise(args, self.get_params(ctx), interspersed=interspersed))


class SingleDashGroup(click.Group):
    """A click group that accepts long options with one dash too; so do its subcommands."""

    command_class: type[click.Command] | None = SingleDashCommand
    group_class: type[click.Group | type] | None = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite the arguments to click's spelling and parse them."""
        return super().parse_args(ctx, normalise(args, self.get_params(ctx), interspersed=False))


class EmptyEnvvarOption(click.Option):
    """An option for which an empty environment variable is a value too: `MAGLEV_METRICS_ADDR=` means "off"."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's text, even if empty; `None` if it is not set."""
        names = [self.envvar] if isinstance(self.envvar, str) else self.envvar or ()
        return next((os.environ[name] for name in names if name in os.environ), super().resolve_envvar_value(ctx))
