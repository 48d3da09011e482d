"""Refuses what VPP's `lb` plugin refuses, with VPP's names of the errors.

The rules are those of VPP's source, some of them unexpected: an all-port VIP and a per-port VIP on one address exclude
each other, with `VALUE_EXIST`; a server's family must fit the encapsulation, not the VIP; all VIPs on one address must
have one encapsulation. What VPP accepts and should not (a table of no buckets, a weight above 100) is refused too.
"""

from __future__ import annotations

from collections.abc import Mapping

from maglev.api import (
    AddServer,
    AddVip,
    DeleteServer,
    Encap,
    Operation,
    SetConf,
    SetWeight,
    VipKey,
    VipState,
)
from maglev.domain.table import MAX_LENGTH, MAX_WEIGHT, MIN_LENGTH

_FAMILY = {Encap.GRE4: 4, Encap.GRE6: 6}


def refusal(operation: Operation, neighbours: Mapping[VipKey, VipState]) -> str:
    """Return the name of the error that an operation gets; empty if it is accepted.

    Args:
        operation: The operation, its VIP's key as VPP stores it: protocol `any` with port 0.
        neighbours: All VIPs on the operation's address; unused for `SetConf`.
    """
    if isinstance(operation, SetConf):
        return "" if _is_power_of_two(operation.conf.sticky_buckets_per_core) else "INVALID_MEMORY_SIZE"
    if isinstance(operation, AddVip):
        return _new_vip_refusal(operation, neighbours)
    vip = neighbours.get(operation.vip)
    if vip is None:
        return "NO_SUCH_ENTRY"
    match operation:
        case AddServer():
            return _new_server_refusal(operation, vip)
        case SetWeight() | DeleteServer() if operation.server not in vip.servers:
            return "NO_SUCH_ENTRY"
        case SetWeight():
            return _weight_refusal(operation.weight)
        case _:
            return ""


def _new_vip_refusal(operation: AddVip, neighbours: Mapping[VipKey, VipState]) -> str:
    key, attributes = operation.vip, operation.attributes
    if key in neighbours or any(0 in (key.port, other.port) for other in neighbours):
        return "VALUE_EXIST"
    if attributes.encap not in _FAMILY or {vip.attributes.encap for vip in neighbours.values()} - {attributes.encap}:
        return "INVALID_ARGUMENT"
    length = attributes.table_length
    return "" if _is_power_of_two(length) and MIN_LENGTH <= length <= MAX_LENGTH else "INVALID_MEMORY_SIZE"


def _new_server_refusal(operation: AddServer, vip: VipState) -> str:
    if operation.server in vip.servers:
        return "VALUE_EXIST"
    if operation.server.version != _FAMILY.get(vip.attributes.encap):
        return "INVALID_ADDRESS_FAMILY"
    return _weight_refusal(operation.weight)


def _weight_refusal(weight: int) -> str:
    return "" if 0 <= weight <= MAX_WEIGHT else "INVALID_VALUE"


def _is_power_of_two(number: int) -> bool:
    return number > 0 and not number & (number - 1)
