"""Keeps account of the memory that VPP has left, and refuses operations that would not fit.

VPP's statistics tell the state of its heaps, and VPP renews them every ten seconds only. So what was sent since is
counted here. `maglev_vpp.memory` reckons; this module reads and remembers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from maglev.api import DataplaneConf, Failed, NotSent, Operation, OperationResult
from maglev_vpp.memory import (
    CHANGE,
    GROWTH,
    LEAST_SERVER,
    LEAST_USED,
    RESERVE,
    STATS_GROWTH,
    STATS_RESERVE,
    Cost,
    Heap,
    cost,
    sticky_size,
    threads_with_flows,
)
from maglev_vpp.stats import VIP_COUNTERS, Segment, StatsReader

HEARTBEAT, WORKERS = "/sys/heartbeat", "/sys/num_worker_threads"
MAIN, STATS = "/mem/main heap", "/mem/stat segment"
TOTAL, FREE, TAIL = 0, 2, 6
"""Which of a heap's seven figures are used."""


@attrs.frozen
class Figures:
    """The figures of the statistics at one time.

    Args:
        heartbeat: How often VPP has renewed them.
        workers: VPP's worker threads.
        vips: How many VIPs there are counters for: the most that there ever were.
        main: The main heap.
        stats: The heap of the statistics.
    """

    heartbeat: int
    workers: int
    vips: int
    main: Heap
    stats: Heap


def figures(segment: Segment) -> Figures | None:
    """Read the figures; `None` for a VPP that does not tell them."""
    heartbeat = int(segment[HEARTBEAT])
    if not {WORKERS, MAIN, STATS} <= segment.directory.keys():
        return None
    main = _heap("VPP's main heap (main-heap-size)", segment[MAIN][0])
    stats = _heap("the memory of VPP's statistics (statseg size)", segment[STATS][0])
    vips = segment.width(next(iter(VIP_COUNTERS.values())))
    return Figures(heartbeat, int(segment[WORKERS]), vips, main, stats)


def _heap(name: str, row: Sequence[int]) -> Heap:
    return Heap(name, int(row[TOTAL]), int(row[FREE]), int(row[TAIL]))


def carried(segment: Segment) -> dict[int, int]:
    """Count the packets for all VIPs by thread. Reads every counter of the plugin: some milliseconds for 1000 VIPs."""
    found: dict[int, int] = {}
    for name in VIP_COUNTERS.values():
        if name in segment.directory:
            for thread, row in enumerate(segment[name]):
                found[thread] = found.get(thread, 0) + sum(row)
    return found


