"""Looks routes up in VPP, and finds the servers to which it has none.

VPP encapsulates for a server whether or not it can send the packet on: it then drops it, and nothing in the lb plugin
says so.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev_vpp.addresses import Address, pack_prefix
from maglev_vpp.calls import Call
from maglev_vpp.connection import ApiConnection

LOOKUP = "ip_route_lookup"
BATCH = 64
MAIN_TABLE = 0
"""VPP's routing table of the lb plugin: of the routes to VIPs, and for what it sends to servers."""
DEEPEST = 4
"""How many routes by way of another address are followed. What is deeper counts as reachable."""

NORMAL = 0
NOWHERE = frozenset({1, 2, 5, 6})
"""Types of paths that lead to no server: VPP itself, drop, and two kinds of ICMP error. An address without a route has
the path of the default route that VPP makes itself: drop."""
NO_INTERFACE = 0xFFFFFFFF

Hops = frozenset[Address]

log = logging.getLogger("maglev.vpp")


@attrs.define(eq=False)
class RouteWatch:
    """Looks now and then for servers that VPP has no route to, and logs those that are new.

    Args:
        unrouted: Those of the last look.
    """

    _connection: ApiConnection
    unrouted: frozenset[Address] = attrs.field(default=frozenset(), init=False)
    _first: bool = attrs.field(default=True, init=False)

    async def look(self, servers: Collection[Address], *, now: bool) -> None:
        """Look, unless VPP was connected to just now and waits to be filled; `now` looks in any case.

        Raises:
            DataplaneError: VPP could not be asked.
        """
        first, self._first = self._first, False
        if first and not now:
            return
        found = await find_unrouted(self._connection, servers)
        if new := found - self.unrouted:
            names = ", ".join(sorted(map(str, new)))
            log.warning("VPP has no route to %s: what is sent to these servers is dropped", names)
        self.unrouted = found


async def look_up(connection: ApiConnection, addresses: Sequence[Address], *, exact: bool) -> dict[Address, Any]:
    """Look up the routes of addresses, pipelined.

    Args:
        connection: Of a VPP that has the message.
        addresses: The addresses.
        exact: Only routes to the address alone, not those of a network that it is in.

    Returns:
        The route (`vl_api_ip_route_t`) of each address that has one.

    Raises:
        DataplaneError: VPP could not be asked.
    """
    calls: list[Call] = []
    for at in range(0, len(addresses), BATCH):
        await connection.until_writable()
        prefixes = map(pack_prefix, addresses[at : at + BATCH])
        calls += connection.send_all(
            [(LOOKUP, {"table_id": MAIN_TABLE, "exact": exact, "prefix": prefix}) for prefix in prefixes]
        )
    found = {}
    for address, call in zip(addresses, calls, strict=True):
        reply = connection.codec.decode(f"{LOOKUP}_reply", await call.reply())
        if reply.retval >= 0:
            found[address] = reply.route
    return found


async def find_unrouted(connection: ApiConnection, servers: Collection[Address]) -> frozenset[Address]:
    """Find the servers to which VPP has no route; none if this VPP cannot be asked. Raises as `look_up`.

    A route by way of an address that has no route itself is none either.
    """
    if LOOKUP not in connection.codec.messages:
        return frozenset()
    known: dict[Address, bool | Hops] = {}
    asked = set(servers)
    for _ in range(DEEPEST):
        routes = await look_up(connection, sorted(asked, key=lambda each: each.packed), exact=False)
        known |= {address: leads_on(routes.get(address)) for address in asked}
        asked = {hop for hops in known.values() if isinstance(hops, frozenset) for hop in hops} - known.keys()
        if not asked:
            break
    return frozenset(server for server in servers if not is_reachable(server, known))


def leads_on(route: Any) -> bool | Hops:
    """Tell whether a route leads on, or by way of which other addresses it does; `None` is no route."""
    if route is None:
        return False
    hops: set[Address] = set()
    for path in route.paths:
        if int(path.type) in NOWHERE:
            continue
        hop = _next_hop(path) if int(path.type) == NORMAL and path.sw_if_index == NO_INTERFACE else None
        if hop is None:
            return True
        hops.add(hop)
    return frozenset(hops) or False


def _next_hop(path: Any) -> Address | None:
    """Return the address that a path goes by way of; `None` if it has none, as one to another object of VPP."""
    union = path.nh.address
    hop: Address = IPv6Address(bytes(union.ip6)) if int(path.proto) else IPv4Address(bytes(union.ip4))
    return None if hop.is_unspecified else hop


def is_reachable(address: Address, known: Mapping[Address, bool | Hops], depth: int = DEEPEST) -> bool:
    """Tell whether an address is reached, itself or by way of what its route names; what is not known is."""
    routed = known.get(address, True)
    if isinstance(routed, bool):
        return routed
    return depth == 0 or any(is_reachable(hop, known, depth - 1) for hop in routed)
