"""What the dataplane counted of each VIP, made to never go back while this process lives.

A dataplane that restarts, or makes a VIP anew, counts from 0 again. What it had counted before is added.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from maglev.api import VipCounters, VipKey
from maglev_prometheus.catalogue import ROUTE_BYTES, ROUTE_PACKETS, VIP_PACKETS
from maglev_prometheus.probes import CHUNK
from maglev_prometheus.text import number, series


class Rising:
    """One counter of the dataplane's.

    Args:
        line: Its line up to the value.
    """

    __slots__ = ("_before", "_last", "_line")

    def __init__(self, line: str) -> None:
        self._line = line
        self._before = 0
        self._last = 0

    def text(self, value: int) -> str:
        """Its whole line, for what the dataplane says now."""
        if value < self._last:
            self._before += self._last
        self._last = value
        return f"{self._line}{number(self._before + value)}\n"


class Traffic:
    """Counters of VIPs and of the routes to their addresses."""

    def __init__(self) -> None:
        self._vips: dict[tuple[VipKey, str], Rising] = {}
        self._routes: dict[tuple[str, str], Rising] = {}

    def keep(self, configured: Collection[VipKey], counters: Sequence[VipCounters]) -> None:
        """Forget VIPs that are neither configured nor in the dataplane."""
        known = {*configured, *(counted.vip for counted in counters)}
        prefixes = {_prefix(vip) for vip in known}
        self._vips = {key: rising for key, rising in self._vips.items() if key[0] in known}
        self._routes = {key: rising for key, rising in self._routes.items() if key[0] in prefixes}

    def packets(self, counters: Sequence[VipCounters]) -> Iterator[str]:
        """The lines of `maglev_vpp_vip_packets_total`, some at a time."""
        for at in range(0, len(counters), CHUNK):
            yield "".join(
                [
                    self._vip(counted.vip, kind).text(value)
                    for counted in counters[at : at + CHUNK]
                    for kind, value in counted.packets.items()
                ]
            )

    def routes(self, counters: Sequence[VipCounters]) -> tuple[str, str]:
        """The lines of `maglev_vpp_vip_route_packets_total` and of `maglev_vpp_vip_route_bytes_total`."""
        # All VIPs of an address share its route.
        by_prefix = {_prefix(counted.vip): counted for counted in counters}
        packets, octets = [], []
        for prefix, counted in by_prefix.items():
            if counted.route_packets is not None:
                packets.append(self._route(prefix, ROUTE_PACKETS.name).text(counted.route_packets))
            if counted.route_bytes is not None:
                octets.append(self._route(prefix, ROUTE_BYTES.name).text(counted.route_bytes))
        return "".join(packets), "".join(octets)

    def _vip(self, vip: VipKey, kind: str) -> Rising:
        rising = self._vips.get((vip, kind))
        if rising is None:
            labels = {"prefix": _prefix(vip), "protocol": vip.protocol.value, "port": str(vip.port), "kind": kind}
            rising = self._vips[vip, kind] = Rising(series(VIP_PACKETS.name, **labels))
        return rising

    def _route(self, prefix: str, name: str) -> Rising:
        rising = self._routes.get((prefix, name))
        if rising is None:
            rising = self._routes[prefix, name] = Rising(series(name, prefix=prefix))
        return rising


def _prefix(vip: VipKey) -> str:
    return f"{vip.address}/{vip.address.max_prefixlen}"
