"""Simulates packets: finds a flow's server with VPP's table and hash, counts, and establishes flows."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import attrs
from anyio.lowlevel import checkpoint

from maglev.api import Flow, VipCounters, VipKey, VipState
from maglev.dataplanes.memory.contents import Contents
from maglev.dataplanes.memory.flows import EXISTING, FIRST, KINDS, NO_SERVER, UNTRACKED
from maglev.domain.flow import flow_hash
from maglev.domain.table import Address, Table, bucket_counts, new_flow_table_in_slices

_VIPS_PER_SLICE = 20
_BYTES_PER_PACKET = 64


class Traffic:
    """New-flow tables and packets of one dataplane.

    Tables are built on request, in slices, and kept until the VIP's servers change.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._tables: dict[VipKey, tuple[VipState, Table]] = {}
        self._counted: dict[VipKey, tuple[VipState, VipState]] = {}

    async def table(self, key: VipKey) -> Table:
        """Return the new-flow table of a VIP as it is at the moment of returning.

        Raises:
            KeyError: There is no such VIP.
        """
        while True:
            vip = self._contents.vip(key)
            built_for, table = self._tables.get(key, (None, None))
            if built_for is vip and table is not None:
                return table
            building = new_flow_table_in_slices(_weights(vip), vip.attributes.table_length)
            self._tables[key] = vip, await _in_slices(building)

    async def server_for(self, key: VipKey, flow: Flow) -> Address | None:
        """Return the server that the next packet of a flow would get, without sending one.

        Args:
            key: The VIP.
            flow: The flow; what it leaves out is the VIP's own.

        Returns:
            The server that the flow is established with, or else the new-flow table's; `None`: no server has weight.

        Raises:
            KeyError: There is no such VIP.
        """
        table = await self.table(key)
        index, hashed = self._identify(key, flow)
        return self._contents.flows.server(index, hashed) or table[hashed & (len(table) - 1)]

    async def send(self, key: VipKey, flow: Flow) -> Address | None:
        """Send one packet of a flow: it is counted, and a new flow is established.

        Args and errors are those of `server_for`.

        Returns:
            The server that gets it; `None`: no server has weight, the packet is dropped.
        """
        table = await self.table(key)
        index, hashed = self._identify(key, flow)
        server, kind = self._contents.flows.server(index, hashed), EXISTING
        if server is None:
            server = table[hashed & (len(table) - 1)]
            if server is None:
                kind = NO_SERVER
            else:
                kind = FIRST if self._contents.flows.establish(index, hashed, server) else UNTRACKED
        self._contents.packets[index][kind] += 1
        return server

    async def with_details(self, vips: Mapping[VipKey, VipState], *, entries: bool) -> dict[VipKey, VipState]:
        """Add to VIPs how many buckets each of their servers has, and on request how many entries of flows."""
        counted = {}
        for position, (key, vip) in enumerate(vips.items()):
            counted[key] = self._with_buckets(key, vip)
            if position % _VIPS_PER_SLICE == _VIPS_PER_SLICE - 1:
                await checkpoint()
        return _with_entries(counted, self._contents.flows.count()) if entries else counted

    def counters(self) -> tuple[VipCounters, ...]:
        """Return what each VIP carried; every packet has 64 bytes."""
        carried = ((key, self._contents.packets[vip.index]) for key, vip in self._contents.vips.items() if vip.index)
        return tuple(
            VipCounters(
                key,
                {kind: packets[kind] for kind in KINDS},
                route_packets=packets.total(),
                route_bytes=packets.total() * _BYTES_PER_PACKET,
            )
            for key, packets in carried
        )

    def _with_buckets(self, key: VipKey, vip: VipState) -> VipState:
        counted_for, counted = self._counted.get(key, (None, None))
        if counted_for is vip and counted is not None:
            return counted
        buckets = bucket_counts(_weights(vip), vip.attributes.table_length)
        servers = {server: attrs.evolve(state, buckets=buckets[server]) for server, state in vip.servers.items()}
        counted = attrs.evolve(vip, servers=servers)
        self._counted[key] = vip, counted
        return counted

    def _identify(self, key: VipKey, flow: Flow) -> tuple[int, int]:
        """Return the VIP's index and the flow's hash."""
        vip = self._contents.vip(key)
        hashed = flow_hash(
            flow.source,
            key.address,
            flow.source_port,
            key.port if flow.destination_port is None else flow.destination_port,
            (flow.protocol or key.protocol).number,
            sticky=bool(vip.attributes.sticky),
            kind=self._contents.flow_hash,
        )
        return vip.index or 0, hashed


async def _in_slices(building: Generator[None, None, Table]) -> Table:
    while True:
        try:
            next(building)
        except StopIteration as built:
            table: Table = built.value
            return table
        await checkpoint()


def _weights(vip: VipState) -> dict[Address, int]:
    return {server: state.weight for server, state in vip.servers.items()}


def _with_entries(
    vips: Mapping[VipKey, VipState], entries: Mapping[tuple[int, Address], int]
) -> dict[VipKey, VipState]:
    return {
        key: attrs.evolve(
            vip,
            servers={
                server: attrs.evolve(state, entries=entries.get((vip.index or 0, server), 0))
                for server, state in vip.servers.items()
            },
        )
        for key, vip in vips.items()
    }
