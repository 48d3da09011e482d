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
)
from maglev.domain import warmup
from maglev.domain.conf import ConfPlan, plan_conf
from maglev.domain.describe import describe
from maglev.domain.desired import DesiredVip, desired_vip
from maglev.domain.plan import Plan, plan_address
from maglev.domain.state.commands import known
from maglev.domain.state.effects import Address, Collector
from maglev.domain.state.frontends import infer_steps, reassess, remember_weights
from maglev.domain.state.state import State


@attrs.frozen
class SyncRequest:
    """What a sync run is for.

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
    """What an operator's `sync` asks for.

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
    """What one address should look like now; with `recreate` on the file's own weight steps."""
    view = state.dataplane
    wanted = {}
    for name in state.at.get(address, ()):
        spec = state.frontends[name]
        step = state.weight_step(spec, recreate=recreate)
        found, flushes = view.vip(spec.vip), view.flushes(spec.vip)
        wanted[spec.vip] = desired_vip(spec, state.assessments[name], found, flushes, step=step)
    return wanted


def plan(state: State, address: Address, request: SyncRequest) -> Plan:
    """What to write for one address."""
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
    """What to write of the values that hold for the whole dataplane."""
    view = state.dataplane
    return plan_conf(
        state.config.conf,
        view.conf or DataplaneConf(),
        empty=not view.addresses(),
        recreate=request.recreate or view.rebuild_conf,
    )


def numeric_order(address: Address) -> tuple[int, int]:
    """The order in which addresses are planned and shown: IPv4 first."""
    return address.version, int(address)


def in_scope(state: State, request: SyncRequest) -> tuple[list[Address], list[Address]]:
    """The addresses of a request, in numeric order, IPv4 first; and those that the warm-up holds back."""
    everything = (*state.at, *state.dataplane.addresses())
    candidates = sorted(set(everything if request.addresses is None else request.addresses), key=numeric_order)
    held = [address for address in candidates if not state.released(address)]
    return [address for address in candidates if state.released(address)], held


# --- what becomes of it -------------------------------------------------------------------------------------------


@attrs.frozen
class Planned:
    """Some addresses have been planned.

    Args:
        plans: Their plans.
        recreate: Whether they were planned on the file's own weight steps.
        writing: Whether they are about to be written, and not only observed.
    """

    plans: Sequence[Plan]
    recreate: bool
    writing: bool


def planned(state: State, change: Planned, out: Collector) -> None:
    """Note drift and what is out of sync; a VIP that is about to be made anew is no longer waiting for it."""
    view = state.dataplane
    for each in change.plans:
        _note_drift(state, each, out)
        if any(each.phases):
            view.unsynced.add(each.address)
        else:
            view.unsynced.discard(each.address)
        for name in state.at.get(each.address, ()) if change.writing else ():
            spec = state.frontends[name]
            if view.vip(spec.vip) is not None:
                view.steps[spec.vip] = state.weight_step(spec, recreate=change.recreate)
    if change.writing:
        # Taken off before writing: a reload in the middle puts its VIPs back on, and must not be forgotten with them.
        addresses = {each.address for each in change.plans}
        view.rebuild = {key for key in view.rebuild if key.address not in addresses}


@attrs.frozen
class Written:
    """What was planned has been written.

    Args:
        done: Addresses all of whose operations were acknowledged.
        undone: VIPs that were to be made anew, of addresses where something failed.
    """

    done: Collection[Address]
    undone: Collection[VipKey]


def written(state: State, change: Written, _out: Collector) -> None:
    """Note what is in sync now; what was not done is still to be made anew."""
    state.dataplane.unsynced.difference_update(change.done)
    state.dataplane.rebuild.update(change.undone)


@attrs.frozen
class ConfPlanned:
    """The values for the whole dataplane have been planned; `writing` if they are about to be written."""

    plan: ConfPlan
    writing: bool


def conf_planned(state: State, change: ConfPlanned, out: Collector) -> None:
    """Note what differs in the values for the whole dataplane."""
    view = state.dataplane
    if change.plan.drift and change.plan.drift != view.conf_drift:
        out.note("warning", "drift", what=change.plan.drift)
    view.conf_drift = change.plan.drift
    if change.writing:
        view.rebuild_conf = False


