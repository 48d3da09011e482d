"""Tells which changed options take effect only when the daemon is started again."""

from __future__ import annotations

from typing import Any

import attrs

from maglev.api import Reload, option_info
from maglev.config import Config


def needs_restart(old: Config, new: Config) -> tuple[str, ...]:
    """Name what changed and takes effect only when the daemon is started again."""
    messages = []
    if old.dataplane != new.dataplane:
        messages.append(f"dataplane: {old.dataplane} stays until the daemon is started again, not {new.dataplane}")
    elif changed := _restart_only(old.dataplane_options, new.dataplane_options):
        messages += [f"{old.dataplane}.{name}: takes effect when the daemon is started again" for name in changed]
    for exporter, options in new.exporters.items():
        changed = _restart_only(old.exporters.get(exporter), options)
        messages += [f"exporters.{exporter}.{name}: takes effect when the daemon is started again" for name in changed]
    return tuple(messages)


def _restart_only(old: Any, new: Any) -> list[str]:
    if old is None or new is None or type(old) is not type(new) or not attrs.has(type(new)):
        return []
    return [
        field.name.replace("_", "-")
        for field in attrs.fields(type(new))
        if option_info(field).reload is Reload.RESTART and getattr(old, field.name) != getattr(new, field.name)
    ]


def without_restart_only(old: Any, new: Any) -> Any:
    """The new options, with those that need a restart as they were."""
    kept = {name.replace("-", "_"): getattr(old, name.replace("-", "_")) for name in _restart_only(old, new)}
    return attrs.evolve(new, **kept) if kept and attrs.has(type(new)) else new
