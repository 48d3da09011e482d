"""New-flow tables, built when asked for, in slices that give the event loop back, and kept for the next who asks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

import anyio
import anyio.lowlevel

from maglev.domain.table import Table, new_flow_table_in_slices

Address = IPv4Address | IPv6Address
_KEPT = 256


class Tables:
    """A cache of tables by server set and length; at most `_KEPT` of them, the longest unused ones go."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[int, frozenset[tuple[Address, int]]], Table] = OrderedDict()

    async def get(self, servers: Mapping[Address, int], length: int) -> Table:
        """The new-flow table of some servers.

        Args:
            servers: Weight in the table, 0 to 100, by server.
            length: Number of buckets, a power of two.
        """
        key = (length, frozenset((server, weight) for server, weight in servers.items() if weight))
        table = self._tables.get(key)
        if table is None:
            table = await _build(dict(key[1]), length)
            self._tables[key] = table
            if len(self._tables) > _KEPT:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return table


async def _build(servers: Mapping[Address, int], length: int) -> Table:
    slices = new_flow_table_in_slices(servers, length)
    while True:
        try:
            next(slices)
        except StopIteration as built:
            table: Table = built.value
            return table
        await anyio.lowlevel.checkpoint()
