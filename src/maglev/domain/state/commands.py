"""Carries operators' commands out on the State. Each raises before it changes anything."""

from __future__ import annotations

from collections.abc import Callable, Collection

from maglev.api import (
    BackendState,
    BadArgument,
    DisableBackend,
    EnableBackend,
    PauseBackend,
    ResetBackend,
    ResetFrontendPoolBackendWeight,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
    UnknownName,
)
from maglev.domain import health as machine
from maglev.domain.health import Health
from maglev.domain.model import Backend, Frontend
from maglev.domain.names import nearest
from maglev.domain.overrides import AdminOverride, WeightKey, WeightOverride
from maglev.domain.state.backends import awaits_probe, become, probe_effect, probe_now
from maglev.domain.state.effects import Collector
from maglev.domain.state.frontends import reassess
from maglev.domain.state.state import State
from maglev.domain.weights import table_weight

AdminCommand = PauseBackend | ResumeBackend | DisableBackend | EnableBackend | ResetBackend
WeightCommand = SetFrontendPoolBackendWeight | ResetFrontendPoolBackendWeight

_ADMIN: dict[type, tuple[str, Callable[[Health, Backend], Health]]] = {
    PauseBackend: ("pause", lambda health, _backend: machine.pause(health)),
    ResumeBackend: ("resume", lambda health, backend: machine.resume(health, backend.rule)),
    DisableBackend: ("disable", lambda health, _backend: machine.disable(health)),
    EnableBackend: ("enable", lambda health, backend: machine.enable(health, backend.rule)),
    ResetBackend: ("reset", lambda health, backend: machine.reset(health, backend.rule, enabled=backend.enabled)),
}


def known(kind: str, name: str, names: Collection[str]) -> None:
    """Make sure that a name exists.

    Raises:
        UnknownName: It does not.
    """
    if name not in names:
        raise UnknownName(kind, name, nearest(name, names))


def command(state: State, out: Collector, given: AdminCommand | WeightCommand) -> None:
    """Carry out a command on a backend or on a weight.

    Raises:
        UnknownName: There is no such backend, frontend, pool or member.
        BadArgument: The weight is not 0 to 100.
        FailedPrecondition: It does not fit the backend's state.
    """
    if isinstance(given, SetFrontendPoolBackendWeight | ResetFrontendPoolBackendWeight):
        _weight_command(state, given, out)
    else:
        _admin_command(state, given, out)


def _admin_command(state: State, command: AdminCommand, out: Collector) -> None:
    name = command.backend
    known("backend", name, state.health)
    backend, before = state.config.backends[name], state.health[name]
    why, rule = _ADMIN[type(command)]
    after = rule(before, backend)
    probed = probe_now(state, name)
    override = None if isinstance(command, ResetBackend) else _admin_override(after, backend)
    moved = become(state, name, after, out, why=why)
    out.changed = moved or state.overrides.admin.get(name) != override
    state.overrides = state.overrides.with_admin(name, override)
    # Also if nothing changed: repeated, a command tries again what could not be written.
    out.sync(state.frontends[user].vip.address for user in state.users.get(name, ()))
    if effect := probe_effect(name, probed, probe_now(state, name), 0):
        out.probes.append(effect)
    if awaits_probe(before, after):
        out.awaiting.append(name)
        out.messages.append(f"{name} is probed from unknown: its weight follows from its first probe")


def _weight_command(state: State, command: WeightCommand, out: Collector) -> None:
    key, spec = _member(state, command)
    override = _weight_override(state, command, key)
    out.sync((spec.vip.address,))
    if state.overrides.weights.get(key) == override:
        return
    out.changed = True
    if override is not None:
        _tell_rounding(state, override.weight, spec, out)
    state.overrides = state.overrides.with_weight(key, override)
    state.frontends[spec.name] = state.overrides.applied_to(state.config.frontends[spec.name])
    reassess(state, spec.name, out)


def _admin_override(after: Health, backend: Backend) -> AdminOverride | None:
    """Return the state to keep: that after the command, unless the file has the same."""
    if after.state is BackendState.PAUSED:
        return AdminOverride("paused", backend.enabled)
    enabled = after.state is not BackendState.DISABLED
    return None if enabled == backend.enabled else AdminOverride("enabled" if enabled else "disabled", backend.enabled)


def _member(state: State, command: WeightCommand) -> tuple[WeightKey, Frontend]:
    known("frontend", command.frontend, state.frontends)
    spec = state.frontends[command.frontend]
    pools = {pool.name: pool for pool in spec.pools}
    known("pool", command.pool, pools)
    known("backend", command.backend, [member.backend for member in pools[command.pool].members])
    return (command.frontend, command.pool, command.backend), spec


def _weight_override(state: State, command: WeightCommand, key: WeightKey) -> WeightOverride | None:
    if isinstance(command, ResetFrontendPoolBackendWeight):
        return None
    if not 0 <= command.weight <= 100:
        raise BadArgument(f"weight {command.weight}: from 0 to 100 is allowed")
    name, pool, backend = key
    pools = state.frontends[name].pools
    filed = next(m.configured_weight for p in pools if p.name == pool for m in p.members if m.backend == backend)
    return WeightOverride(command.weight, filed)


def _tell_rounding(state: State, weight: int, spec: Frontend, out: Collector) -> None:
    step = state.weight_step(spec)
    rounded = table_weight(weight, step)
    if rounded.rounded:
        out.messages.append(f"weight {weight} counts as {rounded.value * step}: this VIP's table has steps of {step}")
