"""Writes lines in a thread of its own: who logs never waits for who reads.

A pipe that nobody empties, a terminal that is held and a file server that is gone block whoever writes to them. Here
that is the thread alone. What waits for it is bounded; lines beyond are lost and counted, and a line says how many as
soon as there is room again.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable, Sequence

MOST_WAITING = 8 * 1024 * 1024
"""How many bytes may wait. An outage of ten thousand backends logs some thirty thousand lines of 250 bytes at once."""
_AT_ONCE = 64 * 1024
"""How many bytes are written at once, so that room is made step by step."""

Sink = Callable[[Sequence[bytes]], object]


class LogWriter:
    """Takes lines without waiting, and writes them in their order.

    Once no room was left, lines are lost until half of it is free: so a slow reader gets long pieces without a gap, not
    a gap after each line.

    Args:
        sink: Writes lines, each with its end; may block for ever. An `OSError` means that they were not written.
        told: Makes the line that says how many lines were lost.
        most: How many bytes may wait.
        failed: Takes lines that were not written, and why; without it they count as lost.
    """

    def __init__(
        self,
        sink: Sink,
        told: Callable[[int], bytes],
        *,
        most: int = MOST_WAITING,
        failed: Callable[[Sequence[bytes], OSError], object] | None = None,
    ) -> None:
        self._sink = sink
        self._told = told
        self._most = most
        self._failed = failed
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self._lost = 0
        self._full = False
        self._closing = False
        # Its lock may be taken twice: a finaliser that runs while it is held may log.
        self._state = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """The number of lost lines that were not reported yet."""
        return self._lost

    def offer(self, make: Callable[[], bytes]) -> bool:
        """Take a line if there is room, without waiting; returns whether there was.

        Args:
            make: Makes the line; not called if there is no room.
        """
        with self._state:
            if self._full or self._closing:
                self._lost += 1
                return False
        line = make()
        with self._state:
            self._lines.append(line)
            self._waiting += len(line)
            if self._waiting >= self._most:
                self._full = True
            self._state.notify()
        return True

    def close(self, within_s: float) -> bool:
        """Take no more lines, and wait until those that wait are written, so many seconds at most; returns if they are.

        The thread does not keep the process from ending.
        """
        with self._state:
            self._closing = True
            self._state.notify()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while lines := self._take():
            written = self._write(lines)
            with self._state:
                self._waiting -= sum(map(len, lines))
                if self._full and self._waiting <= self._most // 2:
                    self._full = False
                lost = self._lost if written and not self._full else 0
            # Before the next lines: it stands where those that were lost would stand.
            if lost and self._write([self._told(lost)], again=False):
                with self._state:
                    self._lost -= lost

    def _take(self) -> list[bytes]:
        """Wait for lines and take some; none when it is closed and all is written."""
        with self._state:
            while not self._lines and not self._closing:
                self._state.wait()
            lines: list[bytes] = []
            size = 0
            while self._lines and size < _AT_ONCE:
                lines.append(self._lines.popleft())
                size += len(lines[-1])
            return lines

    def _write(self, lines: Sequence[bytes], *, again: bool = True) -> bool:
        try:
            self._sink(lines)
        except OSError as error:
            if again and self._failed is not None:
                self._failed(lines, error)
            elif again:
                with self._state:
                    self._lost += len(lines)
            return False
        return True


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it to a descriptor, at the pace of who reads, also where the descriptor is non-blocking.

    Raises:
        OSError: It cannot be written.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Standard error may be shared with a program that made it non-blocking.
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
