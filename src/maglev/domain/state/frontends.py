"""Assesses frontends anew when something they rest on has changed, and tells what that makes different."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from maglev.api import BackendState, FrontendEvent, Transition, WeightEvent
from maglev.domain import warmup
from maglev.domain.desired import found_step
from maglev.domain.frontend import Assessment, Effective, assess, flush_due
from maglev.domain.model import Frontend
from maglev.domain.state.effects import Address, Collector
from maglev.domain.state.state import State


def reassess(state: State, name: str, out: Collector) -> None:
    """Assess one frontend anew; events tell of its state, its pool and its weights."""
    spec, before = state.frontends[name], state.assessments.get(name)
    carrying = state.dataplane.carrying(spec.vip)
    state.assessed_with[name] = carrying
    after = assess(spec, state.statuses, carrying, state.last_weights.get(name), before)
    if after == before:
        return
    state.assessments[name] = after
    remember_weights(state, name)
    if before is None:
        return
    if (before.state, before.active_pool) != (after.state, after.active_pool):
        out.events.append(FrontendEvent(out.at_s, name, before.state, after.state, after.active_pool, after.why))
    out.events.extend(_weight_events(spec, before, after, out.at_s))


def remember_weights(state: State, name: str) -> None:
    """Keep what a frontend gives, for `when-none-up: hold`, unless the warm-up still keeps it from the dataplane."""
    after = state.assessments.get(name)
    if after and not after.holding and any(after.weights.values()) and warmup.may_write(state.warm, name):
        state.last_weights[name] = after.weights


def backend_moved(state: State, backend: str, transition: Transition, out: Collector) -> None:
    """Follow a backend's transition: note its flushes, assess its frontends anew, have the dataplane follow."""
    touched = [name for name in state.users.get(backend, ()) if name in state.frontends]
    for name in touched:
        note_flush(state, state.frontends[name], backend, transition)
        reassess(state, name, out)
    out.sync(state.frontends[name].vip.address for name in touched)


def note_flush(state: State, spec: Frontend, backend: str, transition: Transition) -> None:
    """Note whether a transition makes the backend's established flows leave it, in place of what was due before."""
    for address in {m.address for pool in spec.pools for m in pool.members if m.backend == backend}:
        state.dataplane.unflush(spec.vip, address)
        carried = state.carried(spec.vip, spec.name, address)
        if flush_due(spec, transition.from_state, transition.to_state, carried=carried):
            state.dataplane.flush(spec.vip, address)


def note_departures(state: State, spec: Frontend, staying: Sequence[Address]) -> None:
    """Note the flushes of servers that leave a frontend, as the last state of their backends says.

    Args:
        state: The State before the frontend changes.
        spec: The frontend as it was.
        staying: The servers that stay on its VIP.
    """
    members = [member for pool in spec.pools for member in pool.members]
    if [member.address for member in members] == staying:
        return  # Mostly so; and to look an address up takes long.
    kept = frozenset(staying)
    for member in (member for member in members if member.address not in kept):
        state.dataplane.unflush(spec.vip, member.address)
        carried = state.carried(spec.vip, spec.name, member.address)
        if flush_due(spec, state.health[member.backend].state, BackendState.REMOVED, carried=carried):
            state.dataplane.flush(spec.vip, member.address)


def infer_steps(state: State, names: Iterable[str]) -> None:
    """Infer the weight steps of VIPs that are seen for the first time: weights that change later look like another."""
    view = state.dataplane
    for name in names:
        spec = state.frontends[name]
        found = view.vip(spec.vip)
        if found is not None and spec.vip not in view.steps and spec.vip not in view.rebuild:
            view.steps[spec.vip] = found_step(spec, state.assessments[name], found) or spec.step


def _weight_events(spec: Frontend, before: Assessment, after: Assessment, at_s: float) -> Iterator[WeightEvent]:
    for was, member in _pairs(before, after):
        if was is member:
            continue
        previous, weight = was.weight if was else 0, member.weight if member else 0
        if previous == weight:
            continue
        if member is not None:
            yield _weight_event(spec.name, member, _wanted(spec, member), previous, at_s)
        elif was is not None:
            yield _weight_event(spec.name, attrs.evolve(was, weight=0, reason="removed"), 0, previous, at_s)


def _pairs(before: Assessment, after: Assessment) -> Iterator[tuple[Effective | None, Effective | None]]:
    """Pair what each member was with what it is; in the same frontend they stand in the same order."""
    if before.grounds and after.grounds and before.grounds.frontend is after.grounds.frontend:
        yield from zip(before.members, after.members, strict=True)
        return
    old = {(member.pool, member.backend): member for member in before.members}
    for member in after.members:
        yield old.pop((member.pool, member.backend), None), member
    yield from ((gone, None) for gone in old.values())


def _wanted(spec: Frontend, member: Effective) -> int:
    pools = (pool for pool in spec.pools if pool.name == member.pool)
    return next(m.weight for pool in pools for m in pool.members if m.backend == member.backend)


def _weight_event(frontend: str, member: Effective, wanted: int, previous: int, at_s: float) -> WeightEvent:
    return WeightEvent(at_s, frontend, member.pool, member.backend, wanted, member.weight, previous, member.reason)
