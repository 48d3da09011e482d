"""Makes the options of a command of an attrs class whose fields `maglev.api.option` declares, and instances of it.

The name, the environment variable, the help text and what may be given all come from the field. Its type decides what
it takes: a `bool` is a switch, a `Literal` a choice, an `int` a number, a `Path` a path; any other text goes through
the field's converter. A field whose type is an attrs class of options stands for all options of that class.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
import click

from maglev.api import OptionInfo, Secrecy, option_info, redacted
from maglev.api.secrecy import secret_texts, shown_value
from maglev.single_dash import EmptyEnvvarOption

Options = TypeVar("Options")


def options_of(cls: type[Any], prefix: str = "") -> list[click.Parameter]:
    """Make click's options.

    Args:
        cls: An attrs class. Fields that were not declared by `maglev.api.option` are left out.
        prefix: Begins a second variable of each option that has one: `MAGLEV_FRONTEND_` has the option `--listen` read
            from `MAGLEV_FRONTEND_LISTEN` before `MAGLEV_LISTEN`, for commands that share an environment file.
    """
    made: list[click.Parameter] = []
    for field, wanted, info in _fields(cls):
        made += options_of(wanted, prefix) if info is None else [_option(field, wanted, info, prefix)]
    return made


def read(cls: type[Options], values: Mapping[str, Any], **others: Any) -> Options:
    """Make an instance of what click has parsed.

    Args:
        cls: The class.
        values: By parameter name, as `options_of` names them.
        others: The fields that are no options.

    Raises:
        click.UsageError: Values do not go together.
    """
    try:
        made: Options = _made(cls, values, others)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return made


def _made(cls: Any, values: Mapping[str, Any], others: Mapping[str, Any]) -> Any:
    given = {
        str(field.alias): values[field.name] if info else _made(wanted, values, {})
        for field, wanted, info in _fields(cls)
    }
    return cls(**given, **others)


def _fields(cls: Any) -> Iterator[tuple[attrs.Attribute[Any], Any, OptionInfo | None]]:
    """Yield field, type without `None`, and what was declared; that is `None` for a field that holds options."""
    attrs.resolve_types(cls)
    for field in attrs.fields(cls):
        info, wanted = option_info(field), _without_none(field.type)
        if info.help:
            flag = info.flag or field.name.replace("_", "-")
            yield field, wanted, attrs.evolve(info, flag=flag)
        elif attrs.has(wanted) and any(option_info(inner).help for inner in attrs.fields(wanted)):
            yield field, wanted, None


def _without_none(wanted: Any) -> Any:
    members = get_args(wanted)
    return next(member for member in members if member is not NoneType) if NoneType in members else wanted


def _option(field: attrs.Attribute[Any], wanted: Any, info: OptionInfo, prefix: str) -> click.Option:
    default: Any = field.default
    optional = NoneType in get_args(field.type)
    switch = wanted is bool
    names = f"--{info.flag}/--no-{info.flag}" if switch and info.envvar else f"--{info.flag}"
    settings: dict[str, Any] = {"is_flag": True} if switch else {"type": _type(field, wanted, info, optional=optional)}
    # Where there is a default, an empty variable says that there is to be no value.
    kind = EmptyEnvvarOption if optional and default is not None else click.Option
    return kind(
        [field.name, names],
        default=_plain(default),
        metavar=info.metavar or None,
        multiple=info.multiple,
        envvar=_variables(info, prefix),
        show_envvar=True,
        show_default=bool(info.envvar)
        and default not in (None, "", ())
        and shown_value(default, info.secret) == default,
        help=info.help,
        **settings,
    )


def _variables(info: OptionInfo, prefix: str) -> str | list[str] | None:
    if not (prefix and info.envvar):
        return info.envvar or None
    own = f"{prefix}{info.flag.upper().replace('-', '_')}"
    return own if own == info.envvar else [own, info.envvar]


def _plain(default: Any) -> Any:
    if isinstance(default, tuple):
        return [str(item) for item in default]
    return str(default) if isinstance(default, Path) else default


def _type(field: attrs.Attribute[Any], wanted: Any, info: OptionInfo, *, optional: bool) -> click.ParamType:  # type: ignore[type-arg]  # generic from click 8.3 on only
    if get_origin(wanted) is Literal:
        return _Choice(get_args(wanted), info.aliases)
    if info.multiple:
        element = get_args(wanted)[0]
        splitter = os.pathsep if element is Path else None
        return _Text(element, info.metavar, splitter=splitter, secret=info.secret)
    converter: Any = field.converter
    if converter is None and wanted in (int, float):
        return click.INT if wanted is int else click.FLOAT
    return _Text(converter or wanted, info.metavar, optional=optional, secret=info.secret)


class _Choice(click.Choice):  # type: ignore[type-arg]  # generic from click 8.2 on only
    """One of some words, in any case.

    Args:
        words: Those that are shown.
        aliases: Other spellings, each with what it stands for.
    """

    def __init__(self, words: Iterable[str], aliases: Iterable[tuple[str, str]]) -> None:
        super().__init__(tuple(words), case_sensitive=False)
        self._aliases = dict(aliases)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take a word for what it stands for."""
        return super().convert(self._aliases.get(str(value).lower(), value), param, ctx)


class _Text(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on only
    """Text that a function makes a value of.

    Args:
        function: Makes it; raises `ValueError` saying what is allowed.
        name: What stands for it in help.
        optional: Whether empty text is no value.
        splitter: What stands between values in the environment; `None`: blanks.
        secret: What of the text must not be repeated.
    """

    def __init__(
        self,
        function: Callable[[str], Any],
        name: str,
        *,
        optional: bool = False,
        splitter: str | None = None,
        secret: Secrecy = False,
    ) -> None:
        self.name = name or "TEXT"
        self.envvar_list_splitter = splitter  # type: ignore[misc]  # click declares it for the class
        self._function = function
        self._optional = optional
        self._secret = secret

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Make the value; what is none of the command line's text is one already."""
        if not isinstance(value, str):
            return value
        if not value and self._optional:
            return None
        try:
            return self._function(value)
        except ValueError as error:
            self.fail(redacted(str(error), secret_texts(value, self._secret)), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Have the shell complete names of files where a file is wanted."""
        return click.Path().shell_complete(ctx, param, incomplete) if self._function is Path else []
