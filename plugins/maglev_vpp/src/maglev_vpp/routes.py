"""Looks routes up in VPP, and finds the servers to which it has none.

VPP encapsulates for a server whether or not it can send the packet on: it then drops it, and nothing in the lb plugin
says so.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address

import anyio.lowlevel
import attrs

from maglev.api import DataplaneError
from maglev_vpp.addresses import Address, pack_prefix
from maglev_vpp.calls import Call
from maglev_vpp.codec import REPLY_START, RETVAL
from maglev_vpp.connection import ApiConnection

LOOKUP = "ip_route_lookup"
BATCH = 64
MAIN_TABLE = 0
"""VPP's routing table of the lb plugin: of the routes to VIPs, and for what it sends to servers."""
DEEPEST = 4
"""How many routes by way of another address are followed. What is deeper counts as reachable."""

ROUTE = struct.Struct(">4xI18xB")
"""Of a route: the index of its counters, and how many paths follow."""
PATH = struct.Struct(">I10xI4xI16s125x")
"""Of a path: interface, type, family and next hop; not used are tables, weight, flags, and the stack of labels."""
NORMAL = 0
MOST_A_LOOK = 256
"""Servers looked up with one reading: VPP stops its workers for a moment for each, as for most messages of its API."""
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
    _looks: int = attrs.field(default=0, init=False)
    _looked_up: dict[Address, int] = attrs.field(factory=dict, init=False)
    """The number of the look at which a server was last looked up."""

    async def look(self, servers: Collection[Address], *, everything: bool) -> None:
        """Look up those that are due, or `everything`; none if VPP was connected to just now and waits to be filled.

        Raises:
            DataplaneError: VPP could not be asked.
        """
        self._looks += 1
        if self._looks == 1 and not everything:
            return
        looked_up = servers if everything else due(servers, self._looked_up, self.unrouted)
        missing = await find_unrouted(self._connection, looked_up)
        found = missing | (self.unrouted & frozenset(servers)).difference(looked_up)
        known = self._looked_up | dict.fromkeys(looked_up, self._looks)
        self._looked_up = {server: look for server, look in known.items() if server in servers}
        if new := found - self.unrouted:
            names = ", ".join(sorted(map(str, new)))
            log.warning("VPP has no route to %s: VPP drops packets for these servers", names)
        self.unrouted = found


def due(servers: Collection[Address], looked_up: Mapping[Address, int], unrouted: Collection[Address]) -> list[Address]:
    """Choose whom to look up: new servers, then those without a route, then whoever was not looked up for longest.

    Args:
        servers: All servers in use.
        looked_up: When each was looked up last, as a number that grows.
        unrouted: Those that had no route then.
    """

    def order(server: Address) -> tuple[bool, int]:
        return server in looked_up and server not in unrouted, looked_up.get(server, 0)

    return sorted(servers, key=order)[:MOST_A_LOOK]


@attrs.frozen
class Path:
    """One of the ways of a route.

    Args:
        interface: VPP's number of the interface; `NO_INTERFACE` if another route decides.
        kind: VPP's number of its type.
        hop: The next address; unspecified if it has none, as one to another object of VPP.
    """

    interface: int
    kind: int
    hop: Address


@attrs.frozen
class Route:
    """A route: the index that its counters are kept by, and its paths."""

    counter: int
    paths: tuple[Path, ...]


async def look_up(connection: ApiConnection, addresses: Sequence[Address], *, exact: bool) -> dict[Address, Route]:
    """Look up the routes of addresses, pipelined.

    Args:
        connection: Of a VPP that has the message.
        addresses: The addresses.
        exact: Only routes to the address alone, not those of a network that it is in.

    Returns:
        The route of each address that has one.

    Raises:
        DataplaneError: VPP could not be asked, or its answer does not fit its definition.
    """
    calls: list[Call] = []
    for at in range(0, len(addresses), BATCH):
        await connection.until_writable()
        await anyio.lowlevel.checkpoint()
        prefixes = map(pack_prefix, addresses[at : at + BATCH])
        calls += connection.send_all(
            [(LOOKUP, {"table_id": MAIN_TABLE, "exact": exact, "prefix": prefix}) for prefix in prefixes]
        )
    found = {}
    for number, (address, call) in enumerate(zip(addresses, calls, strict=True)):
        if number % BATCH == BATCH - 1:
            await anyio.lowlevel.checkpoint()
        route = route_of(await call.reply())
        if route is not None:
            found[address] = route
    return found


def route_of(reply: bytes) -> Route | None:
    """Decode `ip_route_lookup_reply`; `None` if there is no such route.

    Not with vpp_papi, which takes 90 µs for one path: its checksum was compared, so that its layout is known.

    Raises:
        DataplaneError: It is too short.
    """
    try:
        (retval,) = RETVAL.unpack_from(reply, REPLY_START.size)
        if retval < 0:
            return None
        at = REPLY_START.size + RETVAL.size
        counter, number = ROUTE.unpack_from(reply, at)
        at += ROUTE.size
        return Route(counter, tuple(_path(*PATH.unpack_from(reply, at + PATH.size * each)) for each in range(number)))
    except struct.error as error:
        raise DataplaneError(f"VPP's {LOOKUP}_reply is too short: {error}") from error


def _path(interface: int, kind: int, family: int, hop: bytes) -> Path:
    return Path(interface, kind, IPv6Address(hop) if family else IPv4Address(hop[:4]))


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


def leads_on(route: Route | None) -> bool | Hops:
    """Tell whether a route leads on, or by way of which other addresses it does; `None` is no route."""
    if route is None:
        return False
    ways = [path for path in route.paths if path.kind not in NOWHERE]
    by_way = [path for path in ways if path.kind == NORMAL and path.interface == NO_INTERFACE]
    if len(by_way) < len(ways) or any(path.hop.is_unspecified for path in by_way):
        return True
    return frozenset(path.hop for path in by_way) or False


def is_reachable(address: Address, known: Mapping[Address, bool | Hops], depth: int = DEEPEST) -> bool:
    """Tell whether an address is reached, itself or by way of what its route names; what is not known is."""
    routed = known.get(address, True)
    if isinstance(routed, bool):
        return routed
    return depth == 0 or any(is_reachable(hop, known, depth - 1) for hop in routed)
