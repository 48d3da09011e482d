"""Hands numbered messages to any number of readers, with replay.

There is one ring of messages and no queue per reader: a reader is a number, that of the last message it has. A slow
reader costs nothing, and one that is too slow, or was away for too long, is told to fetch everything anew.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from itertools import islice

import anyio
import attrs

KEEP_S = 30.0
KEEP = 2000
_GATHER_S = 0.05
"""A reader that was woken waits so long for more: many small messages become one write."""
_AT_ONCE = 64 * 1024
"""Bytes of one write, or one message if that is longer."""


@attrs.frozen
class _Message:
    number: int
    at_s: float
    text: bytes


class Broker:
    """A ring of messages.

    Args:
        keep_s: For how long a message can be replayed, in seconds.
        keep: How many messages can be replayed.
        clock: Monotonic seconds.
    """

    def __init__(
        self, *, keep_s: float = KEEP_S, keep: int = KEEP, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.epoch = secrets.token_hex(4)
        """Differs at each start of the server, so that numbers of another start are recognised."""
        self.readers = 0
        self._keep_s = keep_s
        self._keep = keep
        self._clock = clock
        self._ring: deque[_Message] = deque()
        self._number = 0
        self._changed = anyio.Event()
        self._closed = False
        self._joined: tuple[tuple[int, int], int, bytes] = ((-1, -1), 0, b"")

    @property
    def position(self) -> str:
        """The id of the newest message."""
        return f"{self.epoch}-{self._number}"

    @property
    def earliest(self) -> str:
        """The id that all messages which are kept come after."""
        return f"{self.epoch}-{self._oldest - 1}"

    def publish(self, data: bytes) -> None:
        """Hand one message to all readers.

        Args:
            data: JSON without line breaks.
        """
        self._number += 1
        now = self._clock()
        self._ring.append(_Message(self._number, now, _sse("", self.position, data)))
        while len(self._ring) > self._keep or self._ring[0].at_s < now - self._keep_s:
            self._ring.popleft()
        self._wake()

    def close(self) -> None:
        """End the streams of all readers."""
        self._closed = True
        self._wake()

    async def follow(self, since: str | None = None) -> AsyncGenerator[bytes, None]:
        """Yield messages as they go over the wire, for ever.

        Args:
            since: The id of the last message that the reader has; `None` starts with the next one. After an id that
                is unknown, or too old, comes the event `reset` in place of what was missed.
        """
        self.readers += 1
        try:
            number = self._number if since is None else self._read(since)
            yield b"retry: 1000\n\n"
            while not self._closed:
                changed = self._changed
                if number is None or number < self._oldest - 1:
                    number = self._number
                    yield _sse("reset", self.position, b"{}")
                if number < self._number:
                    number, text = self._after(number)
                    yield text
                else:
                    await changed.wait()
                await anyio.sleep(_GATHER_S)
        finally:
            self.readers -= 1

    @property
    def _oldest(self) -> int:
        return self._ring[0].number if self._ring else self._number + 1

    def _read(self, since: str) -> int | None:
        epoch, _, text = since.partition("-")
        if epoch != self.epoch or not text.isascii() or not text.isdecimal() or len(text) > 18:
            return None
        return int(text) if int(text) <= self._number else None

    def _after(self, number: int) -> tuple[int, bytes]:
        """The messages after a number, some at once, and the number of the last of them."""
        key = (number, self._number)
        if self._joined[0] != key:
            texts, size = list[bytes](), 0
            for message in islice(self._ring, number + 1 - self._oldest, None):
                if texts and size + len(message.text) > _AT_ONCE:
                    break
                texts.append(message.text)
                size += len(message.text)
            # Readers that keep up are all at the same place, and share what is made for the first of them.
            self._joined = key, number + len(texts), b"".join(texts)
        return self._joined[1:]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _sse(event: str, number: str, data: bytes) -> bytes:
    named = f"event: {event}\n" if event else ""
    return f"id: {number}\n{named}data: ".encode() + data + b"\n\n"
