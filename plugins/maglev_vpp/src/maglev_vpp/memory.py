"""Reckons how much of VPP's memory an operation takes, and whether it fits. VPP aborts when a heap of its is exhausted.

VPP allocates from its main heap (`memory { main-heap-size … }`, 1 GB by default), and counters from the heap of its
statistics (`statseg { size … }`, 32 MB by default). The size of an entry of a table and of a bucket of flows are from
the source of its lb plugin. The other sizes were measured on VPP 26.10, and rounded up.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs

from maglev.api import AddServer, AddVip, DataplaneState, Operation

BUCKET = 4
"""Bytes of one bucket of a VIP's new-flow table. Each change of a server or weight builds a second table, and then
frees the first."""
STICKY_BUCKET = 64
"""Bytes of one sticky bucket, which holds four flows. Each thread that carries packets has a table of them."""
MAX_STICKY_BUCKETS = 1 << 25
"""From 1 << 26 on the size of that table in bytes does not fit 32 bits, and VPP writes beyond what it has allocated."""
VIP, SERVER, ADDRESS = 768, 128, 448
"""Bytes in the main heap for a VIP beside its table, a server of a VIP, and the address of a server: one route, for all
VIPs that the server belongs to."""
VIP_COUNTERS, ADDRESS_COUNTERS = 96, 48
"""Bytes in the heap of the statistics for a VIP and for the address of a server, for each thread."""
GROWTH = 256
"""VPP keeps VIPs, servers and routes in arrays. It moves one that is full to a place half as large again: so many bytes
for each VIP and server, in one piece."""
STATS_GROWTH = 32
"""The same of the counters, in the heap of the statistics."""
RESERVE, STATS_RESERVE = 2 << 20, 256 << 10
"""Bytes of the two heaps that are left to VPP."""
CHANGE = 1 << 20
"""Bytes that must be free for a change of weights: a second table, and the weights sorted for it."""
ROW = 180
"""Bytes of the main heap for each row of a dump: 70 that wait to be sent, in an array that grows by half."""
LEAST_SERVER, LEAST_USED = 100, 24 << 20
"""Bytes in the main heap that a server takes at least, and VPP without any."""
DEFAULT_HEAP = 1 << 30
"""The size of the main heap of a VPP that is not told otherwise, in bytes."""


@attrs.frozen
class Cost:
    """The memory that operations take for good, in bytes.

    Args:
        main: Of the main heap.
        stats: Of the heap of the statistics, for each thread.
    """

    main: int = 0
    stats: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.main + other.main, self.stats + other.stats)


@attrs.frozen
class Heap:
    """A heap of VPP, in bytes.

    Args:
        name: What people call it.
        total: Its size.
        free: What is not allocated.
        tail: The part of that which is in one piece, at the end of the heap.
        taken: What was allocated since these figures were taken, as far as is known.
    """

    name: str
    total: int
    free: int
    tail: int
    taken: int = 0

    @property
    def left(self) -> int:
        """Memory that is free now."""
        return self.free - self.taken

    @property
    def piece(self) -> int:
        """The longest piece that can be counted on.

        Gaps between what is allocated are used before the tail, as far as they are large enough: half of them, say.
        One of the gaps has a quarter of them, say.
        """
        gaps = self.free - self.tail
        return max(self.tail - max(0, self.taken - gaps // 2), (gaps - self.taken) // 4)

    def take(self, size: int) -> Heap:
        """Return the heap as it is after another allocation."""
        return attrs.evolve(self, taken=self.taken + size)

    def lacks(self, size: int, reserve: int, piece: int = 0) -> str:
        """Say why something does not fit; empty if it does.

        Args:
            size: What it takes, in bytes.
            reserve: What must be left, in bytes.
            piece: What it takes for a moment, in one piece, in bytes.
        """
        if size + reserve <= self.left and piece <= self.piece:
            return ""
        needed = in_words(size) if size + reserve > self.left else f"{in_words(piece)} in one piece"
        left, of = in_words(max(self.left, 0)), in_words(self.total)
        own = f", of which {in_words(reserve)} are VPP's own" if reserve else ""
        return f"{needed} are needed, and {left} of {of} of {self.name} are free{own}"


def cost(operation: Operation) -> Cost:
    """Return what one operation takes at most. What VPP frees when something is removed is not counted on."""
    match operation:
        case AddVip(attributes=attributes):
            return Cost(VIP + BUCKET * attributes.table_length, VIP_COUNTERS)
        case AddServer():
            return Cost(SERVER + ADDRESS, ADDRESS_COUNTERS)
        case _:
            return Cost()


def sticky_size(buckets: int) -> int:
    """Return the bytes of one thread's table of established flows: one bucket more than it has, and a head."""
    return STICKY_BUCKET * (buckets + 2)


def footprint(state: DataplaneState) -> Cost:
    """Return what all VIPs of a state take, without the tables of established flows."""
    vips = state.vips.values()
    addresses: Collection[object] = {address for vip in vips for address in vip.servers}
    servers = sum(len(vip.servers) for vip in vips)
    tables = BUCKET * sum(vip.attributes.table_length for vip in vips)
    return Cost(
        tables + VIP * len(vips) + SERVER * servers + ADDRESS * len(addresses),
        VIP_COUNTERS * len(vips) + ADDRESS_COUNTERS * len(addresses),
    )


def needs(state: DataplaneState) -> str:
    """Say what memory a state needs, and where to set it."""
    lasting, sticky = footprint(state), sticky_size(state.conf.sticky_buckets_per_core)
    largest = max((vip.attributes.table_length for vip in state.vips.values()), default=0)
    more = " (more than its default of 1 GiB: set memory { main-heap-size … })" * (lasting.main + sticky > DEFAULT_HEAP)
    return (
        f"VPP needs {in_words(lasting.main)} of its main heap for the VIPs, {in_words(BUCKET * largest)} more while it "
        f"changes one, and {in_words(sticky)} for the established flows of each worker{more}; "
        f"{in_words(lasting.stats)} for the statistics of each thread"
    )


def in_words(size: float) -> str:
    """Return a number of bytes for people, to three digits."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} GiB"


def threads_with_flows(workers: int) -> set[int]:
    """Return the threads that carry packets, by number: VPP's workers, or its main thread where there are none."""
    return set(range(1, workers + 1)) if workers else {0}
