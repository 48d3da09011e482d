"""Decides what to write to the dataplane, and follows what it holds: reads, plans, acknowledgements, the warm-up.

All of it is decided on a State, so a sync run on a fork says what a sync run on the live State does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import attrs

from maglev.api import (
    AddVip,
    BackendState,
    DataplaneConf,
    DataplaneState,
    DeleteVip,
    Operation,
    SyncDataplane,
    VipKey,
    VipState,
)
from maglev.domain import warmup
from maglev.domain.conf import ConfPlan, plan_conf
from maglev.domain.describe import describe
from maglev.domain.desired import DesiredVip, desired_vip
from maglev.domain.drift import foreign_writes
from maglev.domain.plan import Plan, plan_address
from maglev.domain.state.commands import known
from maglev.domain.state.effects import Address, Collector
from maglev.domain.state.frontends import infer_steps, reassess, remember_weights
from maglev.domain.state.state import State
from maglev.domain.table import numeric_order


@attrs.frozen
class SyncRequest:
    """The addresses and the scope of a sync run.

    Args:
        scope: `transition`, `periodic`, `operator`, `reload` or `fill`.
        addresses: Which VIP addresses; `None` for everything, addresses that only the dataplane knows included.
        conf: Also the values that hold for the whole dataplane.
        recreate: Also make anew what only that puts right.
        prune: Also remove VIPs that were never configured.
        reread: Read the dataplane first.
    """

    scope: str
    addresses: tuple[Address, ...] | None = None
    conf: bool = attrs.field(default=attrs.Factory(lambda self: self.addresses is None, takes_self=True))
    recreate: bool = False
    prune: bool = False
    reread: bool = False


def operator_sync(state: State, command: SyncDataplane) -> SyncRequest:
    """Return the request of an operator's `sync`.

    Raises:
        UnknownName: There is no such frontend.
    """
    addresses = None
    if command.frontend is not None:
        known("frontend", command.frontend, state.frontends)
        addresses = (state.frontends[command.frontend].vip.address,)
    return SyncRequest("operator", addresses, recreate=command.recreate, prune=command.prune, reread=True)


# --- what is planned ----------------------------------------------------------------------------------------------


def desired(state: State, address: Address, *, recreate: bool = False) -> dict[VipKey, DesiredVip]:
    """Return the wanted VIPs of one address; with `recreate`, with the file's own weight steps."""
    view = state.dataplane
    wanted = {}
    for spec in state.specs_at(address):
        step = state.weight_step(spec, recreate=recreate)
        found, flushes = view.vip(spec.vip), view.flushes(spec.vip)
        wanted[spec.vip] = desired_vip(spec, state.assessments[spec.name], found, flushes, step=step)
    return wanted


def plan(state: State, address: Address, request: SyncRequest) -> Plan:
    """Plan the operations for one address."""
    wanted, actual = desired(state, address, recreate=request.recreate), state.dataplane.at(address)
    return plan_address(
        address,
        wanted,
        actual,
        recreate={*wanted, *actual} if request.recreate else state.dataplane.rebuild,
        owned=state.dataplane.owned,
        prune=request.prune,
    )


def plan_for_conf(state: State, request: SyncRequest) -> ConfPlan:
    """Plan the operation for the settings of the whole dataplane."""
    view = state.dataplane
    return plan_conf(
        state.config.conf,
        view.conf or DataplaneConf(),
        empty=not view.addresses(),
        recreate=request.recreate or view.rebuild_conf,
    )


def in_scope(state: State, request: SyncRequest) -> tuple[list[Address], list[Address]]:
    """The addresses of a request, in numeric order, IPv4 first; and those that the warm-up holds back."""
    everything = (*state.at, *state.dataplane.addresses())
    candidates = sorted(set(everything if request.addresses is None else request.addresses), key=numeric_order)
    held = [address for address in candidates if not state.released(address)]
    return [address for address in candidates if state.released(address)], held


# --- steps: what becomes of it ------------------------------------------------------------------------------------


def planned(state: State, out: Collector, plans: Sequence[Plan], *, recreate: bool, writing: bool) -> None:
    """Some addresses were planned: note drift and what is out of sync.

    Args:
        state: The State.
        out: The effects.
        plans: Their plans.
        recreate: Whether they were planned on the file's own weight steps.
        writing: Whether they are about to be written, and not only observed.
    """
    view = state.dataplane
    for each in plans:
        _note_drift(state, each, out)
        if any(each.phases):
            view.unsynced.add(each.address)
        else:
            view.unsynced.discard(each.address)
        for spec in state.specs_at(each.address) if writing else ():
            if view.vip(spec.vip) is not None:
                view.steps[spec.vip] = state.weight_step(spec, recreate=recreate)
    if writing:
        # Taken off before writing: a reload in the middle puts its VIPs back on, and must not be forgotten with them.
        addresses = {each.address for each in plans}
        view.rebuild = {key for key in view.rebuild if key.address not in addresses}


def written(state: State, _out: Collector, done: Collection[Address], undone: Collection[VipKey]) -> None:
    """Note that the planned operations were written.

    Args:
        state: The State.
        done: Addresses all of whose operations were acknowledged: in sync now.
        undone: VIPs still to be made anew, of addresses where something failed.
    """
    state.dataplane.unsynced.difference_update(done)
    state.dataplane.rebuild.update(undone)


