"""Health checker and control plane for Maglev layer 4 load balancing.

`import maglev` is enough to run the whole inside a program: build or load a configuration, `async with
maglev.open_controller(config) as control:`, subscribe, command, leave. What a plugin implements is in `maglev.api`; the
pure core (`maglev.domain.table`, `.health`, `.plan`) is useful alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maglev.api import (
        Actor,
        BackendEvent,
        BackendState,
        Control,
        DisableBackend,
        EnableBackend,
        EventFilter,
        EventKind,
        FrontendEvent,
        FrontendState,
        PauseBackend,
        ProbeResult,
        ReloadConfig,
        ResetBackend,
        ResetFrontendPoolBackendWeight,
        ResumeBackend,
        SetFrontendPoolBackendWeight,
        Snapshot,
        Subscription,
        SyncDataplane,
        Transition,
        WeightEvent,
    )
    from maglev.build import this_build
    from maglev.config import (
        BackendConfig,
        Config,
        ConfigError,
        FrontendConfig,
        HealthCheckConfig,
        HealthCheckerConfig,
        LbConfig,
        Loaded,
        MemberConfig,
        PoolConfig,
        check,
        format_duration,
        load,
        load_mapping,
        load_text,
        load_vips,
        parse_duration,
    )
    from maglev.dataplanes.memory import MemoryDataplane
    from maglev.library import installed, open_controller
    from maglev.plugin import PluginManager
    from maglev.runtime import LiveControl

__all__ = [
    "Actor",
    "BackendConfig",
    "BackendEvent",
    "BackendState",
    "Config",
    "ConfigError",
    "Control",
    "DisableBackend",
    "EnableBackend",
    "EventFilter",
    "EventKind",
    "FrontendConfig",
    "FrontendEvent",
    "FrontendState",
    "HealthCheckConfig",
    "HealthCheckerConfig",
    "LbConfig",
    "LiveControl",
    "Loaded",
    "MemberConfig",
    "MemoryDataplane",
    "PauseBackend",
    "PluginManager",
    "PoolConfig",
    "ProbeResult",
    "ReloadConfig",
    "ResetBackend",
    "ResetFrontendPoolBackendWeight",
    "ResumeBackend",
    "SetFrontendPoolBackendWeight",
    "Snapshot",
    "Subscription",
    "SyncDataplane",
    "Transition",
    "WeightEvent",
    "check",
    "format_duration",
    "installed",
    "load",
    "load_mapping",
    "load_text",
    "load_vips",
    "open_controller",
    "parse_duration",
    "this_build",
]

_HOMES = {
    "maglev.build": ("this_build",),
    "maglev.config": (
        "BackendConfig",
        "Config",
        "ConfigError",
        "FrontendConfig",
        "HealthCheckConfig",
        "HealthCheckerConfig",
        "LbConfig",
        "Loaded",
        "MemberConfig",
        "PoolConfig",
        "check",
        "format_duration",
        "load",
        "load_mapping",
        "load_text",
        "load_vips",
        "parse_duration",
    ),
    "maglev.dataplanes.memory": ("MemoryDataplane",),
    "maglev.library": ("installed", "open_controller"),
    "maglev.plugin": ("PluginManager",),
    "maglev.runtime": ("LiveControl",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more: a plugin that wants one name must not wait for the whole house."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF.get(name, "maglev.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
