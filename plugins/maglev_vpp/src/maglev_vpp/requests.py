"""Encodes operations as VPP's messages, and refuses those that VPP would accept and should not.

VPP aborts over a new-flow table of length 0; over 0 sticky buckets, or 1 << 26 and more, it aborts at the next packet.
It accepts weights above 100 and a timeout of 0. All of this was seen on a running VPP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneConf,
    DeleteServer,
    DeleteVip,
    Failed,
    Operation,
    SetConf,
    SetWeight,
)
from maglev_vpp.addresses import (
    ALL_ONES_4,
    ALL_ONES_6,
    ENCAPS,
    NEVER_SET,
    address_objection,
    pack_address,
    pack_vip,
    vip_objection,
)
from maglev_vpp.dumps import MAX_TABLE_LENGTH
from maglev_vpp.memory import MAX_STICKY_BUCKETS

ANY_TABLE_LENGTH = 1024
"""Sent as the table length of a VIP that is deleted: VPP ignores it, but it must never be 0."""
INVALID_SIZE = "INVALID_MEMORY_SIZE"
"""VPP's error for sizes that are not a power of two. It should be the one for 0 too."""
MAX_WEIGHT, MAX_FLOW_TIMEOUT_S = 100, 120
UNCHANGED = 0xFFFFFFFF
"""Sent as a number of sticky buckets: VPP keeps what it has."""

Request = tuple[str, Mapping[str, Any]]


def request(operation: Operation, *, keep_buckets: bool = False) -> Request | Failed:
    """Return the message for one operation, or the reason to refuse it.

    Args:
        operation: The operation.
        keep_buckets: Whether one that sets the configuration leaves the number of sticky buckets as it is.
    """
    if objection := _objection(operation):
        return Failed(f"INVALID_VALUE: {objection}")
    match operation:
        case AddVip():
            return _add_vip(operation)
        case DeleteVip(vip=vip):
            fields = {**pack_vip(vip), "new_flows_table_length": ANY_TABLE_LENGTH, "is_del": True}
            return "lb_add_del_vip_v2", fields
        case AddServer():
            return _weighted("lb_add_del_as_v2", operation, {})
        case DeleteServer(vip=vip, server=server, flush=flush):
            fields = {**pack_vip(vip), "as_address": pack_address(server), "is_del": True, "is_flush": flush}
            return "lb_add_del_as_v2", fields
        case SetWeight():
            return _weighted("lb_as_set_weight", operation, {"is_flush": operation.flush})
        case SetConf(conf=conf):
            return _set_conf(conf, keep_buckets=keep_buckets)


def _objection(operation: Operation) -> str:
    """Say why VPP would take an operation for one on another VIP, server or source address; empty if it would not."""
    if isinstance(operation, SetConf):
        sources = (operation.conf.ipv4_source, operation.conf.ipv6_source)
        never = [f"source address {each}, which VPP takes for none" for each in sources if each in NEVER_SET]
        return never[0] if never else ""
    if isinstance(operation, AddServer | DeleteServer | SetWeight) and (found := address_objection(operation.server)):
        return found
    return vip_objection(operation.vip)


def _add_vip(operation: AddVip) -> Request | Failed:
    attributes = operation.attributes
    if attributes.encap not in ENCAPS:
        return Failed(f"INVALID_VALUE: encapsulation {attributes.encap}, allowed are gre4 and gre6")
    if not 1 <= attributes.table_length <= MAX_TABLE_LENGTH:
        return Failed(INVALID_SIZE)
    return "lb_add_del_vip_v2", {
        **pack_vip(operation.vip),
        "encap": ENCAPS.index(attributes.encap),
        "new_flows_table_length": attributes.table_length,
        "src_ip_sticky": bool(attributes.sticky),
    }


def _weighted(name: str, operation: AddServer | SetWeight, more: Mapping[str, Any]) -> Request | Failed:
    if not 0 <= operation.weight <= MAX_WEIGHT:
        return Failed(f"INVALID_VALUE: weight {operation.weight}, allowed are 0 to {MAX_WEIGHT}")
    server = {"as_address": pack_address(operation.server), "weight": operation.weight}
    return name, {**pack_vip(operation.vip), **server, **more}


def _set_conf(conf: DataplaneConf, *, keep_buckets: bool) -> Request | Failed:
    if not 1 <= conf.sticky_buckets_per_core <= MAX_STICKY_BUCKETS:
        return Failed(INVALID_SIZE)
    if not 1 <= conf.flow_timeout_s <= MAX_FLOW_TIMEOUT_S:
        return Failed(f"INVALID_VALUE: flow timeout {conf.flow_timeout_s} s, allowed are 1 to {MAX_FLOW_TIMEOUT_S} s")
    # VPP overwrites both addresses every time; all ones means that one is not set.
    return "lb_conf", {
        "ip4_src_address": conf.ipv4_source.packed if conf.ipv4_source else ALL_ONES_4,
        "ip6_src_address": conf.ipv6_source.packed if conf.ipv6_source else ALL_ONES_6,
        "sticky_buckets_per_core": UNCHANGED if keep_buckets else conf.sticky_buckets_per_core,
        "flow_timeout": conf.flow_timeout_s,
    }
