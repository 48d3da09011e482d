"""Decides which VIPs of an address can be made beside those that must stay: a dataplane ties the VIPs of a prefix.

VPP refuses a VIP of one port beside a VIP of all ports on the same prefix, and two encapsulations on one prefix. So a
VIP that is wanted may have to wait for another to go, and if that one may not be touched, it cannot be had.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from maglev.api import Encap, VipKey, VipState
from maglev.domain.desired import DesiredVip


@attrs.frozen
class Survey:
    """The possible changes of the VIPs of one address.

    Args:
        staying: Found, and not to be removed, neither for good nor for a moment.
        made: Wanted, and either not there yet or there with other attributes and to be made anew; in order.
        leaving: Found and to be removed for good; in order.
        entangled: Whether something in `made` waits for *another* VIP to go (other ports against all ports, another
            encapsulation). Since what is found gets on with itself, and so does what is made, then everything made
            waits for everything found.
        blocked: Wanted but out of reach, and which VIPs stand in the way; one that is found with other attributes,
            and would have been made anew, is among `staying` too.
    """

    staying: frozenset[VipKey]
    made: tuple[VipKey, ...]
    leaving: tuple[VipKey, ...]
    entangled: bool
    blocked: Mapping[VipKey, tuple[VipKey, ...]]


def coexist(one: VipKey, encap: Encap, other: VipKey, other_encap: Encap) -> bool:
    """Tell whether a dataplane takes both VIPs, given that they have one address and are not the same VIP."""
    return one.port != 0 and other.port != 0 and encap is other_encap


def survey(
    desired: Mapping[VipKey, DesiredVip],
    actual: Mapping[VipKey, VipState],
    *,
    recreate: Collection[VipKey],
    removable: Collection[VipKey],
) -> Survey:
    """Sort out one address.

    A VIP is made anew only if that gets it where it should be: one that is blocked stays as it is.

    Args:
        desired: What is wanted on that address.
        actual: What is found on that address.
        recreate: VIPs that may be removed for a moment to be made anew.
        removable: VIPs that may be removed for good if they are not wanted.
    """
    contradictory = _contradictory(desired)
    staying = {
        key
        for key, found in actual.items()
        if key in contradictory
        or key not in (recreate if key in desired else removable)
        or (key in desired and desired[key].attributes == found.attributes)
    }
    made, blocked = _sorted_out(desired, actual, staying, contradictory)
    # No more than these is blocked in turn: they get on with what blocks them, so what they exclude is blocked already.
    staying |= blocked.keys() & actual.keys()
    leaving = tuple(sorted(actual.keys() - staying - desired.keys()))
    entangled = any(
        old != new and not coexist(old, actual[old].attributes.encap, new, desired[new].attributes.encap)
        for old in (*leaving, *made)
        if old in actual
        for new in made
    )
    return Survey(frozenset(staying), made, leaving, entangled, blocked)


def _contradictory(desired: Mapping[VipKey, DesiredVip]) -> dict[VipKey, tuple[VipKey, ...]]:
    """Return the VIPs that cannot be had beside others that are wanted, and which others; no valid file wants such."""
    accepted: dict[VipKey, Encap] = {}
    contradictory: dict[VipKey, tuple[VipKey, ...]] = {}
    for key in sorted(desired):
        encap = desired[key].attributes.encap
        if others := _excluders(key, encap, accepted):
            contradictory[key] = others
        else:
            accepted[key] = encap
    return contradictory


def _sorted_out(
    desired: Mapping[VipKey, DesiredVip],
    actual: Mapping[VipKey, VipState],
    staying: Collection[VipKey],
    contradictory: Mapping[VipKey, tuple[VipKey, ...]],
) -> tuple[tuple[VipKey, ...], dict[VipKey, tuple[VipKey, ...]]]:
    """Return which of the wanted VIPs can be made beside those that stay, and what blocks the others."""
    present = {key: actual[key].attributes.encap for key in sorted(staying)}
    made: list[VipKey] = []
    blocked: dict[VipKey, tuple[VipKey, ...]] = {}
    for key in sorted(desired.keys() - present.keys()):
        blockers = contradictory.get(key) or _excluders(key, desired[key].attributes.encap, present)
        if blockers:
            blocked[key] = blockers
        else:
            made.append(key)
    return tuple(made), blocked


def _excluders(key: VipKey, encap: Encap, others: Mapping[VipKey, Encap]) -> tuple[VipKey, ...]:
    return tuple(other for other, other_encap in others.items() if not coexist(key, encap, other, other_encap))
