"""Describes commands and their arguments for people: the source of maglevc's lines and help, and the dashboard's."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from maglev.api.events import BackendState

ArgumentKind = Literal["backend", "frontend", "healthcheck", "pool", "weight", "flag", "choice"]
"""Kinds of arguments: which names complete one, and how it is read."""

_KEY = "maglev"


@attrs.frozen
class ArgumentInfo:
    """Describes one argument of a command for people.

    Args:
        name: The field's name; in `maglevc` with dashes for underscores.
        kind: A configured name, a weight (0 to 100), a flag (given or not), or one of some choices.
        help: Its meaning, in a few words.
        required: Whether it must be given.
        disruptive: Whether giving it may cut established flows.
        choices: What is allowed, for a choice.
    """

    name: str
    kind: ArgumentKind
    help: str
    required: bool = True
    disruptive: bool = False
    choices: tuple[str, ...] = ()


@attrs.frozen
class CommandInfo:
    """Describes a command for people.

    Args:
        command: Its class.
        lines: Its lines in `maglevc`; `<backend>` is the field `backend`, and an optional end is in brackets. Fields
            that are in no line can follow it as flags.
        label: The text of its button.
        help: Its effect, in a few words.
        disruptive: Whether it may cut established flows, whatever its arguments.
        states: The states of a backend in which there is something to do; empty for all.
        undoes_override: Whether it only clears what an operator's command has set.
    """

    command: type[Any]
    lines: tuple[str, ...]
    label: str
    help: str
    disruptive: bool = False
    states: frozenset[BackendState] = frozenset()
    undoes_override: bool = False

    @property
    def name(self) -> str:
        """The name of its class, as `PauseBackend`."""
        return self.command.__name__

    @property
    def arguments(self) -> tuple[ArgumentInfo, ...]:
        """Its arguments, in the order of the class's fields."""
        return tuple(
            attrs.evolve(field.metadata[_KEY], name=field.name, required=field.default is attrs.NOTHING)
            for field in attrs.fields(self.command)
        )


def argument(
    kind: ArgumentKind,
    help: str,  # noqa: A002  (the word that click and argparse use)
    **more: Any,
) -> dict[str, ArgumentInfo]:
    """The metadata of a command's field; the arguments are those of `ArgumentInfo`."""
    return {_KEY: ArgumentInfo("", kind, help, **more)}
