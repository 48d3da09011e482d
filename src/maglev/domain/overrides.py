"""Keeps what operators changed at run time, over reloads and restarts, until it is cleared or the file changes the key.

Each override remembers what the file said when it was made. When the file says something else later, somebody has
decided anew, and the override is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import attrs

from maglev.domain.model import Frontend, Member, Pool, ResolvedConfig

WeightKey = tuple[str, str, str]
"""Frontend, pool, backend."""


@attrs.frozen
class AdminOverride:
    """A command's change of a backend's admin state.

    Args:
        admin: `paused`, `disabled` or `enabled`.
        file_enabled: What the file's `enabled` said when the command came.
    """

    admin: str
    file_enabled: bool


@attrs.frozen
class WeightOverride:
    """A command's change of a weight.

    Args:
        weight: The weight in force, 0 to 100.
        file_weight: What the file said when the command came.
    """

    weight: int
    file_weight: int


@attrs.frozen
class OperatorOverrides:
    """All overrides in force; a value, changed by making another."""

    admin: Mapping[str, AdminOverride] = attrs.field(factory=dict)
    weights: Mapping[WeightKey, WeightOverride] = attrs.field(factory=dict)

    def with_admin(self, backend: str, override: AdminOverride | None) -> OperatorOverrides:
        """The same with one backend's override replaced, or cleared by `None`."""
        return attrs.evolve(self, admin=_with(self.admin, backend, override))

    def with_weight(self, key: WeightKey, override: WeightOverride | None) -> OperatorOverrides:
        """The same with one weight's override replaced, or cleared by `None`."""
        return attrs.evolve(self, weights=_with(self.weights, key, override))

    def against(self, config: ResolvedConfig) -> OperatorOverrides:
        """Keep only what the file has not changed since."""
        weights = {key: _file_weight(config.frontends, key) for key in self.weights}
        return OperatorOverrides(
            {name: kept for name, kept in self.admin.items() if _file_enabled(config, name) is kept.file_enabled},
            {key: kept for key, kept in self.weights.items() if weights[key] == kept.file_weight},
        )

    def applied(self, frontends: Mapping[str, Frontend]) -> dict[str, Frontend]:
        """Return frontends with the weights in force; one without an override is the same object."""
        overridden = {frontend for frontend, _pool, _backend in self.weights}
        return {name: self.applied_to(spec) if name in overridden else spec for name, spec in frontends.items()}

    def applied_to(self, frontend: Frontend) -> Frontend:
        """Return one frontend with the weights in force."""
        return attrs.evolve(frontend, pools=tuple(self._pool(frontend.name, pool) for pool in frontend.pools))

    def _pool(self, frontend: str, pool: Pool) -> Pool:
        return attrs.evolve(
            pool, members=tuple(self._member((frontend, pool.name, m.backend), m) for m in pool.members)
        )

    def _member(self, key: WeightKey, member: Member) -> Member:
        override = self.weights.get(key)
        return member if override is None else attrs.evolve(member, weight=override.weight)


_K = TypeVar("_K")
_V = TypeVar("_V")


def _with(old: Mapping[_K, _V], key: _K, value: _V | None) -> Mapping[_K, _V]:
    new = {k: v for k, v in old.items() if k != key}
    if value is not None:
        new[key] = value
    return new


def _file_enabled(config: ResolvedConfig, backend: str) -> bool | None:
    return config.backends[backend].enabled if backend in config.backends else None


def _file_weight(frontends: Mapping[str, Frontend], key: WeightKey) -> int | None:
    name, pool, backend = key
    spec = frontends.get(name)
    pools = spec.pools if spec else ()
    return next((m.configured_weight for p in pools if p.name == pool for m in p.members if m.backend == backend), None)
