"""What a new configuration would do, decided before anything is touched: the brake, and what needs a restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from maglev.api import FailedPrecondition, Reload, option_info
from maglev.config import Config
from maglev.domain.model import Frontend
from maglev.runtime.overrides import WeightKey


def brake(old: Mapping[str, Frontend], new: Mapping[str, Frontend], *, force: bool) -> None:
    """Refuse a configuration that would remove more than half of the VIPs.

    Raises:
        FailedPrecondition: It would, and is not forced.
    """
    before = {spec.vip for spec in old.values()}
    removed = before - {spec.vip for spec in new.values()}
    if len(removed) * 2 > len(before) and not force:
        names = ", ".join(sorted(map(str, removed))[:5]) + (", …" if len(removed) > 5 else "")
        raise FailedPrecondition(
            f"this would remove {len(removed)} of {len(before)} VIPs ({names}); force it if it is meant"
        )


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


def users_of(specs: Mapping[str, Frontend]) -> dict[str, tuple[str, ...]]:
    """The frontends that use each backend, by the backend's name."""
    users: dict[str, dict[str, None]] = {}
    for spec in specs.values():
        for pool in spec.pools:
            for member in pool.members:
                users.setdefault(member.backend, {})[spec.name] = None
    return {backend: tuple(frontends) for backend, frontends in users.items()}


def filed_weights(config: Config) -> dict[WeightKey, int]:
    """What the file says of each weight."""
    return {
        (frontend, pool.name, backend): member.weight
        for frontend, spec in config.frontends.items()
        for pool in spec.pools
        for backend, member in pool.backends.items()
    }


def filed_enabled(config: Config) -> dict[str, bool]:
    """What the file says of each backend's `enabled`."""
    return {name: backend.enabled for name, backend in config.backends.items()}
