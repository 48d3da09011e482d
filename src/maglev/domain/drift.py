"""Describes differences in a dataplane that maglevd does not correct, in words that an operator can act on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs

from maglev.api import VipAttributes, VipKey, VipState
from maglev.domain.desired import DesiredVip


@attrs.frozen
class Drift:
    """One difference that no plan puts right by itself.

    Args:
        vip: The VIP that is not as wanted.
        what: What is found and what is wanted, or what stands in the way.
    """

    vip: VipKey
    what: str

    def __str__(self) -> str:
        return f"{self.vip}: {self.what}"


def drift_of(vip: VipKey, desired: DesiredVip, found: VipState) -> Iterator[Drift]:
    """Yield what differs in a VIP that stays, beside its servers and weights."""
    for name, is_found, is_wanted in _compared(desired.attributes, found.attributes):
        yield Drift(vip, f"{name} is {is_found}, wanted {is_wanted}")
    if desired.attributes.encap is not found.attributes.encap:
        yield Drift(vip, "servers and weights stay, since servers of another encapsulation cannot be added")
    if desired.step != desired.wanted_step:
        yield Drift(vip, f"weights have step {desired.step}, wanted {desired.wanted_step}")


def blocked_drift(vip: VipKey, blockers: Sequence[VipKey], *, exists: bool) -> Drift:
    """Say why a wanted VIP cannot be had."""
    what = "cannot be recreated" if exists else "cannot be created"
    verb = "stands" if len(blockers) == 1 else "stand"
    return Drift(vip, f"{what}: {', '.join(map(str, blockers))} {verb} in the way")


def foreign_writes(
    expected: Mapping[VipKey, VipState], found: Mapping[VipKey, VipState], owned: Collection[VipKey]
) -> str:
    """Say what somebody else has written: what a read finds otherwise than the last read and our own writes left it.

    Args:
        expected: What there was, with all that was acknowledged since.
        found: What was read.
        owned: The VIPs that are ours; what becomes of others is nobody's business.

    Returns:
        The VIPs in words, at most three by name; empty if nothing was.
    """
    touched = sorted(key for key in owned if _written(expected.get(key)) != _written(found.get(key)))
    if not touched:
        return ""
    names = ", ".join(map(str, touched[:3])) + (f" and {len(touched) - 3} more" if len(touched) > 3 else "")
    return f"somebody else writes to this dataplane (another controller?): {names} had been changed"


def _written(vip: VipState | None) -> object:
    """Return the part of a VIP that only controllers change, beside the attributes, which `drift_of` compares."""
    return None if vip is None else {address: server.weight for address, server in vip.servers.items()}


def _compared(desired: VipAttributes, found: VipAttributes) -> Iterator[tuple[str, object, object]]:
    """Yield (what, found, wanted) for each attribute that differs."""
    if desired.encap is not found.encap:
        yield "encapsulation", found.encap, desired.encap
    if desired.table_length != found.table_length:
        yield "table length", found.table_length, desired.table_length
    if found.sticky is not None and desired.sticky != found.sticky:
        yield "src-ip-sticky", *(("on", "off") if found.sticky else ("off", "on"))