def conf_planned(state: State, out: Collector, plan: ConfPlan, *, writing: bool) -> None:
    """The values for the whole dataplane were planned: note what differs."""
    view = state.dataplane
    if plan.drift and plan.drift != view.conf_drift:
        out.note("warning", "drift", what=plan.drift)
    view.conf_drift = plan.drift
    if writing:
        view.rebuild_conf = False


def conf_not_written(state: State, _out: Collector) -> None:
    """The values for the whole dataplane, which a reload changed, are still to be written."""
    state.dataplane.rebuild_conf = True


def acknowledged(state: State, out: Collector, operation: Operation) -> None:
    """The dataplane says that it has done an operation."""
    view = state.dataplane
    view.acknowledged(operation)
    out.note("debug", "wrote", operation=describe(operation))
    if isinstance(operation, DeleteVip):
        view.steps.pop(operation.vip, None)
    elif isinstance(operation, AddVip):
        view.steps.update(
            {spec.vip: spec.step for spec in state.specs_at(operation.vip.address) if spec.vip == operation.vip}
        )


def uncertain(state: State, _out: Collector) -> None:
    """An operation failed or had no answer: trust nothing until the next read."""
    state.dataplane.known = False


def _note_drift(state: State, each: Plan, out: Collector) -> None:
    drift = state.dataplane.drift
    if each.drift != drift.get(each.address, ()):
        for item in each.drift:
            out.note("warning", "drift", vip=str(item.vip), what=item.what)
    if each.drift:
        drift[each.address] = each.drift
    else:
        drift.pop(each.address, None)


# --- steps: the connection and what the dataplane holds -----------------------------------------------------------


def dataplane_connected(state: State, _out: Collector, at_ns: int, *, restarted: bool) -> None:
    """There is a connection, since `at_ns` on a monotonic clock; one that was restarted has forgotten everything."""
    state.dataplane.connected_at_ns = at_ns
    if restarted:
        state.dataplane.restarted()


def dataplane_read(state: State, out: Collector, held: DataplaneState, *, writing: bool = True) -> None:
    """The dataplane was read; `reassess_frontend` has to follow for `stale_frontends`, which may be many.

    Args:
        state: The State.
        out: The effects.
        held: What it holds.
        writing: Whether we are the one who writes, and not an observer of another.
    """
    view = state.dataplane
    view.foreign = foreign_writes(view.vips(), held.vips, view.owned) if writing and view.known else ""
    if view.foreign:
        out.note("warning", "foreign-writes", what=view.foreign)
    if any(vip.attributes.sticky is None for vip in held.vips.values()):
        held = attrs.evolve(held, vips={key: _with_flags(state, key, vip) for key, vip in held.vips.items()})
    view.read(held)


def _with_flags(state: State, key: VipKey, vip: VipState) -> VipState:
    """Take a flag that the dataplane did not tell to be what it was before, or else what is wanted."""
    if vip.attributes.sticky is not None:
        return vip
    before = state.dataplane.vip(key)
    wanted = next((spec.attributes for spec in state.specs_at(key.address) if spec.vip == key), None)
    sticky = before.attributes.sticky if before is not None else wanted.sticky if wanted is not None else None
    return attrs.evolve(vip, attributes=attrs.evolve(vip.attributes, sticky=sticky))


def dataplane_lost(state: State, _out: Collector) -> None:
    """The connection is gone: what the dataplane holds is not known any more."""
    state.dataplane.lost()


def stale_frontends(state: State) -> Iterator[str]:
    """The frontends that have to be looked at again after a read: others than at their last look carry weight."""
    view = state.dataplane
    for name in tuple(state.frontends):
        spec = state.frontends.get(name)
        if spec is None:
            continue
        unseen = spec.vip not in view.steps and view.vip(spec.vip) is not None
        if unseen or state.assessed_with.get(name) != view.carrying(spec.vip):
            yield name


def reassess_frontend(state: State, out: Collector, name: str) -> None:
    """Assess one frontend anew, and infer its weight step at the first look."""
    if name in state.frontends:
        reassess(state, name, out)
        infer_steps(state, (name,))


# --- steps: the warm-up -------------------------------------------------------------------------------------------


def warm_up_tick(state: State, out: Collector, now_ns: int) -> None:
    """Release what the warm-up no longer holds back at `now_ns`, on a monotonic clock."""
    if state.warm.over:
        return
    unknown = {
        name: [
            member.backend
            for pool in frontend.pools
            for member in pool.members
            if state.statuses[member.backend].state is BackendState.UNKNOWN
        ]
        for name, frontend in state.frontends.items()
    }
    _release(state, warmup.advance(state.warm, now_ns, unknown), out)


def dataplane_empty(state: State, out: Collector) -> None:
    """The dataplane is empty or was restarted: there is nothing to protect, so nothing is held back any more."""
    _release(state, warmup.fill(state.warm, state.frontends, "the dataplane is empty or was restarted"), out)


def _release(state: State, step: warmup.Step, out: Collector) -> None:
    ended, state.warm = step.warm.over and not state.warm.over, step.warm
    for name, why in step.held.items():
        out.note("debug", "held-back", frontend=name, why=why)
    if step.released:
        out.note("info", "released", frontends=len(step.released), warm=state.warm.over)
        for name in step.released:
            remember_weights(state, name)
        out.sync({state.frontends[name].vip.address for name in step.released if name in state.frontends})
    if ended:
        # What is left of frontends that were removed meanwhile was held back too.
        out.sync(address for address in state.dataplane.addresses() if address not in state.at)
