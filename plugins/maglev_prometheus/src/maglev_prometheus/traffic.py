"""Keeps the dataplane's counters of each VIP from going back while this process lives.

A dataplane that restarts, or adds a VIP again, counts from 0. What it had counted before is added.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import attrs

from maglev.api import VipCounters, VipKey
from maglev_prometheus.catalogue import ROUTE_BYTES, ROUTE_PACKETS, VIP_PACKETS
from maglev_prometheus.text import in_chunks, number, series


@attrs.define(eq=False)
class MonotonicCounter:
    """One counter of the dataplane, with what was counted before it went back to 0; `line` is up to the value."""

    _line: str
    _before: int = 0
    _last: int = 0

    def text(self, value: int) -> str:
        """Its whole line, for what the dataplane says now."""
        if value < self._last:
            self._before += self._last
        self._last = value
        return f"{self._line}{number(self._before + value)}\n"


@attrs.define(eq=False)
class Traffic:
    """Counters of VIPs and of the routes to their addresses."""

    _counters: dict[tuple[VipKey | str, str], MonotonicCounter] = attrs.field(factory=dict, init=False)
    """By VIP and kind of packets, and by prefix and name of the family."""

    def keep(self, configured: Collection[VipKey], counters: Sequence[VipCounters]) -> None:
        """Forget VIPs that are neither configured nor in the dataplane."""
        vips = {*configured, *(counted.vip for counted in counters)}
        known = vips | {_prefix(vip) for vip in vips}
        self._counters = {key: counter for key, counter in self._counters.items() if key[0] in known}

    def packets(self, counters: Sequence[VipCounters]) -> Iterator[str]:
        """The lines of `maglev_vpp_vip_packets_total`, some at a time."""
        return in_chunks(counters, self._packets)

    def _packets(self, counted: VipCounters) -> str:
        return "".join([self._vip(counted.vip, kind).text(value) for kind, value in counted.packets.items()])

    def routes(self, counters: Sequence[VipCounters]) -> tuple[list[str], list[str]]:
        """The lines of `maglev_vpp_vip_route_packets_total` and of `maglev_vpp_vip_route_bytes_total`."""
        # All VIPs of an address share its route.
        by_prefix = {_prefix(counted.vip): counted for counted in counters}
        packets, octets = [], []
        for prefix, counted in by_prefix.items():
            if counted.route_packets is not None:
                packets.append(self._route(prefix, ROUTE_PACKETS.name).text(counted.route_packets))
            if counted.route_bytes is not None:
                octets.append(self._route(prefix, ROUTE_BYTES.name).text(counted.route_bytes))
        return packets, octets

    def _vip(self, vip: VipKey, kind: str) -> MonotonicCounter:
        counter = self._counters.get((vip, kind))
        if counter is None:
            labels = {"prefix": _prefix(vip), "protocol": vip.protocol.value, "port": str(vip.port), "kind": kind}
            counter = self._counters[vip, kind] = MonotonicCounter(series(VIP_PACKETS.name, **labels))
        return counter

    def _route(self, prefix: str, name: str) -> MonotonicCounter:
        counter = self._counters.get((prefix, name))
        if counter is None:
            counter = self._counters[prefix, name] = MonotonicCounter(series(name, prefix=prefix))
        return counter


def _prefix(vip: VipKey) -> str:
    return f"{vip.address}/{vip.address.max_prefixlen}"
