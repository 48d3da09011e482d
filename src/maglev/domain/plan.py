"""Plans writes, and their order, so that a dataplane reaches the wanted state without harm on the way.

Every intermediate table is live: each single operation changes what new flows get. Hence the order, which the tests
hold to be a law: wherever a server has weight before and after, no step in between, and no refusal at any step, leaves
it with less than the smaller of the two; the exception is a VIP that must be made anew, which is away from its removal
until it is back with its weights, the very next thing that is written.

The unit is a VIP address, whose VIPs a dataplane ties together (`maglev.domain.coexistence`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import attrs

from maglev.api import AddVip, DeleteVip, Operation, VipKey, VipState
from maglev.domain.changes import filling, lowering, raising
from maglev.domain.coexistence import Survey, survey
from maglev.domain.desired import DesiredVip
from maglev.domain.drift import Drift, blocked_drift, drift_of
from maglev.domain.table import Address


@attrs.frozen
class Plan:
    """The operations for one VIP address.

    Args:
        address: The address.
        phases: Never empty ones; each is sent only when all operations of the one before succeeded.
        drift: What will still differ when all is written.
        unmanaged: VIPs that were never configured and stay.
    """

    address: Address
    phases: tuple[tuple[Operation, ...], ...]
    drift: tuple[Drift, ...] = ()
    unmanaged: tuple[VipKey, ...] = ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations, in order."""
        return tuple(operation for phase in self.phases for operation in phase)


def plan_address(
    address: Address,
    desired: Mapping[VipKey, DesiredVip],
    actual: Mapping[VipKey, VipState],
    *,
    recreate: Collection[VipKey] = (),
    owned: Collection[VipKey] = (),
    prune: bool = False,
) -> Plan:
    """Plan one VIP address.

    The phases: for each VIP that is made anew on its own, its removal and return, and then its servers; removals that
    stand in the way of what another VIP needs; new VIPs and raising; the servers of new VIPs; lowering and removing,
    where flushes come last, so that no flushed flow settles on a server that is itself about to be drained.

    A VIP and its servers are never in one phase: where somebody else has made that VIP meanwhile, ours is refused, and
    the servers would go to theirs.

    What established flows hang on (sticky flag, encapsulation, table length) is never touched but in `recreate`. What
    cannot be reached without removing something that may not be removed is left alone and reported.

    Args:
        address: The address.
        desired: All that is wanted on it: VIPs that a dataplane takes side by side, as any valid configuration has
            them. Of VIPs that exclude one another the first in order counts, but what is found stays.
        actual: All that is found on it.
        recreate: VIPs that may be made anew where their attributes differ.
        owned: VIPs that were once configured, and may be removed when they are no longer wanted.
        prune: Also remove VIPs that are neither wanted nor owned.
    """
    foreign = actual.keys() - desired.keys() - set(owned)
    removable = actual.keys() if prune else actual.keys() - foreign
    ground = survey(desired, actual, recreate=recreate, removable=removable)
    phases = (
        *_replacing_alone(ground, desired, actual),
        tuple(_clearing_the_way(ground, actual)),
        tuple(_growing(ground, desired, actual)),
        tuple(_filling(ground, desired, actual)),
        tuple(_shrinking(ground, desired, actual)),
    )
    return Plan(
        address=address,
        phases=tuple(phase for phase in phases if phase),
        drift=tuple(_drift(ground, desired, actual)),
        unmanaged=() if prune else tuple(sorted(foreign)),
    )


def _replacing_alone(
    ground: Survey, desired: Mapping[VipKey, DesiredVip], actual: Mapping[VipKey, VipState]
) -> Iterator[tuple[Operation, ...]]:
    """Yield the phases of VIPs that wait for nothing but their own removal: one is back before the next one goes."""
    if not ground.entangled:
        for key in ground.made:
            if key in actual:
                yield DeleteVip(key), AddVip(key, desired[key].attributes)
                yield tuple(filling(key, desired[key]))


def _clearing_the_way(ground: Survey, actual: Mapping[VipKey, VipState]) -> Iterator[Operation]:
    """Yield the removals that other VIPs wait for, such as that of a whole prefix that changes its encapsulation."""
    if ground.entangled:
        for key in sorted({*ground.leaving, *ground.made} & actual.keys()):
            yield DeleteVip(key)


def _growing(
    ground: Survey, desired: Mapping[VipKey, DesiredVip], actual: Mapping[VipKey, VipState]
) -> Iterator[Operation]:
    for key in _added(ground, actual):
        yield AddVip(key, desired[key].attributes)
    for key in _kept(ground, desired, actual):
        yield from raising(key, desired[key], actual[key])


def _filling(
    ground: Survey, desired: Mapping[VipKey, DesiredVip], actual: Mapping[VipKey, VipState]
) -> Iterator[Operation]:
    for key in _added(ground, actual):
        yield from filling(key, desired[key])


def _added(ground: Survey, actual: Mapping[VipKey, VipState]) -> Iterator[VipKey]:
    """Yield the VIPs that are made, but for those that return on their own."""
    return (key for key in ground.made if ground.entangled or key not in actual)


def _shrinking(
    ground: Survey, desired: Mapping[VipKey, DesiredVip], actual: Mapping[VipKey, VipState]
) -> Iterator[Operation]:
    for key in _kept(ground, desired, actual):
        yield from lowering(key, desired[key], actual[key])
    if not ground.entangled:
        for key in ground.leaving:
            yield DeleteVip(key)


def _kept(ground: Survey, desired: Mapping[VipKey, DesiredVip], actual: Mapping[VipKey, VipState]) -> Iterator[VipKey]:
    """Yield the VIPs whose servers are adjusted in place; none whose encapsulation the wanted servers do not fit."""
    for key in sorted(ground.staying & desired.keys()):
        if desired[key].attributes.encap is actual[key].attributes.encap:
            yield key


def _drift(ground: Survey, desired: Mapping[VipKey, DesiredVip], actual: Mapping[VipKey, VipState]) -> Iterator[Drift]:
    for key in sorted(desired):
        if key in actual and key in ground.staying:
            yield from drift_of(key, desired[key], actual[key])
        if key in ground.blocked:
            yield blocked_drift(key, ground.blocked[key], exists=key in actual)
