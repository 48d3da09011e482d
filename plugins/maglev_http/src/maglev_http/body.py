"""Reads the body of an HTTP/1.x response: at most 64 KiB of it, piece by piece.

Framing: RFC 9112, sections 6 and 7. What two readers could understand differently (a length and chunks, two lengths,
chunk sizes on lines that end in LF alone) is refused, as proxies in front of the backend should refuse it.
"""

from __future__ import annotations

import re

from maglev.patterns import MOST_TEXT
from maglev_http.head import Head, Malformed

LIMIT = MOST_TEXT
"""The most of a body that is read, in bytes."""
MAX_FRAMING = 16_384
"""The most that chunk sizes and extensions may take beside the content, in bytes: it bounds the CPU that chunks of a
byte each can cost us to some 4 ms a probe, less than a stall that makes other results void."""
_MAX_SIZE_LINE = 4_096
_LENGTH = re.compile(rb"[0-9]{1,18}")
_LENGTH_LINE = re.compile(rb"content-length[ \t]*:(.*)", re.IGNORECASE | re.DOTALL)
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


class Body:
    """Content while it arrives; this one ends when the connection does."""

    __slots__ = ("content",)

    ends_with_connection = True

    def __init__(self) -> None:
        self.content = bytearray()

    def feed(self, data: bytes) -> bool:
        """Read on; returns whether the body is complete, or `LIMIT` bytes of it are there.

        Raises:
            Malformed: The framing is wrong. It would have been raised for the same bytes in any pieces.
        """
        self.content += data[: LIMIT - len(self.content)]
        return len(self.content) >= LIMIT

    def progress(self) -> str:
        """The progress, for a detail."""
        return f"after {len(self.content)} bytes of the body"


class LengthBody(Body):
    """A body whose length was announced, however much that is."""

    __slots__ = ("length",)

    ends_with_connection = False

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def feed(self, data: bytes) -> bool:
        wanted = min(self.length, LIMIT)
        self.content += data[: wanted - len(self.content)]
        return len(self.content) >= wanted

    def progress(self) -> str:
        return f"after {len(self.content)} of {self.length} bytes of the body"


class ChunkedBody(Body):
    """A body in chunks. Trailers are left unread: nothing depends on them."""

    __slots__ = ("_buffer", "_framing", "_left", "_scanned")

    ends_with_connection = False

    def __init__(self) -> None:
        super().__init__()
        self._buffer = bytearray()
        self._scanned = 0
        self._left = 0
        """Bytes of this chunk still to come, its CRLF included; 0 before a size line."""
        self._framing = 0

    def feed(self, data: bytes) -> bool:
        self._buffer += data
        position = 0
        while position < len(self._buffer) and len(self.content) < LIMIT:
            step = self._data(position) if self._left else self._size_line(position)
            if step == 0:
                break
            position += step
            if step < 0:
                return True
        del self._buffer[:position]
        return len(self.content) >= LIMIT

    def _size_line(self, position: int) -> int:
        """Read a size line; how many bytes it took, 0 if it is incomplete, -1 if it ends the body."""
        end = self._buffer.find(b"\n", position + self._scanned, position + _MAX_SIZE_LINE)
        if end < 0:
            self._scanned = len(self._buffer) - position
            if self._scanned >= _MAX_SIZE_LINE:
                raise Malformed("broke the protocol: a chunk's size line is too long")
            return 0
        self._scanned = 0
        match = _SIZE_LINE.fullmatch(self._buffer, position, end + 1)
        if match is None:
            raise Malformed("broke the protocol: a chunk's size is malformed")
        self._framing += end + 1 - position
        if self._framing > MAX_FRAMING:
            raise Malformed("broke the protocol: more chunk sizes than content")
        size = int(match[1], 16)
        self._left = size + 2
        return end + 1 - position if size else -1

    def _data(self, position: int) -> int:
        """Read a chunk's content or the CRLF behind it; how many bytes were used up."""
        if self._left > 2:
            step = min(self._left - 2, len(self._buffer) - position)
            self.content += self._buffer[position : position + min(step, LIMIT - len(self.content))]
            self._left -= step
            return step
        if self._buffer[position] != b"\r\n"[2 - self._left]:
            raise Malformed("broke the protocol: a chunk is longer than its size says")
        self._left -= 1
        return 1


def length_of(head: Head) -> int | None:
    """The length that a head announces, whatever stands in its other lines; `None` where it announces none.

    Raises:
        Malformed: There are several that differ, or it is no number: such an answer is none (RFC 9112, 6.3).
    """
    return agreed_length([match[1] for line in head.unfolded() if (match := _LENGTH_LINE.fullmatch(line))])


def body_of(head: Head, method: str) -> Body | None:
    """Make a reader for the body behind a head, given the request's method; `None` where no body follows.

    Raises:
        Malformed: The head contradicts itself, or says what is not understood.
    """
    fields = head.fields()
    codings = fields.get(b"transfer-encoding")
    lengths = fields.get(b"content-length", [])
    if codings and lengths:
        raise Malformed("broke the protocol: both a length and a transfer coding")
    length = agreed_length(lengths)
    if codings and (head.minor == 0 or [coding.lower() for coding in codings] != [b"chunked"]):
        raise Malformed("broke the protocol: a transfer coding other than chunked, or in HTTP/1.0")
    if method == "HEAD" or head.status in (101, 204, 304):
        return None
    if codings:
        return ChunkedBody()
    return Body() if length is None else LengthBody(length)


def agreed_length(values: list[bytes]) -> int | None:
    """The number that all values of Content-Length are; `None` if there are none.

    Raises:
        Malformed: They differ, or are no numbers.
    """
    lengths = {length.strip(b" \t") for value in values for length in value.split(b",")}
    if len(lengths) > 1:
        raise Malformed("broke the protocol: several lengths that differ")
    if not all(_LENGTH.fullmatch(length) for length in lengths):
        raise Malformed("broke the protocol: the length is not a number")
    return int(lengths.pop()) if lengths else None