@attrs.define(eq=False)
class Room:
    """VPP's memory, as known during one session.

    Args:
        stats: Where to read it; `None` if VPP's statistics are switched off: then everything fits.
    """

    _stats: StatsReader | None
    _rows: int = attrs.field(default=0, init=False)
    """VIPs and servers that VPP keeps, those that were removed included."""
    _figures: Figures | None = attrs.field(default=None, init=False)
    _sent: dict[int, Cost] = attrs.field(factory=dict, init=False)
    """What was sent, by the heartbeat that was read before."""
    _buckets: int | None = attrs.field(default=None, init=False)
    """The sticky buckets of each thread; `None` as long as they are not known."""
    _before: Mapping[int, int] = attrs.field(factory=dict, init=False)
    """The packets by thread when the number of sticky buckets changed."""
    _carrying: dict[int, int] = attrs.field(factory=dict, init=False)
    """The threads that have carried packets since, with the heartbeat at which that was found."""

    async def found(self, conf: DataplaneConf, rows: int) -> None:
        """Take what a read has found: the configuration, and how many VIPs and servers there are.

        Raises:
            DataplaneError: The statistics could not be read.
        """
        self._rows = rows
        if self._buckets is None:
            self._buckets = conf.sticky_buckets_per_core
        await self.resized(conf.sticky_buckets_per_core)

    async def resized(self, buckets: int) -> None:
        """Take the number of sticky buckets: with another one, each thread makes a new table with its next packet.

        Raises:
            DataplaneError: The statistics could not be read.
        """
        if self._stats is not None and buckets != self._buckets:
            self._buckets = buckets
            self._carrying.clear()
            self._before = await self._stats.read(carried)

    @property
    def vips(self) -> int:
        """The largest number of VIPs that VPP ever had at one time; 0 if it is not known."""
        return self._figures.vips if self._figures else 0

    def lacking_for_message(self, size: int) -> str:
        """Say why the main heap cannot hold so many bytes for a moment; empty if it can. As of the last look."""
        return self._figures.main.take(self._taken().main).lacks(size, 0) if self._figures else ""

    def most_servers(self, tables: int) -> int:
        """Return how many servers there are, or can be at most: as many as fit what is used of the main heap.

        Args:
            tables: Bytes of the VIPs' new-flow tables, which are no servers.
        """
        if self._rows or self._figures is None:
            return self._rows
        main = self._figures.main
        return max(0, main.total - main.free - LEAST_USED - tables) // LEAST_SERVER

    async def lacking_for_flows(self, buckets: int) -> str:
        """Say why sticky buckets, so many for each thread, do not fit; empty if they do, or are there.

        Raises:
            DataplaneError: The statistics could not be read.
        """
        await self.look()
        if self._figures is None or buckets == self._buckets:
            return ""
        await self._look_for_packets()
        size = sticky_size(buckets) * self._owed(every=True)
        # Each thread frees its old table before it makes the new one.
        freed = sticky_size(self._buckets or 0) * (self._owed(every=True) - self._owed())
        return self._figures.main.take(self._taken().main - freed).lacks(size, RESERVE, sticky_size(buckets))

    async def refuse(self, operations: Sequence[Operation]) -> Mapping[int, OperationResult]:
        """Decide which operations are not sent, and count the others as sent.

        Returns:
            What became of those that are not sent, by their position. Once something does not fit, nothing else that
            takes memory for good is sent.

        Raises:
            DataplaneError: The statistics could not be read.
        """
        costs = [cost(operation) for operation in operations]
        total = sum(costs, Cost())
        if not await self._lacking(total, len(costs)):
            self._send(total, len(costs))
            return {}
        refused: dict[int, OperationResult] = {}
        for at, each in enumerate(costs):
            if refused and each.main:
                refused[at] = NotSent()
            elif lacking := await self._lacking(each, 1):
                refused[at] = Failed(f"INVALID_MEMORY_SIZE: {lacking}")
            else:
                self._send(each, 1)
        return refused

    async def _lacking(self, more: Cost, rows: int) -> str:
        """Say why something does not fit; empty if it does. What only changes weights does not cost a reading."""
        lacking = "not known"
        if not more.main:
            lacking = self._lacking_now(more, 0)
        if lacking:
            await self.look()
            lacking = self._lacking_now(more, rows)
        if lacking and more.main:
            await self._look_for_packets()
            lacking = self._lacking_now(more, rows)
        return lacking

    def _lacking_now(self, more: Cost, rows: int) -> str:
        found, taken = self._figures, self._taken()
        if found is None:
            return ""
        if not more.main:
            return found.main.take(taken.main).lacks(CHANGE, 0)
        owed, threads = self._owed() * sticky_size(self._buckets or 0), found.workers + 1
        kept = self._rows + rows
        return found.main.take(taken.main + owed).lacks(more.main, RESERVE, GROWTH * kept) or found.stats.take(
            taken.stats * threads
        ).lacks(more.stats * threads, STATS_RESERVE, STATS_GROWTH * kept)

    def _owed(self, *, every: bool = False) -> int:
        """Count the threads whose table of flows is still to be made, or all that will have one."""
        if self._figures is None:
            return 0
        made = {thread for thread, since in self._carrying.items() if since < self._figures.heartbeat}
        return len(threads_with_flows(self._figures.workers) - (set() if every else made))

    def _taken(self) -> Cost:
        return sum(self._sent.values(), Cost())

    def _send(self, more: Cost, rows: int) -> None:
        if self._figures is not None and more.main:
            beat = self._figures.heartbeat
            self._sent[beat] = self._sent.get(beat, Cost()) + more
            self._rows += rows

    async def look(self) -> None:
        """Read the figures.

        Raises:
            DataplaneError: The statistics could not be read.
        """
        if self._stats is None:
            return
        self._figures = found = await self._stats.read(figures)
        if found is not None:
            # VPP may have done it after the next heartbeat only.
            self._sent = {beat: sent for beat, sent in self._sent.items() if beat + 2 > found.heartbeat}

    async def _look_for_packets(self) -> None:
        """Find the threads that have made their table of flows: those that have carried packets.

        At the next heartbeat, the figures have that table too.
        """
        if self._stats is None or self._figures is None or not self._owed():
            return
        for thread, packets in (await self._stats.read(carried)).items():
            if packets > self._before.get(thread, 0):
                self._carrying.setdefault(thread, self._figures.heartbeat)
