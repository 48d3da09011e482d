"""Reads the head of an HTTP/1.x response, piece by piece, strictly, and no more of it than is needed.

Syntax: RFC 9112, sections 2 to 5. Where it lets a recipient be lenient (lines that end without CR, folded lines,
whitespace around names) this reader is not: other readers may read such an answer differently.
"""

from __future__ import annotations

import re

import attrs

LIMIT = 65_536
"""The most that a head may take, in bytes, with all interim answers before it."""
MAX_INTERIM = 8
"""The most interim (1xx) answers before the final one."""

_VERSION = b"HTTP/1."
_END = b"\r\n\r\n"
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\n]*)?\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")


class Malformed(Exception):
    """The peer broke the protocol. The message says how, without the peer's bytes."""


@attrs.frozen
class Head:
    """A final response's head.

    Args:
        minor: The minor version: 0 or 1.
        status: 100 to 999.
        lines: The header lines as they came, with their ends; see `fields`.
    """

    minor: int
    status: int
    lines: bytes

    def fields(self) -> dict[bytes, list[bytes]]:
        """Names in lower case, each with its values in order, without whitespace around them.

        Raises:
            Malformed: A line is no header line.
        """
        found: dict[bytes, list[bytes]] = {}
        for line in self.lines.split(b"\r\n") if self.lines else ():
            match = _FIELD.fullmatch(line)
            if match is None:
                raise Malformed("broke the protocol: a header line is malformed")
            found.setdefault(match[1].lower(), []).append(match[2].rstrip(b" \t"))
        return found


class HeadReader:
    """Takes bytes until the head of the final response is complete."""

    __slots__ = ("_buffer", "_interim", "_line_seen", "_room", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._room = LIMIT
        self._interim = 0
        self._line_seen = False

    @property
    def empty(self) -> bool:
        """Whether nothing has come yet."""
        return not self._buffer and self._room == LIMIT

    def take_rest(self) -> bytes:
        """The bytes behind the head: the beginning of the body. To be asked once."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def feed(self, data: bytes) -> Head | None:
        """Read on; returns the head once it is complete, else `None`.

        Raises:
            Malformed: This is no head, or too long a one. It would have been raised for the same bytes in any pieces.
        """
        self._buffer += data
        while True:
            self._check_first_line()
            end = self._buffer.find(_END, max(0, self._scanned - 3), self._room)
            if end < 0:
                self._scanned = len(self._buffer)
                if self._scanned >= self._room:
                    raise Malformed(f"broke the protocol: a head of more than {LIMIT // 1024} KiB")
                return None
            head = self._cut(end)
            if head.status >= 200 or head.status == 101:
                return head
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise Malformed(f"broke the protocol: more than {MAX_INTERIM} interim answers")

    def _check_first_line(self) -> None:
        """Refuse what cannot be a response as soon as that can be known."""
        if self._line_seen:
            return
        buffer = self._buffer
        if not _VERSION.startswith(buffer[: len(_VERSION)]):
            raise Malformed("broke the protocol: the answer is not HTTP/1")
        end = buffer.find(b"\n", self._scanned, self._room)
        if end >= 0:
            if not _STATUS_LINE.match(buffer):
                raise Malformed("broke the protocol: the status line is malformed")
            self._line_seen = True

    def _cut(self, end: int) -> Head:
        """Take the head that ends at an offset out of the buffer."""
        text = bytes(self._buffer[:end])
        first, _, lines = text.partition(b"\r\n")
        del self._buffer[: end + len(_END)]
        self._room -= end + len(_END)
        self._scanned = 0
        self._line_seen = False
        return Head(minor=first[7] - 48, status=int(first[9:12]), lines=lines)