@attrs.frozen
class ConfNotWritten:
    """The values for the whole dataplane were not written, though a reload changed them."""


def conf_not_written(state: State, _change: ConfNotWritten, _out: Collector) -> None:
    """They are still to be written."""
    state.dataplane.rebuild_conf = True


@attrs.frozen
class Acknowledged:
    """The dataplane says that it has done an operation."""

    operation: Operation


def acknowledged(state: State, change: Acknowledged, out: Collector) -> None:
    """Follow an operation that was done."""
    view, operation = state.dataplane, change.operation
    view.acknowledged(operation)
    out.note("debug", "wrote", operation=describe(operation))
    if isinstance(operation, DeleteVip):
        view.steps.pop(operation.vip, None)
    elif isinstance(operation, AddVip):
        for name in state.at.get(operation.vip.address, ()):
            if state.frontends[name].vip == operation.vip:
                view.steps[operation.vip] = state.frontends[name].step


@attrs.frozen
class Uncertain:
    """An operation failed or had no answer: what the dataplane holds has to be read again."""


def uncertain(state: State, _change: Uncertain, _out: Collector) -> None:
    """Trust nothing until the next read."""
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


# --- what the dataplane holds -------------------------------------------------------------------------------------


@attrs.frozen
class DataplaneRead:
    """The dataplane was read. `ReassessFrontend` has to follow for `stale_frontends`, which may be many."""

    state: DataplaneState


def dataplane_read(state: State, change: DataplaneRead, _out: Collector) -> None:
    """Take what the dataplane holds."""
    state.dataplane.read(change.state)


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


@attrs.frozen
class ReassessFrontend:
    """Look at one frontend again."""

    frontend: str


def reassess_frontend(state: State, change: ReassessFrontend, out: Collector) -> None:
    """Assess one frontend anew, and infer its weight step at the first look."""
    if change.frontend in state.frontends:
        reassess(state, change.frontend, out)
        infer_steps(state, (change.frontend,))


@attrs.frozen
class DataplaneConnected:
    """There is a connection.

    Args:
        at_ns: Since when, on a monotonic clock, in nanoseconds.
        restarted: Whether the dataplane itself was restarted since the last one.
    """

    at_ns: int
    restarted: bool


def dataplane_connected(state: State, change: DataplaneConnected, _out: Collector) -> None:
    """Note the connection; a dataplane that was restarted has forgotten everything."""
    state.dataplane.connected_at_ns = change.at_ns
    if change.restarted:
        state.dataplane.restarted()


@attrs.frozen
class DataplaneLost:
    """The connection is gone."""


def dataplane_lost(state: State, _change: DataplaneLost, _out: Collector) -> None:
    """What the dataplane holds is not known any more."""
    state.dataplane.lost()


# --- the warm-up --------------------------------------------------------------------------------------------------


@attrs.frozen
class WarmUpTick:
    """Some time has passed; `now_ns` is a monotonic clock in nanoseconds."""

    now_ns: int


def warm_up_tick(state: State, change: WarmUpTick, out: Collector) -> None:
    """Release what the warm-up no longer holds back."""
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
    _release(state, warmup.advance(state.warm, change.now_ns, unknown), out)


@attrs.frozen
class DataplaneEmpty:
    """The dataplane is empty or was restarted: there is nothing to protect."""


def dataplane_empty(state: State, _change: DataplaneEmpty, out: Collector) -> None:
    """Hold nothing back any more."""
    _release(state, warmup.fill(state.warm, state.frontends, "the dataplane is empty or was restarted"), out)


def _release(state: State, step: warmup.Step, out: Collector) -> None:
    state.warm = step.warm
    for held in step.held:
        out.note("debug", "held-back", frontend=held.frontend, why=held.why)
    if step.released:
        out.note("info", "released", frontends=len(step.released), warm=state.warm.over)
        for name in step.released:
            remember_weights(state, name)
        out.sync({state.frontends[name].vip.address for name in step.released if name in state.frontends})
