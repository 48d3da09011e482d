"""Counts the memory that VPP never gives back: the new-flow table of each VIP that is removed or made anew.

VPP has no figure of its own for it. What was lost before the first connection, or while there was none, is not known.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from maglev.api import VipKey, VipState

BYTES_PER_BUCKET = 4

Tables = Mapping[VipKey, tuple[int | None, int]]


@attrs.define(eq=False)
class Leaks:
    """The memory that one VPP lost, over all connections to it.

    Args:
        lost_bytes: The memory in bytes.
    """

    lost_bytes: int = attrs.field(default=0, init=False)
    _boot_id: str = attrs.field(default="", init=False)
    _tables: dict[VipKey, tuple[int | None, int]] = attrs.field(factory=dict, init=False)
    """The VIPs in VPP: index, if it is known, and length of the table in buckets."""

    def connected(self, boot_id: str) -> None:
        """Start anew if it is another VPP than before."""
        if boot_id != self._boot_id:
            self._boot_id, self.lost_bytes = boot_id, 0
            self._tables.clear()

    def added(self, vip: VipKey, table_length: int) -> None:
        """Note a VIP that was made, with the length of its table in buckets."""
        self._tables[vip] = (None, table_length)

    def removed(self, vip: VipKey) -> None:
        """Count a VIP that was removed."""
        _index, length = self._tables.pop(vip, (None, 0))
        self.lost_bytes += length * BYTES_PER_BUCKET

    def found(self, vips: Mapping[VipKey, VipState]) -> None:
        """Compare with what VPP holds: others remove VIPs and make them anew too."""
        now = {vip: (state.index, state.attributes.table_length) for vip, state in vips.items()}
        for vip in gone(self._tables, now):
            self.removed(vip)
        self._tables = now


def gone(before: Tables, now: Tables) -> list[VipKey]:
    """Find the VIPs that were removed, and those that have another index or table: they were made anew."""
    return [vip for vip, table in before.items() if vip not in now or not _same(table, now[vip])]


def _same(before: tuple[int | None, int], now: tuple[int | None, int]) -> bool:
    return before[1] == now[1] and (before[0] is None or before[0] == now[0])
