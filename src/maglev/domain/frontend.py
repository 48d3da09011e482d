"""Assesses a frontend: its active pool, the weight of each server and the reason for it, and whether it is up.

Three rules that are not obvious:

- A backend without a verdict yet (unknown) that carries weight in the dataplane is presumed to serve. It keeps its
  weight, and it counts as up when the active pool is chosen: else a restart of ours could hand the traffic of a
  healthy pool to the next one only because its backends have not all been probed yet.
- A backend in several pools of a frontend counts in one of them: the active one if it is in that. An unknown one that
  is not (or has weight 0 there) counts in the first of its pools that gives it weight.
- `when-none-up: hold` is for failures. What an operator paused, disabled or gave weight 0 is never held.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import attrs

from maglev.api import BackendState, FrontendState
from maglev.domain import reasons
from maglev.domain.model import BackendStatus, Frontend, Member, Pool, WhenNoneUp
from maglev.domain.table import Address

_UNSEEN = BackendStatus(BackendState.UNKNOWN)


@attrs.frozen
class Effective:
    """The effective weight of one backend in one pool.

    Args:
        pool: The pool's name.
        backend: The backend's name.
        address: The server's address.
        weight: The effective weight on the scale of the file, 0 to 100.
        reason: Why it is that, in words for an operator; never empty.
    """

    pool: str
    backend: str
    address: Address
    weight: int
    reason: str


@attrs.frozen
class Assessment:
    """The assessment of a frontend.

    Args:
        frontend: Its name.
        active_pool: The name of the pool that serves.
        state: Up when some weight is not 0; unknown when no backend has a state yet; else down.
        why: What decided state and active pool, in words; never empty.
        members: Each backend in each pool, in the order of the file.
        weights: The weight of each server, 0 to 100: the greatest of its members', of which at most one is not 0.
        holding: Whether `when-none-up: hold` keeps weights, because no server is left.
        grounds: What the members' weights were decided on, so that the next time only what changed is decided anew.
    """

    frontend: str
    active_pool: str
    state: FrontendState
    why: str
    members: tuple[Effective, ...]
    weights: Mapping[Address, int]
    holding: bool
    grounds: Grounds | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class Grounds:
    """The inputs of a frontend's assessment.

    Args:
        frontend: The frontend.
        statuses: What was known of each member's backend, in the order of the file.
    """

    frontend: Frontend
    statuses: tuple[BackendStatus, ...]


@attrs.frozen
class _Count:
    """The servers of a pool, of weight above 0, that are up, and those that are only presumed to be."""

    up: int
    presumed: int
    weighty: int

    @property
    def serving(self) -> int:
        return self.up + self.presumed


@attrs.frozen
class _Case:
    """A frontend and what is known of it."""

    frontend: Frontend
    statuses: Mapping[str, BackendStatus]
    carrying: Collection[Address]
    counts: Sequence[_Count]
    active: Pool

    def status(self, member: Member) -> BackendStatus:
        return self.statuses.get(member.backend, _UNSEEN)

    @cached_property
    def homes(self) -> Mapping[str, str]:
        """The pool that each unknown or held backend counts in."""
        homes: dict[str, str] = {}
        for pool in (self.active, *self.frontend.pools):
            for member in pool.members:
                if member.weight > 0:
                    homes.setdefault(member.backend, pool.name)
        return homes


def assess(
    frontend: Frontend,
    statuses: Mapping[str, BackendStatus],
    carrying: Collection[Address],
    last: Mapping[Address, int] | None,
    before: Assessment | None = None,
) -> Assessment:
    """Decide the active pool, every effective weight with its reason, and the frontend's state.

    The answer is stable: asked again after its weights went to the dataplane, it is the same. With an earlier answer at
    hand one transition among fifty servers costs a third.

    Args:
        frontend: The frontend as configured, overrides applied.
        statuses: What is known of each backend, by name; one that is missing is unknown.
        carrying: Servers of this VIP that the dataplane gives weight above 0 now; a set for speed, empty if not known.
        last: The last weights that were not all 0 and went, or were free to go, to the dataplane; read only by
            `when-none-up: hold`. `None` if there were none since this process started: then hold keeps what carries, at
            its configured weight. Weights of a frontend that the warm-up still held back do not belong here: one
            verdict at a time they would forget what really carries.
        before: An earlier answer for any frontend. It never changes the answer, it only spares work.
    """
    counts = [_count(pool, statuses, carrying) for pool in frontend.pools]
    case = _Case(frontend, statuses, carrying, counts, _active_pool(frontend, counts))
    grounds = Grounds(frontend, tuple(case.status(member) for pool in frontend.pools for member in pool.members))
    members = _members(case, grounds, before)
    holding = False
    if frontend.when_none_up is WhenNoneUp.HOLD and not any(effective.weight for effective in members):
        members = _hold(case, members, last)
        holding = any(effective.weight for effective in members)
    weights = _by_address(members)
    state = _state(case, weights)
    why = _why(case, state, holding=holding)
    return Assessment(frontend.name, case.active.name, state, why, members, weights, holding, grounds)


def flush_due(frontend: Frontend, from_state: BackendState, to_state: BackendState, *, carried: bool) -> bool:
    """Decide whether a transition makes established flows leave the server.

    A server that goes down and is held (`when-none-up: hold`) keeps its weight: its flush stays due, but is to be
    carried out only with weight 0, so not before another server serves.

    Args:
        frontend: The frontend concerned.
        from_state: The backend's state before.
        to_state: Its state after.
        carried: Whether the dataplane gave the server weight before the transition.

    Returns:
        Down: as `flush-on-down` says, if it carried weight. Disabled: yes, whatever it carried. Removed: as the state
        before says. Else, and where nothing changed (a backend that starts disabled): no.
    """
    if from_state is to_state:
        return False
    if to_state is BackendState.DOWN:
        return frontend.flush_on_down and carried
    if to_state is BackendState.REMOVED:
        # It carries nothing by now in either state; the flows are what is left of the time before.
        return from_state is BackendState.DISABLED or (from_state is BackendState.DOWN and frontend.flush_on_down)
    return to_state is BackendState.DISABLED


def _active_pool(frontend: Frontend, counts: Sequence[_Count]) -> Pool:
    """Choose the first pool with enough servers, else the first with any, else the first."""
    for pool, count in zip(frontend.pools, counts, strict=True):
        if count.serving >= max(pool.min_up, 1):
            return pool
    for pool, count in zip(frontend.pools, counts, strict=True):
        if count.serving:
            return pool
    return frontend.pools[0]


def _count(pool: Pool, statuses: Mapping[str, BackendStatus], carrying: Collection[Address]) -> _Count:
    up = presumed = weighty = 0
    for member in pool.members:
        if member.weight > 0:
            weighty += 1
            state = statuses.get(member.backend, _UNSEEN).state
            if state is BackendState.UP:
                up += 1
            elif state is BackendState.UNKNOWN and member.address in carrying:
                presumed += 1
    return _Count(up, presumed, weighty)


def _members(case: _Case, grounds: Grounds, before: Assessment | None) -> tuple[Effective, ...]:
    """Decide on each backend in each pool; one that nothing changed for is as it was before."""
    rows = ((pool, member) for pool in case.frontend.pools for member in pool.members)
    if (
        before is None
        or before.grounds is None
        or before.grounds.frontend is not case.frontend
        or before.active_pool != case.active.name
        or before.holding
    ):
        return tuple(_effective(case, pool, member) for pool, member in rows)
    # What an unknown one comes to hangs on the dataplane too.
    return tuple(
        was if status is known and status.state is not BackendState.UNKNOWN else _effective(case, pool, member)
        for (pool, member), status, known, was in zip(
            rows, grounds.statuses, before.grounds.statuses, before.members, strict=True
        )
    )


def _effective(case: _Case, pool: Pool, member: Member) -> Effective:
    status = case.status(member)
    weight = 0
    if status.state is BackendState.UP:
        serving = pool is case.active
        weight = member.weight if serving else 0
        reason = reasons.configured(member) if serving else reasons.standing_by(case.active.name)
    elif status.state is BackendState.UNKNOWN:
        weight, reason = _without_verdict(case, pool, member)
    else:
        reason = reasons.out_of_service(status)
    return Effective(pool.name, member.backend, member.address, weight, reason)


def _without_verdict(case: _Case, pool: Pool, member: Member) -> tuple[int, str]:
    if member.address not in case.carrying:
        return 0, reasons.UNKNOWN_WITHOUT_WEIGHT
    if member.weight == 0:
        return 0, reasons.configured(member)
    home = case.homes[member.backend]
    if home != pool.name:
        return 0, reasons.counts_elsewhere(home)
    return member.weight, reasons.keeps_weight(member)


def _hold(
    case: _Case,
    members: tuple[Effective, ...],
    last: Mapping[Address, int] | None,
) -> tuple[Effective, ...]:
    """Give down servers back what they had last; called when all weights are 0, so no unknown one carries any."""
    configured = (member for pool in case.frontend.pools for member in pool.members)
    reason = reasons.holding(case.frontend.name)
    held = []
    for effective, member in zip(members, configured, strict=True):
        weight = 0
        if case.status(member).state is BackendState.DOWN and case.homes.get(member.backend) == effective.pool:
            weight = _kept(case, member, last)
        held.append(attrs.evolve(effective, weight=weight, reason=reason) if weight else effective)
    return tuple(held)


def _kept(case: _Case, member: Member, last: Mapping[Address, int] | None) -> int:
    if last is None:
        return member.weight if member.address in case.carrying else 0
    return last.get(member.address, 0)


def _by_address(members: tuple[Effective, ...]) -> dict[Address, int]:
    weights = {effective.address: effective.weight for effective in members}
    if len(weights) < len(members):
        for effective in members:
            weights[effective.address] = max(effective.weight, weights[effective.address])
    return weights


def _state(case: _Case, weights: Mapping[Address, int]) -> FrontendState:
    if any(weights.values()):
        return FrontendState.UP
    members = (member for pool in case.frontend.pools for member in pool.members)
    if all(case.status(member).state is BackendState.UNKNOWN for member in members):
        return FrontendState.UNKNOWN
    return FrontendState.DOWN


def _why(case: _Case, state: FrontendState, *, holding: bool) -> str:
    if holding:
        return reasons.holding(case.frontend.name)
    if state is FrontendState.UNKNOWN:
        return "no backend has a verdict yet"
    if state is FrontendState.DOWN:
        hold = case.frontend.when_none_up is WhenNoneUp.HOLD
        return "no server with weight is up" + (", and none has a last weight to hold" if hold else "")
    chosen = case.frontend.pools.index(case.active)
    order = (chosen, *range(chosen))
    counts = ((case.frontend.pools[index], case.counts[index]) for index in order)
    return "; ".join(reasons.pool_count(pool, up=n.up, of=n.weighty, presumed=n.presumed) for pool, n in counts)
