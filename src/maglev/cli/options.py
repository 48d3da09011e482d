"""The options of `maglevd`, from its command line and environment, with the flags of the installed plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import click

from maglev import command_line
from maglev.api import option
from maglev.config import FlaggedOption, FlagValues, collect_flag_values, flagged_options
from maglev.plugin import PluginManager


@attrs.frozen
class Invocation:
    """One start of `maglevd`.

    Args:
        flag_values: Options of exporters and dataplanes from flags and the environment.
    """

    plugins: PluginManager
    config: Path = option(Path("/etc/vpp-maglev/maglev.yaml"), help="The configuration file", metavar="FILE")
    log_level: Literal["debug", "info", "warning", "error"] = option(
        "info", help="Lowest level to log", aliases={"warn": "warning"}
    )
    log_format: Literal["json", "console"] | None = option(
        None, help="Format of the log; default: console on a terminal, else json"
    )
    audit_log: str = option(
        "",
        help="Destination of the audit record: a file, or `journal`; empty: the log, at any log level",
        metavar="FILE",
    )
    state_dir: Path | None = option(
        Path("/var/lib/vpp-maglev"),
        help="Directory that keeps changes by commands over restarts; empty: they are not kept",
        metavar="DIRECTORY",
    )
    observe: bool = option(False, help="Probe, plan and log, but write nothing to the dataplane")
    uvloop: bool = option(False, help="Run on uvloop, which must be installed")
    check: bool = option(
        False,
        help="Check the configuration and exit: 0 valid, 1 a syntax or type error, 2 a semantic error",
        variable="",
    )
    flag_values: FlagValues = attrs.field(factory=dict)

    @classmethod
    def parsed(cls, plugins: PluginManager, values: Mapping[str, Any]) -> Invocation:
        """Read what click has parsed."""
        flagged = own_flags(plugins)
        flags = {one.info.flag: _text(value) for one in flagged if (value := values[_name(one)]) is not None}
        flag_values = collect_flag_values(flagged, flags, os.environ)
        return command_line.read(cls, values, plugins=plugins, flag_values=flag_values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def core_options() -> list[click.Parameter]:
    """The daemon's own options."""
    return command_line.options_of(Invocation)


def own_flags(plugins: PluginManager) -> tuple[FlaggedOption, ...]:
    """The plugins' options that get a flag: a second one of the same name is left to the file and gets none."""
    core = {name.removeprefix("--") for one in core_options() for name in one.opts}
    reserved = {"completion", "version", "help", *core}
    first: dict[str, FlaggedOption] = {}
    for one in flagged_options(plugins):
        if one.info.flag not in reserved:
            first.setdefault(one.info.flag, one)
    return tuple(first.values())


def plugin_options(plugins: PluginManager) -> list[click.Parameter]:
    """An option for each flag of the installed exporters and dataplanes.

    Values are judged by the configuration's rules, not by click: a wrong one is reported with all other problems. So
    is the environment, which click is therefore not told of.
    """
    return [_plugin_option(one) for one in own_flags(plugins)]


def _plugin_option(one: FlaggedOption) -> click.Option:
    flag = one.info.flag
    names = f"--{flag}/--no-{flag}" if one.is_switch else f"--{flag}"
    default = "" if one.default is None or one.info.secret else _text(one.default)
    notes = [f"env var: {one.info.envvar}", *([f"default: {default}"] if default else [])]
    return click.Option(
        [_name(one), names],
        default=None,
        metavar=None if one.is_switch else "VALUE",
        help=f"{one.plugin}: {one.info.help}  [{'; '.join(notes)}]",
    )


def _name(one: FlaggedOption) -> str:
    return f"plugin_{one.info.flag.replace('-', '_')}"
