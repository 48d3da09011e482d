"""One epoll for all sockets of all probes, each registered once, edge-triggered, and never touched again.

The epoll descriptor itself becomes readable when any of its sockets is ready, and that is all that the event loop sees.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from typing import Protocol

from maglev.probing.timer import Timer

EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
INPUT_EDGES = select.EPOLLIN | select.EPOLLET
BATCH = 1023
"""How many ready sockets are asked for at once."""
MOST_UNREAD = 64
"""How many polls in a row may leave something unread before all others are called silent nevertheless."""


class Handler(Protocol):
    """The handler that is registered with a descriptor."""

    batch: int
    """Set by the poller: which batch of events was the latest when this was registered."""

    def ready(self, events: int) -> bool:
        """Do a bounded amount of work; return whether there may be more to read, so that it has another turn."""
        ...


class Poller:
    """Hands events to their handlers, a bounded number a turn.

    A batch of events may have events of probes that have ended: one handler can end another's probe, and the next
    socket made gets the same descriptor. So each handler remembers the batch that was current when it was registered,
    and events of that batch, or an older one, are not its own.
    """

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._epoll = select.epoll()
        self._register = self._epoll.register
        self._handlers: dict[int, Handler] = {}
        self._batch: list[tuple[int, int]] = []
        self._serial = 0
        self._full = False
        self.polled_ns = 0
        """When the last poll was made: what is handed out now had come by then."""
        self._unread = 0
        self._again: deque[tuple[int, int, Handler]] = deque()
        self.had_events = False
        """Whether the last `dispatch` had anything to hand out."""
        self.timer = Timer()
        self._register(self.timer.fd, INPUT_EDGES)

    @property
    def fd(self) -> int:
        """The descriptor to wait for."""
        return self._epoll.fileno()

    @property
    def busy(self) -> bool:
        """Whether work is left over from this turn."""
        return bool(self._batch or self._again or self._full)

    @property
    def watched(self) -> int:
        """The number of registered descriptors."""
        return len(self._handlers)

    def add(self, fd: int, handler: Handler, edges: int = EDGES) -> None:
        """Register a descriptor.

        Raises:
            OSError: The kernel has no memory or watches left.
        """
        self._register(fd, edges)
        handler.batch = self._serial
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Handle no more events of a descriptor that is about to be closed. Closing it removes it from the epoll."""
        self._handlers.pop(fd, None)

    def dispatch(self, limit: int) -> int | None:
        """Poll, unless events of the last poll are left over, and hand out at most `limit` events.

        Returns:
            The time of the last poll, if all that was ready then has been read: probes without an event may be
            expired as of that time. `None` if something is left.
        """
        if self._again:
            self._read_on(limit)
        if not self._batch:
            self._poll()
        batch = self._batch
        self.had_events = bool(batch)
        handlers = self._handlers
        serial = self._serial
        for _ in range(min(limit, len(batch))):
            fd, events = batch.pop()
            handler = handlers.get(fd)
            if handler is not None and handler.batch != serial and handler.ready(events):
                self._again.append((fd, events, handler))
        if batch:
            return None
        # There may be more ready sockets than one poll gives, and more answers in a shared one than a turn reads. But
        # what never runs dry may not hold up the rest; the kernel gives ready sockets in turn, so all had theirs.
        self._unread = self._unread % MOST_UNREAD + 1 if self._full or self._again else 0
        return None if 0 < self._unread < MOST_UNREAD else self.polled_ns

    def close(self) -> None:
        """Close the epoll and the timer; may be called twice."""
        self._handlers.clear()
        self._batch.clear()
        self._again.clear()
        self.timer.close()
        self._epoll.close()

    def _poll(self) -> None:
        self.polled_ns = self._clock_ns()
        self._batch = self._epoll.poll(0, BATCH)
        self._full = len(self._batch) == BATCH
        self._batch.reverse()
        self._serial += 1

    def _read_on(self, limit: int) -> None:
        again = self._again
        for _ in range(min(limit, len(again))):
            fd, events, handler = again.popleft()
            if self._handlers.get(fd) is handler and handler.ready(events):
                again.append((fd, events, handler))
