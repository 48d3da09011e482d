"""Takes a configuration over: what it does to backends, frontends and the dataplane, decided in one step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import attrs

from maglev.api import BackendState, FailedPrecondition, Transition
from maglev.domain import health as machine
from maglev.domain import warmup
from maglev.domain.health import Health
from maglev.domain.model import Backend, BackendStatus, Frontend, ResolvedConfig
from maglev.domain.overrides import AdminOverride, OperatorOverrides
from maglev.domain.state.backends import probe_effect, probe_now, transit
from maglev.domain.state.effects import Address, Collector
from maglev.domain.state.frontends import infer_steps, note_departures, note_flush, reassess
from maglev.domain.state.state import State
from maglev.domain.state.told import told


def take_config(
    state: State, out: Collector, config: ResolvedConfig, *, why: str = "reload", force: bool = False
) -> None:
    """Make backends and frontends what a configuration says; what did not change goes on undisturbed.

    It may raise in the middle (the options of a plugin's checker are compared here): take it on a fork.

    Args:
        state: The State.
        out: The effects.
        config: The configuration.
        why: `start` or `reload`, the cause of the transitions this makes.
        force: Whether it may remove more than half of the VIPs.

    Raises:
        FailedPrecondition: It would remove more than half of the VIPs, and is not forced.
    """
    old, was_over = state.frontends, state.warm.over
    overrides = state.overrides.against(config)
    new = _same_if_equal(old, overrides.applied(config.frontends))
    refuse_mass_removal(old, new, force=force)
    for name, spec in old.items():
        if new.get(name) is not spec:
            note_departures(state, spec, _servers_that_stay(spec, new.get(name)))
    _note_rebuilds(state, new, config)
    before, old_overrides = state.config, state.overrides
    moved = _take_backends(state, config, why, overrides, users_of(new), out)
    state.overrides = overrides
    _take_frontends(state, new, moved, out)
    state.warm = warmup.reconfigured(state.warm, min_ns=config.warm_up_min_ns, max_ns=config.warm_up_max_ns)
    if state.warm.over and not was_over:
        out.sync(state.at)
    out.changed = before != state.config or old_overrides != overrides
    if why == "reload":
        out.messages += told(before, state.config, (old, new), (old_overrides, overrides))


def refuse_mass_removal(old: Mapping[str, Frontend], new: Mapping[str, Frontend], *, force: bool) -> None:
    """Refuse a configuration that would remove more than half of the VIPs.

    Raises:
        FailedPrecondition: It would, and is not forced.
    """
    before = {spec.vip for spec in old.values()}
    removed = before - {spec.vip for spec in new.values()}
    if len(removed) * 2 > len(before) and not force:
        names = ", ".join(sorted(map(str, removed))[:5]) + (", …" if len(removed) > 5 else "")
        what = f"{len(removed)} of {len(before)} VIPs ({names})"
        raise FailedPrecondition(f"this would remove {what}; use force if this is intended")


def users_of(frontends: Mapping[str, Frontend]) -> dict[str, tuple[str, ...]]:
    """The frontends that use each backend, by the backend's name."""
    users: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for spec in frontends.values():
        for pool in spec.pools:
            for member in pool.members:
                users[member.backend][spec.name] = None
    return {backend: tuple(names) for backend, names in users.items()}


def _same_if_equal(old: Mapping[str, Frontend], new: Mapping[str, Frontend]) -> dict[str, Frontend]:
    """Keep the objects of frontends that did not change: who looks only for changes need not compare them again."""
    return {name: old[name] if old.get(name) == spec else spec for name, spec in new.items()}


def _servers_that_stay(old: Frontend, new: Frontend | None) -> list[Address]:
    return [m.address for pool in new.pools for m in pool.members] if new is not None and new.vip == old.vip else []


# --- backends -----------------------------------------------------------------------------------------------------


def _take_backends(
    state: State,
    config: ResolvedConfig,
    why: str,
    overrides: OperatorOverrides,
    users: Mapping[str, tuple[str, ...]],
    out: Collector,
) -> dict[str, Transition]:
    """Remove, change and add backends. Returns the transitions of those that stay."""
    old, new = state.config.backends, config.backends
    for name in [name for name, backend in old.items() if not _same(backend, new.get(name))]:
        _remove(state, name, why, out)
    probes = {name: probe_now(state, name) for name in state.health}
    was_overridden = state.overrides.admin.keys()
    new = {name: _settled(old.get(name), backend) for name, backend in new.items()}
    state.config, state.users = attrs.evolve(config, backends=new), users
    moved: dict[str, Transition] = {}
    for name, backend in new.items():
        admin = overrides.admin.get(name)
        if name not in state.health:
            _add(state, backend, admin, why, out)
        elif transition := _change(state, old[name], backend, admin, out, overridden=name in was_overridden):
            moved[name] = transition
        if effect := probe_effect(name, probes.get(name), probe_now(state, name), _first_within_ns(state, backend)):
            out.probes.append(effect)
    state.health = {name: state.health[name] for name in new}
    state.statuses = {name: state.statuses[name] for name in new}
    state.history = {name: state.history[name][-config.transition_history :] for name in new}
    return moved


def _settled(old: Backend | None, new: Backend) -> Backend:
    """Keep the objects of what did not change: a probe's identity tells whether it is still the one that runs."""
    if old is None or old == new:
        return old or new
    return attrs.evolve(new, probe=old.probe) if old.probe == new.probe else new


def _same(one: Backend, other: Backend | None) -> bool:
    """Only a changed address makes another backend."""
    return other is not None and one.address == other.address


def _remove(state: State, name: str, why: str, out: Collector) -> None:
    if effect := probe_effect(name, probe_now(state, name), None, 0):
        out.probes.append(effect)
    transit(state, name, machine.removed(state.health[name]), out, why=why)
    del state.health[name], state.statuses[name], state.history[name]


def _add(state: State, backend: Backend, admin: AdminOverride | None, why: str, out: Collector) -> None:
    enabled = backend.enabled if admin is None else admin.admin != "disabled"
    health = machine.initial(backend.rule, enabled=enabled)
    if admin is not None and admin.admin == "paused":
        health = machine.pause(health)
    state.health[backend.name] = health
    state.statuses[backend.name] = BackendStatus(health.state, why, out.at_s)
    known = health.state is not BackendState.UNKNOWN
    first = Transition(BackendState.UNKNOWN, health.state, out.at_s, None, why)
    state.history[backend.name] = (first,) if known else ()


def _change(
    state: State, old: Backend, new: Backend, admin: AdminOverride | None, out: Collector, *, overridden: bool
) -> Transition | None:
    health: Health = state.health[new.name]
    if (old.rule, old.probe) != (new.rule, new.probe):
        health = machine.swapped(health, new.rule)
    if admin is None and (overridden or old.enabled != new.enabled):
        health = machine.reset(health, new.rule, enabled=new.enabled)
    return transit(state, new.name, health, out, why="reload")


def _first_within_ns(state: State, backend: Backend) -> int:
    spread = backend.intervals.fast_ns if backend.intervals else 0
    warm_up = state.config.warm_up_min_ns // 2
    return min(spread, warm_up) if warm_up else spread


# --- frontends ----------------------------------------------------------------------------------------------------


def _note_rebuilds(state: State, new: Mapping[str, Frontend], config: ResolvedConfig) -> None:
    """Note what only making a VIP anew can change, and the reload has changed."""
    view = state.dataplane
    before = {spec.vip: spec for spec in state.frontends.values()}
    for spec in new.values():
        was = before.get(spec.vip)
        if was is not None and (was.attributes, was.step) != (spec.attributes, spec.step):
            view.rebuild.add(spec.vip)
    view.owned.update(spec.vip for spec in new.values())
    if state.frontends and config.conf.sticky_buckets_per_core != state.config.conf.sticky_buckets_per_core:
        view.rebuild_conf = True


def _take_frontends(state: State, new: dict[str, Frontend], moved: Mapping[str, Transition], out: Collector) -> None:
    old, state.frontends = state.frontends, new
    state.at = _by_address(new.values())
    for name in old.keys() - new.keys():
        state.assessments.pop(name, None)
        state.assessed_with.pop(name, None)
        state.last_weights.pop(name, None)
    for backend, transition in moved.items():
        for name in state.users.get(backend, ()):
            note_flush(state, new[name], backend, transition)
    touched = _touched(state, old, new, moved)
    for name in touched:
        reassess(state, name, out)
    infer_steps(state, touched)
    out.sync(spec.vip.address for name, spec in old.items() if new.get(name) is not spec)
    out.sync(new[name].vip.address for name in touched)


def _touched(
    state: State, old: Mapping[str, Frontend], new: Mapping[str, Frontend], moved: Collection[str]
) -> list[str]:
    """The frontends that have changed themselves, or one of whose backends has another state now."""
    users = {name for backend in moved for name in state.users.get(backend, ())}
    return [name for name, spec in new.items() if old.get(name) is not spec or name in users]


def _by_address(frontends: Iterable[Frontend]) -> dict[Address, tuple[str, ...]]:
    names: defaultdict[Address, list[str]] = defaultdict(list)
    for spec in frontends:
        names[spec.vip.address].append(spec.name)
    return {address: tuple(at) for address, at in names.items()}
