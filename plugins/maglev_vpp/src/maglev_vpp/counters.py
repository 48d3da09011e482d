"""Reads what each VIP carried: the lb plugin's counters, kept by VIP index, and those of its route, by route index."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from maglev.api import VipCounters, VipKey
from maglev_vpp.addresses import Address
from maglev_vpp.connection import ApiConnection
from maglev_vpp.routes import LOOKUP, look_up
from maglev_vpp.show_vips import VipDetails
from maglev_vpp.stats import ROUTES, VIP_COUNTERS, Segment, StatsReader


@attrs.define(eq=False)
class RouteIndices:
    """Finds and keeps the counter index of each VIP's route. All VIPs of one address share one route."""

    _connection: ApiConnection
    _known: dict[Address, tuple[frozenset[int], int]] = attrs.field(factory=dict, init=False)

    async def get(self, vips: Mapping[VipKey, VipDetails]) -> Mapping[Address, int]:
        """Return the indices of all VIPs' routes, asking only for new ones.

        A route lives as long as one of the VIPs that it was made for.

        Raises:
            DataplaneError: VPP could not be asked.
        """
        if LOOKUP not in self._connection.codec.messages:
            return {}
        by_address: dict[Address, set[int]] = {}
        for key, details in vips.items():
            by_address.setdefault(key.address, set()).add(details.index)
        kept = {a: route for a, (made_for, route) in self._known.items() if made_for & by_address.get(a, set())}
        asked = await look_up(self._connection, [each for each in by_address if each not in kept], exact=True)
        routes = kept | {address: route.counter for address, route in asked.items()}
        self._known = {address: (frozenset(by_address[address]), route) for address, route in routes.items()}
        return routes


async def read_counters(
    stats: StatsReader, details: Mapping[VipKey, VipDetails], vips: Collection[VipKey], routes: Mapping[Address, int]
) -> list[VipCounters]:
    """Read what VIPs carried since VPP created them, where their details are known, and of routes with an index.

    Raises:
        DataplaneError: The statistics could not be read.
    """

    def read(segment: Segment) -> tuple[Mapping[str, Sequence[int]], Mapping[int, tuple[int, int]]]:
        sums = {kind: segment.sums(name) for kind, name in VIP_COUNTERS.items()}
        return sums, segment.pairs(ROUTES, routes.values())

    sums, route_counters = await stats.read(read)

    def counters(vip: VipKey) -> VipCounters:
        index = details[vip].index
        packets = {kind: column[index] if index < len(column) else 0 for kind, column in sums.items()}
        return VipCounters(vip, packets, *route_counters.get(routes.get(vip.address, -1), (None, None)))

    return [counters(vip) for vip in vips if vip in details]
