"""Options are declared once, as fields of an attrs class; everything else is derived from the metadata.

The YAML keys and their strict checks, the command-line flags and environment variables of exporters, dataplanes and
commands, the JSON schema and the reference pages all come from the same class. Keys in YAML are the field names with
dashes. `maglev.command_line` makes the options of a command from such a class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

import attrs

from maglev.api.secrecy import Secrecy, secret_texts, shown_repr, shown_value

_KEY = "maglev"


class Reload(Enum):
    """The action that a changed option needs."""

    LIVE = "reload"
    """Takes effect on SIGHUP."""
    RESTART = "restart"
    """Takes effect when the daemon is started again; a reload says so and keeps the old value."""


@attrs.frozen
class OptionInfo:
    """The metadata of one option.

    Args:
        help: One sentence for people, without a full stop.
        unit: The unit of a bare number, for example `s`; empty if it has none.
        flag: The long command-line flag without dashes (`grpc-addr`); empty if there is none, and of a command's
            option if it is the field's name with dashes.
        secret: Whether the value is never printed, logged or shown; or a function that returns what may be shown of
            it: `hide_values`, `hide_query`, `hide_url`, or one of your own.
        reload: The action that a change of the value needs.
        examples: Values worth showing in the reference page.
        allowed: The allowed values, in words, for error messages, if the type does not say it.
        metavar: The placeholder of the value in the help of a command, for example `FILE`.
        variable: The environment variable of a command's option; `None`: `MAGLEV_` and the flag in capitals
            (`MAGLEV_GRPC_ADDR`), as all others have it; empty: there is none, and a switch has no `--no-…`.
        multiple: Whether a command's option may be repeated.
        aliases: Other spellings of a choice, each with the choice that it means.
    """

    help: str
    unit: str = ""
    flag: str = ""
    secret: Secrecy = False
    reload: Reload = Reload.LIVE
    examples: tuple[Any, ...] = ()
    allowed: str = ""
    metavar: str = ""
    variable: str | None = None
    multiple: bool = False
    aliases: tuple[tuple[str, str], ...] = ()

    @property
    def envvar(self) -> str:
        """The environment variable that goes with the flag; empty if there is no flag."""
        if self.variable is not None:
            return self.variable
        return f"MAGLEV_{self.flag.upper().replace('-', '_')}" if self.flag else ""


def option(  # noqa: PLR0913 - all but the first are keywords
    default: Any = attrs.NOTHING,
    *,
    help: str,  # noqa: A002 - the word users of click and argparse know
    factory: Callable[[], Any] | None = None,
    unit: str = "",
    flag: str = "",
    secret: Secrecy = False,
    reload: Reload = Reload.LIVE,
    examples: tuple[Any, ...] = (),
    allowed: str = "",
    metavar: str = "",
    variable: str | None = None,
    multiple: bool = False,
    aliases: Mapping[str, str] | None = None,
    validator: Callable[[Any, attrs.Attribute[Any], Any], None] | None = None,
    converter: Callable[[Any], Any] | None = None,
) -> Any:
    """Declare one option as a field of an attrs class.

    Args:
        default: The value when the key is absent; leave it out to require the key.
        help: One sentence for people, without a full stop.
        factory: Makes a mutable default; not together with `default`.
        unit: The unit of a bare number; empty if it has none.
        flag: The long command-line flag without dashes; of YAML's options only those of exporters and dataplanes have
            flags.
        secret: As in `OptionInfo`. What the validator or the converter says of the value is shown without it.
        reload: The action that a change of the value needs.
        examples: Values worth showing in the reference page.
        allowed: The allowed values, in words.
        metavar: As in `OptionInfo`, and so are `variable` and `multiple`: for options of commands.
        variable: The environment variable.
        multiple: Whether it may be repeated.
        aliases: Other spellings of a choice, each with the choice that it means: for options of commands.
        validator: An attrs validator. Raise `ValueError` with a message that says what is wrong and what is allowed:
            the loader puts file, line and path before it.
        converter: An attrs converter, run after the type of the value was checked. `ValueError` as above.

    Returns:
        An attrs field. (Typed `Any`, as `attrs.field` is, so that it can stand behind any annotation.)
    """
    spellings = tuple((aliases or {}).items())
    info = OptionInfo(help, unit, flag, secret, reload, examples, allowed, metavar, variable, multiple, spellings)
    given: dict[str, Any] = {"default": default} if factory is None else {"factory": factory}
    printed: Any = shown_repr(secret) if secret else True
    return attrs.field(**given, metadata={_KEY: info}, repr=printed, validator=validator, converter=converter)


def option_info(attribute: attrs.Attribute[Any]) -> OptionInfo:
    """Read back what `option` noted on a field; a plain attrs field gives an `OptionInfo` with an empty help."""
    info = attribute.metadata.get(_KEY)
    return info if isinstance(info, OptionInfo) else OptionInfo("")


def shown_options(options: Any) -> dict[str, Any]:
    """Return options as others may see them: by their keys in YAML, without what is secret.

    All that shows options of plugins to anybody asks this function.

    Args:
        options: An instance of an options class; anything else has no options.
    """
    if not attrs.has(type(options)):
        return {}
    return {
        field.name.strip("_").replace("_", "-"): _shown(getattr(options, field.name), option_info(field).secret)
        for field in attrs.fields(type(options))
    }


def _shown(value: Any, secret: Secrecy) -> Any:
    if secret:
        return shown_value(value, secret)
    if isinstance(value, tuple | list):
        return type(value)(_shown(item, secret) for item in value) if type(value) in (tuple, list) else value
    if isinstance(value, Mapping):
        return {name: _shown(item, secret) for name, item in value.items()}
    return shown_options(value) if attrs.has(type(value)) else value


def secrets_of(options: Any) -> Iterator[str]:
    """Yield the secret pieces of options as text, for `redacted`.

    Args:
        options: An instance of an options class, or a mapping, list or tuple of some.
    """
    if isinstance(options, Mapping):
        for item in options.values():
            yield from secrets_of(item)
    elif isinstance(options, tuple | list):
        for item in options:
            yield from secrets_of(item)
    elif attrs.has(type(options)):
        for field in attrs.fields(type(options)):
            value, secret = getattr(options, field.name, None), option_info(field).secret
            yield from secret_texts(value, secret) if secret else secrets_of(value)


@attrs.frozen
class NoOptions:
    """For a plugin without options."""
