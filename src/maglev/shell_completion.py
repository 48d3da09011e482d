"""Completes command lines in bash, zsh and fish, the same way for every command.

A shell's script, which `--completion` prints, runs the command itself with a variable that asks what the last word can
become. So what is offered is what is installed: options of plugins too.
"""

from __future__ import annotations

import os

import click

SHELLS = ("bash", "zsh", "fish")
"""The shells that there are scripts for."""


def script(name: str, shell: str) -> str:
    """Return the script that makes a shell complete a command.

    Args:
        name: The command's name, as it is typed.
        shell: One of `SHELLS`.
    """
    from maglev.shells import speaking  # noqa: PLC0415  (no run of a command needs it)

    return speaking(shell, click.Command(name), _variable(name)).source()


def answered(command: click.Command) -> bool:
    """Print what a shell's script asks for, if one does.

    Args:
        command: The whole command, with its name.

    Returns:
        Whether that was all there was to do: the caller then ends without running the command.
    """
    name = str(command.name)
    shell, _, request = os.environ.get(_variable(name), "").partition("_")
    if shell not in SHELLS:
        return False
    from maglev.shells import speaking  # noqa: PLC0415  (no run of a command needs it)

    asked = speaking(shell, command, _variable(name))
    click.echo(asked.complete() if request == "complete" else asked.source())
    return True


def completion_option(name: str) -> click.Option:
    """Make the `--completion` option of a command: it prints a shell's script, and exits.

    Args:
        name: The command's name, as it is typed.
    """

    def show(context: click.Context, _parameter: click.Parameter, shell: str | None) -> None:
        if shell is not None and not context.resilient_parsing:
            click.echo(script(name, shell), nl=False)
            context.exit()

    return click.Option(
        ["--completion"],
        type=click.Choice(SHELLS),
        is_eager=True,
        expose_value=False,
        callback=show,
        help=f"Print the script that completes {name} in this shell, and exit",
    )


def _variable(name: str) -> str:
    return f"_{name.upper().replace('-', '_')}_COMPLETE"
