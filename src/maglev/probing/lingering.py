"""Hears peers out after the verdict, so that they need not complain of a connection that was reset under their hands.

A probe's connection is closed when its peer has closed: then it is the peer that keeps the pair of ports in TIME_WAIT,
and closing costs a packet or two. Where the peer waits for us to close, it is sent a FIN and then a reset: it reads an
orderly end, and this host is left without a TIME_WAIT, which at thousands a second would use up memory and local ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from maglev.probing.job import ScheduledJob

SWEEP_NS = 50_000_000
"""How often those that linger are looked at."""
MOST = 1_024
"""How many connections may linger at once: beyond that, the oldest are closed."""
MOST_BYTES = 65_536
"""How much is read of what a peer says after the verdict."""


class Lingering(Protocol):
    """A connection whose peer is being heard out."""

    scheduled: ScheduledJob

    def sweep(self, now_ns: int) -> None:
        """Look whether it has lasted long enough."""
        ...

    def abandon(self) -> None:
        """Close it at once."""
        ...


class LingeringSet:
    """The connections that outlive their probes: few, and not for long.

    Args:
        clock_ns: The monotonic clock.
    """

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._waiting: dict[Lingering, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connection: Lingering) -> None:
        """Look after a connection, until `discard`."""
        self._waiting[connection] = None
        if len(self._waiting) > MOST:
            next(iter(self._waiting)).abandon()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_NS / 1e9, self._sweep)

    def discard(self, connection: Lingering) -> None:
        """Forget a connection that is about to be closed."""
        self._waiting.pop(connection, None)

    def abandon(self, scheduled: ScheduledJob | None = None) -> None:
        """Close all at once, or those of one job."""
        for connection in list(self._waiting):
            if scheduled is None or connection.scheduled is scheduled:
                connection.abandon()

    def close(self) -> None:
        """Close all, and stop looking."""
        self.abandon()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        now_ns = self._clock_ns()
        for connection in list(self._waiting):
            connection.sweep(now_ns)
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_NS / 1e9, self._sweep)
