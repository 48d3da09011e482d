"""Reads VPP's statistics from its shared memory: with vpp_papi's reader, in a worker thread, with a deadline.

The memory stays readable, unchanged, after VPP is gone; a VPP that dies while it writes leaves it locked, and
vpp_papi's reader would then loop for ever. So the lock here gives up at the deadline, and a session that is lost closes
its reader.
"""

from __future__ import annotations

import mmap
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import zip_longest
from typing import TypeVar

import anyio
import anyio.to_thread
import attrs
from vpp_papi.vpp_stats import StatsVector, VPPStats

from maglev.api import DataplaneError
from maglev_vpp.handshake import VppAbsent, absent_if_refused

LAYOUT = 2
"""The layout of the shared memory that vpp_papi reads."""
BOOT_TIME = "/sys/boottime"
"""When VPP started, in seconds since the epoch."""
ROUTES = "/net/route/to"
VIP_COUNTERS: Mapping[str, str] = {
    "existing": "packet from existing sessions",
    "first": "first session packet",
    "untracked": "untracked packet",
    "no_server": "no server configured",
}
"""Our names of a VIP's counters, and VPP's. VPP creates them with the first VIP."""

_T = TypeVar("_T")


class StatsError(Exception):
    """The statistics could not be read. Not an OSError: vpp_papi's reader would retry it for ever."""


class _Lock:
    """Checks that nothing was written while reading, as vpp_papi's own lock does, but gives up at the deadline."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._epoch = 0

    def __enter__(self) -> None:
        while self._segment.in_progress:
            self._segment.check_deadline()
            time.sleep(0.0005)
        self._segment.check_deadline()
        self._epoch = self._segment.epoch

    def __exit__(self, *_: object) -> None:
        if self._segment.in_progress or self._segment.epoch != self._epoch:
            raise OSError("written meanwhile")


class Segment(VPPStats):  # type: ignore[misc]  # vpp_papi has no types
    """The shared memory of one VPP. All methods block.

    Args:
        path: The unix socket that hands the memory out.
        deadline_s: For one read, in seconds.
    """

    def __init__(self, path: str, deadline_s: float) -> None:
        super().__init__(path, deadline_s)
        self.lock = _Lock(self)
        self._until_s = 0.0

    def read(self, call: Callable[[Segment], _T]) -> _T:
        """Call something that reads, and give it until the deadline from now on."""
        self._until_s = time.monotonic() + self.timeout
        return call(self)

    def check_deadline(self) -> None:
        """Raise StatsError after the deadline."""
        if time.monotonic() > self._until_s:
            raise StatsError(f"VPP's statistics could not be read within {self.timeout:g} s")

    def connect(self) -> None:
        """Map the memory. vpp_papi's own method leaks sockets when it fails."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(self.timeout)
            sock.connect(self.socketname)
            _message, descriptors, _flags, _address = socket.recv_fds(sock, 1, 1)
        if not descriptors:
            raise StatsError(f"{self.socketname} is not VPP's socket of statistics")
        try:
            self.size = os.fstat(descriptors[0]).st_size
            self.statseg = mmap.mmap(descriptors[0], self.size, mmap.MAP_SHARED, mmap.PROT_READ)
        finally:
            os.close(descriptors[0])
        self.connected = True
        if self.version != LAYOUT:
            raise StatsError(f"VPP's statistics have layout {self.version}, supported is {LAYOUT}")
        self.refresh()

    def sums(self, name: str) -> Sequence[int]:
        """Read a simple counter, summed over the threads, by index; empty if there is none of that name."""
        try:
            threads = self[name]
        except KeyError:
            return ()
        return [sum(column) for column in zip_longest(*threads, fillvalue=0)]

    def width(self, name: str) -> int:
        """Return how many indices a simple counter has, without reading it; 0 if there is none of that name."""
        return self._at_rest(lambda: self._width(name))

    def pairs(self, name: str, indices: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Read some (packets, bytes) of a combined counter, summed over the threads.

        vpp_papi would read the whole counter: with a full table of routes it has a million entries.
        """
        wanted = sorted(set(indices))
        return self._at_rest(lambda: self._pairs(name, wanted))

    def _at_rest(self, call: Callable[[], _T]) -> _T:
        """Read until nothing was written meanwhile."""
        while True:
            self.check_deadline()
            try:
                if self.last_epoch != self.epoch:
                    self.refresh()
                with self.lock:
                    return call()
            except OSError:
                continue

    def _width(self, name: str) -> int:
        if name not in self.directory:
            return 0
        threads = StatsVector(self, self.directory[name].value, "P")
        return max((int(StatsVector(self, thread[0], "Q").vec_len) for thread in threads), default=0)

    def _pairs(self, name: str, wanted: Sequence[int]) -> dict[int, tuple[int, int]]:
        if name not in self.directory:
            return {}
        threads = [StatsVector(self, t[0], "QQ") for t in StatsVector(self, self.directory[name].value, "P")]
        rows = {index: [thread[index] for thread in threads if index < thread.vec_len] for index in wanted}
        return {index: (sum(row[0] for row in of), sum(row[1] for row in of)) for index, of in rows.items() if of}


@attrs.define(eq=False)
class StatsReader:
    """Reads one VPP's statistics without blocking the event loop. Made by `open_stats`."""

    _segment: Segment
    _one_at_a_time: anyio.Lock = attrs.field(factory=anyio.Lock, init=False)

    async def read(self, call: Callable[[Segment], _T]) -> _T:
        """Read in a worker thread.

        Raises:
            VppAbsent: Nobody listens on the socket.
            DataplaneError: It could not be read, or not within the deadline.
        """
        segment, path = self._segment, self._segment.socketname
        async with self._one_at_a_time:
            try:
                # The thread ends by its own deadline; the extra second is for one that hangs in the kernel.
                with anyio.fail_after(segment.timeout + 1.0), absent_if_refused(path):
                    return await anyio.to_thread.run_sync(segment.read, call, abandon_on_cancel=True)
            except TimeoutError:
                raise DataplaneError(f"VPP's statistics at {path} cannot be read: no end of it") from None
            except VppAbsent:
                raise
            except Exception as error:  # vpp_papi raises what its parts raise, for memory with unexpected contents
                what = str(error) or type(error).__name__
                raise DataplaneError(f"VPP's statistics at {path} cannot be read: {what}") from error

    def close(self) -> None:
        """Unmap the memory. A thread that still reads it fails; nobody waits for it any more."""
        self._segment.disconnect()


@asynccontextmanager
async def open_stats(path: str, deadline_s: float) -> AsyncIterator[StatsReader]:
    """Map VPP's statistics while the context lasts. Arguments as for `Segment`.

    Raises:
        VppAbsent: Nobody listens on the socket.
        DataplaneError: The memory could not be mapped or read.
    """
    reader = StatsReader(Segment(path, deadline_s))
    try:
        await reader.read(lambda segment: segment.connect())
        yield reader
    finally:
        reader.close()
