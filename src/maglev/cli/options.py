"""What the command line and the environment say to `maglevd`, those of the installed plugins' flags included."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from maglev.config import FlaggedOption, Overrides, collect_overrides, flagged_options
from maglev.plugin import PluginManager
from maglev.single_dash import EmptyEnvvarOption

DEFAULT_CONFIG = "/etc/vpp-maglev/maglev.yaml"
DEFAULT_STATE_DIR = "/var/lib/vpp-maglev"
LOG_LEVELS = ("debug", "info", "warning", "error")


@attrs.frozen
class Invocation:
    """One start of `maglevd`.

    Args:
        plugins: What is installed.
        config: The configuration file.
        log_level: The least level that is logged.
        log_format: `json` or `console`; `None` decides by whether standard error is a terminal.
        state_dir: Where overrides are kept; `None` keeps them for this run only.
        observe: Plan and tell, but write nothing to the dataplane.
        uvloop: Whether to run on uvloop.
        overrides: Options of exporters and dataplanes from flags and the environment.
    """

    plugins: PluginManager
    config: Path = Path(DEFAULT_CONFIG)
    log_level: str = "info"
    log_format: str | None = None
    state_dir: Path | None = None
    observe: bool = False
    uvloop: bool = False
    overrides: Overrides = attrs.field(factory=dict)

    @classmethod
    def parsed(cls, plugins: PluginManager, values: Mapping[str, Any]) -> Invocation:
        """Read what click has parsed.

        Args:
            plugins: What is installed.
            values: By parameter name, as `core_options` and `plugin_options` name them.
        """
        flagged = own_flags(plugins)
        flags = {option.info.flag: _text(value) for option in flagged if (value := values[_name(option)]) is not None}
        return cls(
            plugins=plugins,
            config=Path(values["config"]),
            log_level=values["log_level"],
            log_format=values["log_format"],
            state_dir=Path(values["state_dir"]) if values["state_dir"] else None,
            observe=values["observe"],
            uvloop=values["uvloop"],
            overrides=collect_overrides(flagged, flags, os.environ),
        )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def core_options() -> list[click.Parameter]:
    """The daemon's own options."""
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            envvar="MAGLEV_CONFIG",
            default=DEFAULT_CONFIG,
            help="The configuration",
            **_SHOWN,
        ),
        click.Option(
            ["--log-level"],
            envvar="MAGLEV_LOG_LEVEL",
            type=click.Choice(LOG_LEVELS, case_sensitive=False),
            default="info",
            help="The least level that is logged",
            **_SHOWN,
        ),
        click.Option(
            ["--log-format"],
            envvar="MAGLEV_LOG_FORMAT",
            type=click.Choice(["json", "console"]),
            help="How to log; json unless standard error is a terminal",
            show_envvar=True,
        ),
        EmptyEnvvarOption(
            ["--state-dir"],
            metavar="DIRECTORY",
            envvar="MAGLEV_STATE_DIR",
            default=DEFAULT_STATE_DIR,
            help="Where changes made by commands are kept over restarts; empty: nowhere",
            **_SHOWN,
        ),
        click.Option(
            ["--observe/--no-observe"],
            envvar="MAGLEV_OBSERVE",
            default=False,
            help="Probe, plan and tell, but write nothing to the dataplane",
            **_SHOWN,
        ),
        click.Option(
            ["--uvloop/--no-uvloop"],
            envvar="MAGLEV_UVLOOP",
            default=False,
            help="Run on uvloop, which must be installed",
            **_SHOWN,
        ),
        click.Option(
            ["--check"], is_flag=True, help="Check the configuration and exit: 0 valid, 1 wrong shape, 2 wrong meaning"
        ),
    ]


_SHOWN: dict[str, Any] = {"show_default": True, "show_envvar": True}
_RESERVED = frozenset(
    {"config", "log-level", "log-format", "state-dir", "observe", "uvloop", "check", "version", "help"}
)


def own_flags(plugins: PluginManager) -> tuple[FlaggedOption, ...]:
    """The plugins' options that get a flag: a second one of the same name is left to the file and gets none."""
    first: dict[str, FlaggedOption] = {}
    for option in flagged_options(plugins):
        if option.info.flag not in _RESERVED:
            first.setdefault(option.info.flag, option)
    return tuple(first.values())


def plugin_options(plugins: PluginManager) -> list[click.Parameter]:
    """An option for each flag of the installed exporters and dataplanes.

    Values are judged by the configuration's rules, not by click: a wrong one is reported with all other problems. So
    is the environment, which click is therefore not told of.
    """
    return [_plugin_option(option) for option in own_flags(plugins)]


def _plugin_option(option: FlaggedOption) -> click.Option:
    flag = option.info.flag
    names = f"--{flag}/--no-{flag}" if option.is_switch else f"--{flag}"
    default = "" if option.default is None or option.info.secret else _text(option.default)
    notes = [f"env var: {option.info.envvar}", *([f"default: {default}"] if default else [])]
    return click.Option(
        [_name(option), names],
        default=None,
        metavar=None if option.is_switch else "VALUE",
        help=f"{option.plugin}: {option.info.help}  [{'; '.join(notes)}]",
    )


def _name(option: FlaggedOption) -> str:
    return f"plugin_{option.info.flag.replace('-', '_')}"
