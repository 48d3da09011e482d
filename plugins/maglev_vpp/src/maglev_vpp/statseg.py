"""VPP's statistics, read from the memory that it shares: by vpp_papi's reader, in a worker thread, with a deadline.

The memory stays readable when VPP is gone, and says the same for ever; a VPP that dies while it writes leaves it
locked, and the reader would then turn in circles. So its lock gives up here, and a session that is lost takes its
reader with it.
"""

from __future__ import annotations

import mmap
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from vpp_papi.vpp_stats import StatsVector, VPPStats

from maglev.api import DataplaneError

LAYOUT = 2
"""The layout of the shared memory that vpp_papi reads."""
BOOT_TIME = "/sys/boottime"
ROUTES = "/net/route/to"
VIP_COUNTERS: Mapping[str, str] = {
    "existing": "packet from existing sessions",
    "first": "first session packet",
    "untracked": "untracked packet",
    "no_server": "no server configured",
}
"""Our names of the counters of a VIP, and VPP's: without a slash, and not there before the first VIP."""

_T = TypeVar("_T")


class StatsError(Exception):
    """The statistics could not be read. Not an OSError: vpp_papi's reader would try those again for ever."""


class _Lock:
    """Reads only what was not being written meanwhile, as vpp_papi's own lock, but gives up."""

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
    """The shared memory of one VPP. All methods block."""

    def __init__(self, path: str, deadline_s: float) -> None:
        super().__init__(path, deadline_s)
        self.lock = _Lock(self)
        self._deadline_s = deadline_s
        self._until_s = 0.0

    def start_clock(self) -> None:
        """Let what follows end within the deadline."""
        self._until_s = time.monotonic() + self._deadline_s

    def check_deadline(self) -> None:
        """Raise StatsError when the time is up."""
        if time.monotonic() > self._until_s:
            raise StatsError(f"VPP's statistics could not be read within {self._deadline_s:g} s")

    def connect(self) -> None:
        """Map the memory. vpp_papi's own way leaves sockets open when it fails."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(self._deadline_s)
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
            raise StatsError(f"VPP's statistics have layout {self.version}, known is {LAYOUT}")
        self.refresh()

    def scalar(self, name: str) -> int:
        """Read one number.

        Raises:
            KeyError: There is none of that name.
        """
        return int(self[name])

    def sums(self, name: str) -> Sequence[int]:
        """Read a simple counter, summed over the threads, by index; empty if there is none of that name."""
        try:
            threads = self[name]
        except KeyError:
            return ()
        width = max(map(len, threads), default=0)
        return [sum(thread[i] for thread in threads if i < len(thread)) for i in range(width)]

    def pairs(self, name: str, indices: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Read some (packets, bytes) of a combined counter, summed over the threads.

        Only what is asked for: with a full table of routes this counter has a million entries.
        """
        wanted = sorted(set(indices))
        while True:
            self.check_deadline()
            try:
                if self.last_epoch != self.epoch:
                    self.refresh()
                with self.lock:
                    return self._pairs(name, wanted)
            except OSError:
                continue

    def _pairs(self, name: str, wanted: Sequence[int]) -> dict[int, tuple[int, int]]:
        if name not in self.directory:
            return {}
        threads = [StatsVector(self, t[0], "QQ") for t in StatsVector(self, self.directory[name].value, "P")]
        found = {}
        for index in wanted:
            rows = [thread[index] for thread in threads if index < thread.vec_len]
            if rows:
                found[index] = (sum(row[0] for row in rows), sum(row[1] for row in rows))
        return found


class Statistics:
    """Reads one VPP's statistics without holding the event loop.

    Args:
        path: The unix socket that hands the memory out.
        deadline_s: For one read, in seconds.
    """

    def __init__(self, path: str, deadline_s: float) -> None:
        self.path = path
        self._deadline_s = deadline_s
        self._segment = Segment(path, deadline_s)
        self._turn = anyio.Lock()
        self._closed = False

    async def connect(self) -> None:
        """Map the memory.

        Raises:
            FileNotFoundError: There is no such socket.
            ConnectionRefusedError: Nobody listens on it.
            DataplaneError: It could not be mapped or read.
        """
        try:
            await self.read(lambda segment: segment.connect())
        except BaseException:
            self.close()
            raise

    async def read(self, call: Callable[[Segment], _T]) -> _T:
        """Have something read in a worker thread.

        Raises:
            DataplaneError: It could not be read, or not within the deadline.
        """
        async with self._turn:
            try:
                # The thread ends by its own clock; a little more is only for one that hangs in the kernel.
                with anyio.fail_after(self._deadline_s + 1.0):
                    return await anyio.to_thread.run_sync(self._read, call, abandon_on_cancel=True)
            except TimeoutError:
                raise DataplaneError(f"VPP's statistics at {self.path} cannot be read: no end of it") from None
            except (FileNotFoundError, ConnectionRefusedError, DataplaneError):
                raise
            except Exception as error:  # whatever the reader's parts raise over memory that is not what it should be
                what = str(error) or type(error).__name__
                raise DataplaneError(f"VPP's statistics at {self.path} cannot be read: {what}") from error

    def _read(self, call: Callable[[Segment], _T]) -> _T:
        self._segment.start_clock()
        return call(self._segment)

    def close(self) -> None:
        """Let go of the memory. A thread that still reads it fails, and nobody waits for it any more."""
        if not self._closed:
            self._closed = True
            self._segment.disconnect()


def boot_time_s(segment: Any) -> int:
    """When VPP started, seconds since the epoch."""
    return int(segment.scalar(BOOT_TIME))
