"""Decodes VPP's dumps into values, and leaves out what is no longer in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev.api import DataplaneConf, Encap, ServerState, VipAttributes, VipKey, VipState
from maglev_vpp.addresses import ALL_ONES_4, ALL_ONES_6, ENCAPS, Address, unpack_address, unpack_vip
from maglev_vpp.show_vips import VipDetails

MAX_TABLE_LENGTH = 65536
"""The table length that reads as 0: the field has 16 bits."""
USED = 1
"""The flag of a server in use. The others were removed, and stay in the dump until VPP collects them: once a minute at
most, and not while flows are pinned to them. This includes the servers of a removed VIP, beside those of a new one of
the same name."""


@attrs.frozen
class VipRow:
    """A VIP in the API's dump."""

    key: VipKey
    encap: Encap
    table_length: int


@attrs.frozen
class ServerRow:
    """A server in the API's dump; `used` as above, `removed_s` the time of its last removal."""

    vip: VipKey
    server: Address
    state: ServerState
    used: bool
    removed_s: int


def vip_row(details: Any) -> VipRow | None:
    """Convert `lb_vip_details`; `None` for a VIP that maglevd never makes.

    The fields dscp, srv_type and target_port are not used: for these encapsulations they hold values of other VIPs.
    """
    key = unpack_vip(details.vip)
    if key is None:
        return None
    number = int(details.encap)
    encap = ENCAPS[number] if number < len(ENCAPS) else Encap.OTHER
    return VipRow(key, encap, details.flow_table_length or MAX_TABLE_LENGTH)


def server_row(details: Any) -> ServerRow | None:
    """Convert `lb_as_v2_details`; `None` for a server of a VIP that maglevd never makes.

    Its field in_use_since is the time of the last removal, despite its name.
    """
    key = unpack_vip(details.vip)
    if key is None:
        return None
    state = ServerState(details.weight, details.num_buckets)
    return ServerRow(key, unpack_address(details.app_srv), state, bool(details.flags & USED), details.in_use_since)


def conf_of(reply: Any) -> DataplaneConf:
    """Convert `lb_conf_get_reply`."""
    ip4, ip6 = bytes(reply.ip4_src_address), bytes(reply.ip6_src_address)
    return DataplaneConf(
        ipv4_source=None if ip4 == ALL_ONES_4 else IPv4Address(ip4),
        ipv6_source=None if ip6 == ALL_ONES_6 else IPv6Address(ip6),
        sticky_buckets_per_core=reply.sticky_buckets_per_core,
        flow_timeout_s=reply.flow_timeout,
    )


def vip_states(
    known: Mapping[VipKey, VipDetails],
    vips: Sequence[VipRow],
    servers: Sequence[ServerRow],
    *,
    entries: bool,
    partial: bool = False,
) -> dict[VipKey, VipState]:
    """Combine dumps and details into what VPP holds, with or without entries of flows.

    Args:
        known: The details, by VIP.
        vips: The VIPs in the dump.
        servers: The servers in the dump.
        entries: Whether the details' entries of flows are wanted.
        partial: Whether VPP could not be asked for the details of all: a VIP without details is there all the same.
            Otherwise it is left out, since it was removed meanwhile.
    """
    there = [row for row in vips if partial or row.key in known]
    in_use: dict[VipKey, dict[Address, ServerState]] = {row.key: {} for row in there}
    for row in servers:
        if row.used and row.vip in in_use:
            count = known[row.vip].entries.get(row.server) if entries and row.vip in known else None
            in_use[row.vip][row.server] = row.state if count is None else attrs.evolve(row.state, entries=count)
    return {row.key: _state(row, known.get(row.key), in_use[row.key]) for row in there}


def _state(row: VipRow, details: VipDetails | None, servers: Mapping[Address, ServerState]) -> VipState:
    if details is None:
        return VipState(VipAttributes(row.encap, row.table_length, sticky=None), servers)
    # The dump's length has only its last 16 bits: the details' is exact, unless they are of an older VIP.
    same = details.table_length & 0xFFFF == row.table_length & 0xFFFF
    length = details.table_length if same else row.table_length
    return VipState(VipAttributes(row.encap, length, details.sticky), servers, details.index)
