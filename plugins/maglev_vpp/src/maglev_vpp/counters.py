"""What each VIP carried: the lb plugin's counters by a VIP's number, and those of its route by the route's number."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from maglev.api import VipCounters, VipKey
from maglev_vpp.addresses import Address, pack_prefix
from maglev_vpp.calls import Call
from maglev_vpp.channel import Channel
from maglev_vpp.reading import Mark
from maglev_vpp.statseg import ROUTES, VIP_COUNTERS, Segment, Statistics

LOOKUP = "ip_route_lookup"
BATCH = 64
MAIN_TABLE = 0
"""VPP's table of routes in which the lb plugin puts those of its VIPs."""

Numbers = tuple[Mapping[str, Sequence[int]], Mapping[int, tuple[int, int]]]


class Routes:
    """The numbers of the VIPs' routes. All VIPs of one address share one route, which lives as long as one of them.

    Args:
        channel: Where to ask.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[Address, tuple[frozenset[int], int]] = {}

    async def of(self, marks: Mapping[VipKey, Mark]) -> Mapping[Address, int]:
        """Find the numbers of all VIPs' routes, asking only for new ones.

        Raises:
            DataplaneError: VPP could not be asked.
        """
        if LOOKUP not in self._channel.messages:
            return {}
        indices: dict[Address, set[int]] = {}
        for key, mark in marks.items():
            indices.setdefault(key.address, set()).add(mark.index)
        kept = {address: known for address, known in self._known.items() if known[0] & indices.get(address, set())}
        found = await self._look_up([address for address in indices if address not in kept])
        numbers = {address: number for address, (_indices, number) in kept.items()} | found
        self._known = {address: (frozenset(indices[address]), number) for address, number in numbers.items()}
        return numbers

    async def _look_up(self, addresses: Sequence[Address]) -> dict[Address, int]:
        calls: list[Call] = []
        for at in range(0, len(addresses), BATCH):
            await self._channel.room()
            requests = [
                (LOOKUP, {"table_id": MAIN_TABLE, "exact": 1, "prefix": pack_prefix(address)})
                for address in addresses[at : at + BATCH]
            ]
            calls += self._channel.send_all(requests)
        found = {}
        for address, call in zip(addresses, calls, strict=True):
            reply = self._channel.read(f"{LOOKUP}_reply", await call.answer())
            if reply.retval >= 0:
                found[address] = int(reply.route.stats_index)
        return found


async def read_counters(
    statistics: Statistics, marks: Mapping[VipKey, Mark], vips: Collection[VipKey], routes: Mapping[Address, int]
) -> list[VipCounters]:
    """Read what VIPs carried since VPP made them.

    Args:
        statistics: Where to read.
        marks: The VIPs' numbers.
        vips: Which VIPs; those without a number are left out.
        routes: The numbers of their routes, as far as known.

    Raises:
        DataplaneError: It could not be read.
    """

    def read(segment: Segment) -> Numbers:
        counted = {kind: segment.sums(name) for kind, name in VIP_COUNTERS.items()}
        return counted, segment.pairs(ROUTES, routes.values())

    counted, routed = await statistics.read(read)
    return [
        _counters(vip, marks[vip].index, counted, routed.get(routes.get(vip.address, -1)))
        for vip in vips
        if vip in marks
    ]


def _counters(
    vip: VipKey, index: int, counted: Mapping[str, Sequence[int]], routed: tuple[int, int] | None
) -> VipCounters:
    packets = {kind: numbers[index] if index < len(numbers) else 0 for kind, numbers in counted.items()}
    return VipCounters(vip, packets, *(routed or (None, None)))
