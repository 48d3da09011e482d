"""The memory of VPP's statistics: a memfd, handed to whoever connects, laid out as VPP lays it out (version 2)."""

from __future__ import annotations

import mmap
import os
import socket
import struct
import time
from collections.abc import Sequence

from .lb import FIRST_ROUTE, KINDS, WORKERS, Lb

HEADER = struct.Struct("QPQQPP")
ENTRY = struct.Struct("IQ128s")
BASE = 0x130000000
"""Where VPP has the memory in its own address space: pointers in it count from here."""
SIZE = 4 * 1024 * 1024
SCALAR, SIMPLE, COMBINED = 1, 2, 3


class StatsSegment:
    """The memory. Each change rewrites all of it, marked as in progress meanwhile."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("standin-stats")
        os.ftruncate(self.fd, SIZE)
        self._memory = mmap.mmap(self.fd, SIZE)
        self._at = 0
        self.epoch = 0
        self.boot_time_s = int(time.time())
        self.route_counters: dict[int, tuple[int, int]] = {}
        self.locked = False
        self.heartbeat = 1

    def publish(self, lb: Lb) -> None:
        """Rewrite everything."""
        self._head(in_progress=1, directory=0)
        self._at = HEADER.size
        entries = [(SCALAR, self.boot_time_s, "/sys/boottime"), (SCALAR, self.heartbeat, "/sys/heartbeat")]
        entries += [(SCALAR, WORKERS, "/sys/num_worker_threads")]
        entries += [(SIMPLE, self._heap(lb.heap.total, lb.heap.told), "/mem/main heap")]
        entries += [(SIMPLE, self._heap(1 << 26, 1 << 20), "/mem/stat segment")]
        for name, column in zip(KINDS, lb.counters, strict=False):
            entries.append((SIMPLE, self._simple(column), name))
        entries.append(
            (COMBINED, self._combined(len(lb.counters[0]) + FIRST_ROUTE if lb.counters else 1), "/net/route/to")
        )
        directory = self._vector(ENTRY, [(kind, value, name.encode()) for kind, value, name in entries])
        self.epoch += 1
        self._head(in_progress=int(self.locked), directory=directory)

    def _head(self, *, in_progress: int, directory: int) -> None:
        HEADER.pack_into(self._memory, 0, 2, BASE, self.epoch, in_progress, directory, 0)

    def _heap(self, total: int, used: int) -> int:
        free = total - used
        figures = (total, used, free, 0, total, 4, free)
        row = self._vector(struct.Struct("Q"), [(figure,) for figure in figures])
        return self._vector(struct.Struct("P"), [(row,)])

    def _simple(self, column: Sequence[int]) -> int:
        threads = ([0] * len(column), column)  # the main thread counts nothing here
        rows = [self._vector(struct.Struct("Q"), [(count,) for count in counts]) for counts in threads]
        return self._vector(struct.Struct("P"), [(row,) for row in rows])

    def _combined(self, width: int) -> int:
        counts = [self.route_counters.get(index, (0, 0)) for index in range(width)]
        rows = [self._vector(struct.Struct("QQ"), row) for row in ([(0, 0)] * width, counts)]
        return self._vector(struct.Struct("P"), [(row,) for row in rows])

    def _vector(self, layout: struct.Struct, items: Sequence[tuple[object, ...]]) -> int:
        at = (self._at + 15) // 16 * 16 + 16
        struct.pack_into("I", self._memory, at - 8, len(items))
        for number, item in enumerate(items):
            layout.pack_into(self._memory, at + number * layout.size, *item)
        self._at = at + len(items) * layout.size
        return BASE + at

    def hand_out(self, client: socket.socket) -> None:
        """Pass the memory to a client that connected."""
        with client:
            socket.send_fds(client, [b"\0"], [self.fd])
