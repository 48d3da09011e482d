"""The configuration: values, the loader, the rules, and what is derived from them."""

from maglev.config.errors import ConfigError, Loaded
from maglev.config.loader import check, load, load_in_subprocess, load_mapping, load_text, load_vips
from maglev.config.overrides import FlaggedOption, Override, Overrides, collect_overrides, flagged_options
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
from maglev.domain.names import nearest

__all__ = [
    "BackendConfig",
    "Config",
    "ConfigError",
    "FlaggedOption",
    "FrontendConfig",
    "HealthCheckConfig",
    "HealthCheckerConfig",
    "Installed",
    "LbConfig",
    "Loaded",
    "MemberConfig",
    "Override",
    "Overrides",
    "PluginSet",
    "PoolConfig",
    "check",
    "collect_overrides",
    "flagged_options",
    "format_duration",
    "load",
    "load_in_subprocess",
    "load_mapping",
    "load_text",
    "load_vips",
    "nanoseconds",
    "nearest",
    "parse_duration",
]
