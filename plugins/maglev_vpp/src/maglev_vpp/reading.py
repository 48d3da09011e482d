"""VPP's dumps as values: what exists, and what only looks as if it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Any

import attrs

from maglev.api import DataplaneConf, Encap, ServerState, VipAttributes, VipKey, VipState
from maglev_vpp.addresses import ALL_ONES_4, ALL_ONES_6, Address, unpack_address, unpack_vip
from maglev_vpp.verbose import VipText

ENCAPS = {0: Encap.GRE4, 1: Encap.GRE6}
LONGEST_TABLE = 65536
"""The table whose length reads as 0: the field has 16 bits."""
USED = 1
"""The flag of a server that exists. The others were removed, and wait for a collection: once a minute at most, and not
while flows are pinned to them. Also those of a VIP that was removed, beside those of a new one of the same name."""


@attrs.frozen
class VipRow:
    """A VIP, as the dump of the API has it."""

    key: VipKey
    encap: Encap
    table_length: int


@attrs.frozen
class ServerRow:
    """A server, as the dump of the API has it; `used` as above, `removed_s` the time of its last removal."""

    vip: VipKey
    server: Address
    state: ServerState
    used: bool
    removed_s: int


@attrs.frozen
class Mark:
    """What is known of a VIP that its dump does not tell.

    Args:
        sticky: Whether only the source address is hashed.
        index: Its number in VPP.
        table_length: Buckets of its table, which the dump tells only up to 32 768.
    """

    sticky: bool
    index: int
    table_length: int

    @classmethod
    def of(cls, text: VipText) -> Mark:
        """What the command line says."""
        return cls(text.sticky, text.index, text.table_length)


def vip_row(details: Any) -> VipRow | None:
    """Read `lb_vip_details`; `None` for a VIP that maglevd never makes.

    Its fields dscp, srv_type and target_port are leftovers of another VIP where the encapsulation does not use them.
    """
    key = unpack_vip(details.vip)
    if key is None:
        return None
    return VipRow(key, ENCAPS.get(int(details.encap), Encap.OTHER), details.flow_table_length or LONGEST_TABLE)


def server_row(details: Any) -> ServerRow | None:
    """Read `lb_as_v2_details`; `None` for a server of a VIP that maglevd never makes.

    Its field in_use_since tells when a server was removed the last time, not when one came into use: it is left out.
    """
    key = unpack_vip(details.vip)
    if key is None:
        return None
    state = ServerState(details.weight, details.num_buckets)
    used, removed_s = bool(details.flags & USED), details.in_use_since
    return ServerRow(key, unpack_address(details.app_srv), state, used, removed_s)


def conf_of(reply: Any) -> DataplaneConf:
    """Read `lb_conf_get_reply`."""
    ip4, ip6 = bytes(reply.ip4_src_address), bytes(reply.ip6_src_address)
    return DataplaneConf(
        ipv4_source=None if ip4 == ALL_ONES_4 else IPv4Address(ip4),
        ipv6_source=None if ip6 == ALL_ONES_6 else IPv6Address(ip6),
        sticky_buckets_per_core=reply.sticky_buckets_per_core,
        flow_timeout_s=reply.flow_timeout,
    )


Ghosts = Counter[tuple[VipKey, Address, int]]


def ghosts(servers: Sequence[ServerRow]) -> Ghosts:
    """The removed rows of servers that have another row in use: their VIP was removed, and made anew under its name.

    (A server that is removed and added again has one row, which is in use again.)
    """
    used = {(row.vip, row.server) for row in servers if row.used}
    removed = (row for row in servers if not row.used and (row.vip, row.server) in used)
    return Counter((row.vip, row.server, row.removed_s) for row in removed)


def marks_are_stale(marks: Mapping[VipKey, Mark], vips: Sequence[VipRow], *, haunted: bool) -> bool:
    """Tell whether VPP must be asked again for what its dumps do not tell.

    It must if a VIP is not known, if there are new `ghosts`, or if the dump, which is in the order of VPP's numbers,
    contradicts the numbers that we know.

    Args:
        marks: What is known.
        vips: The dump of VIPs, in its order.
        haunted: Whether there are ghosts that were not there when VPP was asked the last time.
    """
    if haunted or any(row.key not in marks for row in vips):
        return True
    indices = [marks[row.key].index for row in vips]
    return any(later <= earlier for earlier, later in pairwise(indices))


def vip_states(
    marks: Mapping[VipKey, Mark],
    vips: Sequence[VipRow],
    servers: Sequence[ServerRow],
    flows: Mapping[VipKey, Mapping[Address, int]],
) -> dict[VipKey, VipState]:
    """Put together what VPP holds.

    Args:
        marks: What the dumps do not tell. A VIP without is left out: it was removed while we read.
        vips: The dump of VIPs.
        servers: The dump of servers.
        flows: Established flows by VIP and server; empty if they were not asked for.
    """
    live: dict[VipKey, dict[Address, ServerState]] = {row.key: {} for row in vips if row.key in marks}
    for row in servers:
        if row.used and row.vip in live:
            count = flows.get(row.vip, {}).get(row.server)
            live[row.vip][row.server] = row.state if count is None else attrs.evolve(row.state, flows=count)
    return {row.key: _state(row, marks[row.key], live[row.key]) for row in vips if row.key in marks}


def _state(row: VipRow, mark: Mark, servers: Mapping[Address, ServerState]) -> VipState:
    length = mark.table_length if mark.table_length & 0xFFFF == row.table_length & 0xFFFF else row.table_length
    return VipState(VipAttributes(row.encap, length, mark.sticky), servers, mark.index)
