"""Commands as the page sends them: JSON, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
import cattrs

from maglev import api

COMMANDS: Mapping[str, api.CommandInfo] = {info.name: info for info in api.COMMANDS}


def described() -> list[dict[str, Any]]:
    """The commands there are, as the page gets them: what its buttons and fields are made of."""
    return [_described(info) for info in api.COMMANDS]


def _described(info: api.CommandInfo) -> dict[str, Any]:
    shown = attrs.asdict(info, filter=lambda field, _: field.name not in ("command", "lines"))
    return shown | {
        "name": info.name,
        "states": sorted(info.states),
        "arguments": [attrs.asdict(argument) for argument in info.arguments],
    }


class Malformed(ValueError):
    """A body that is no command."""


def _strict(kind: type[Any]) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is not a {kind.__name__}")
        return value

    return structure


_CONVERTER = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
for _kind in (str, int, bool):
    _CONVERTER.register_structure_hook(_kind, _strict(_kind))


@attrs.frozen
class Order:
    """A command, and whom it is for.

    Args:
        maglevd: The daemon's name.
        command: What it is to do.
    """

    maglevd: str
    command: api.Command


def read_order(body: bytes) -> Order:
    """Read a command.

    Args:
        body: JSON: `{"maglevd": …, "command": "PauseBackend", "arguments": {"backend": …}}`.

    Raises:
        Malformed: It is none.
    """
    try:
        value = json.loads(body)
        match value:
            case {"maglevd": str(maglevd), "command": str(name), "arguments": dict(arguments)} if len(value) == 3:
                return Order(maglevd, _CONVERTER.structure(arguments, COMMANDS[name].command))
    except KeyError as error:
        raise Malformed(f"no such command or argument: {error}") from None
    except (
        ValueError,
        TypeError,
        RecursionError,
        cattrs.ClassValidationError,
        cattrs.ForbiddenExtraKeysError,
    ) as error:
        raise Malformed(f"no command: {error}") from None
    raise Malformed("no command: maglevd, command and arguments are needed")
