"""The configuration: values, the loader, the rules, and what is derived from them."""

from maglev.config.errors import ConfigError, Loaded
from maglev.config.flag_values import FlaggedOption, FlagValue, FlagValues, collect_flag_values, flagged_options
from maglev.config.loader import check, load, load_in_subprocess, load_mapping, load_text, load_vips
from maglev.config.plugins import Installed, PluginSet
from maglev.config.schema import (
    BackendConfig,
    Config,
    FrontendConfig,
    HealthCheckConfig,
    HealthCheckerConfig,
    LbConfig,
    MemberConfig,
    PoolConfig,
)
from maglev.config.values import format_duration, nanoseconds, parse_duration

__all__ = [
    "BackendConfig",
    "Config",
    "ConfigError",
    "FlagValue",
    "FlagValues",
    "FlaggedOption",
    "FrontendConfig",
    "HealthCheckConfig",
    "HealthCheckerConfig",
    "Installed",
    "LbConfig",
    "Loaded",
    "MemberConfig",
    "PluginSet",
    "PoolConfig",
    "check",
    "collect_flag_values",
    "flagged_options",
    "format_duration",
    "load",
    "load_in_subprocess",
    "load_mapping",
    "load_text",
    "load_vips",
    "nanoseconds",
    "parse_duration",
]
