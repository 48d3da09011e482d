"""Options of exporters and dataplanes that come from the command line or the environment, and win over the file."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Union, get_args, get_origin

import attrs

from maglev.api import Dataplane, Exporter, OptionInfo
from maglev.config.describe import describe_type, is_list, is_mapping
from maglev.config.faults import misfit
from maglev.config.fields import keys_of
from maglev.config.plugins import Installed, Kind
from maglev.config.scalars import resolve


@attrs.frozen
class FlagValue:
    """One value from outside the file.

    Args:
        value: As text; converted by the option's type.
        source: Whence, for messages: `--grpc-addr` or `MAGLEV_GRPC_ADDR`.
    """

    value: str = attrs.field(repr=False)  # it may be a secret
    source: str


FlagValues = Mapping[tuple[Kind, str], Mapping[str, FlagValue]]
"""By kind and name of the plugin, then by name of the options' field (`api_addr`)."""


@attrs.frozen
class FlaggedOption:
    """An option that has a command-line flag.

    Args:
        plugin: The exporter's or dataplane's name.
        default: Its default; `None` where it has none.
    """

    kind: Kind
    plugin: str
    field: str
    type: Any
    default: Any
    info: OptionInfo

    @property
    def is_switch(self) -> bool:
        """Whether it is true or false (`--reflection/--no-reflection`)."""
        return self.type is bool


def flagged_options(plugins: Installed) -> tuple[FlaggedOption, ...]:
    """Return all options with a flag of the installed exporters and dataplanes, in the order of the plugins' names."""
    groups: tuple[tuple[Kind, Mapping[str, type[Exporter | Dataplane]]], ...] = (
        ("exporter", plugins.exporters),
        ("dataplane", plugins.dataplanes),
    )
    return tuple(
        FlaggedOption(
            kind, name, key.attribute.name, key.type, None if key.default is attrs.NOTHING else key.default, key.info
        )
        for kind, classes in groups
        for name, cls in sorted(classes.items())
        for key in keys_of(cls.Options)
        if key.info.flag
    )


def collect_flag_values(
    options: Sequence[FlaggedOption], flags: Mapping[str, str], environ: Mapping[str, str]
) -> FlagValues:
    """Gather what the command line and the environment say; the command line wins.

    `flags` holds text by flag, without dashes (`grpc-addr`), and only of those that were given.
    """
    collected: dict[tuple[Kind, str], dict[str, FlagValue]] = {}
    for option in options:
        for value in _given(option.info, flags, environ):
            collected.setdefault((option.kind, option.plugin), {})[option.field] = value
    return collected


def _given(info: OptionInfo, flags: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[FlagValue]:
    if info.flag in flags:
        yield FlagValue(flags[info.flag], f"--{info.flag}")
    elif info.envvar in environ:
        yield FlagValue(environ[info.envvar], info.envvar)


_SWITCH_WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def plain_from_text(text: str, wanted: Any) -> Any:
    """Turn a flag's text into what would stand in YAML, so that the same rules can judge it.

    Raises:
        MisfitError: No such value can be written on a command line.
    """
    if wanted is bool:
        if text.lower() not in _SWITCH_WORDS:
            raise misfit(f"must be true or false, not {text!r}")
        return _SWITCH_WORDS[text.lower()]
    if wanted in (int, float, timedelta):
        return resolve(text)
    if get_origin(wanted) in (Union, types.UnionType):
        return _for_union(text, get_args(wanted))
    if is_list(wanted):
        return [plain_from_text(part.strip(), get_args(wanted)[0]) for part in text.split(",") if part.strip()]
    if attrs.has(wanted) or is_mapping(wanted):
        raise misfit(f"must be {describe_type(wanted)}: it can only be set in the file")
    return text


def _for_union(text: str, members: tuple[Any, ...]) -> Any:
    if type(None) in members and not text and str not in members:
        return None
    others = [member for member in members if member is not type(None)]
    if len(others) == 1:
        return plain_from_text(text, others[0])
    return text if str in members and not isinstance(resolve(text), int) else resolve(text)
