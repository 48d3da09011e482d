"""Reads the head of an HTTP/1.x response, piece by piece, and no more of it than is needed.

Syntax: RFC 9112, sections 2 to 5. Lines may end in LF alone (2.2), a header may go on over lines that begin with a
blank (5.2: a user agent must take each such break for a blank), the words of the status line may be parted by any
blanks (4), any minor version is taken as the highest known (RFC 9110, 2.5). Empty lines before the status line are
skipped, as RFC 9112, 2.2, asks of servers and HAProxy does. What two readers could understand differently is refused:
a blank before the colon (5.1), a CR or NUL within a line, a continuation of nothing.
"""

from __future__ import annotations

import re
from typing import cast

import attrs

LIMIT = 65_536
"""The most that a head may take, in bytes, with all interim answers before it."""
MAX_INTERIM = 8
"""The most interim (1xx) answers before the final one."""

_VERSION = b"HTTP/1."
_NOT_HTTP = "broke the protocol: the answer is not HTTP/1"
_BAD_LINE = "broke the protocol: the status line is malformed"
_END = re.compile(rb"\n\r?\n")
_BLANK_LINES = re.compile(rb"(?:\r?\n)*")
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])[ \t\v\f]+([1-9][0-9]{2})(?:[ \t\v\f][^\r\n]*)?\r?\n")
_REST = re.compile(rb"(?:[0-9](?:[ \t\v\f]+(?:[1-9](?:[0-9](?:[0-9](?:[ \t\v\f][^\r\n]*)?\r?)?)?)?)?)?")
"""What may stand behind `HTTP/1.` before the status line has ended."""
_BEGUN = 64
"""How much of a line that has not ended is looked at, in bytes: a line that comes in crumbs must not cost much."""
_FOLD = re.compile(rb"[ \t]*\n[ \t]+")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")


class Malformed(Exception):
    """The peer broke the protocol. The message says how, without the peer's bytes."""


@attrs.frozen
class Head:
    """A final response's head.

    Args:
        minor: The minor version, 0 to 9.
        status: 100 to 999.
        lines: The header lines, parted by LF, otherwise as they came; see `fields`.
    """

    minor: int
    status: int
    lines: bytes

    def unfolded(self) -> list[bytes]:
        """The header lines, each in one piece."""
        lines = self.lines
        if b"\n " in lines or b"\n\t" in lines:
            lines = _FOLD.sub(b" ", lines)
        return lines.split(b"\n") if lines else []

    def fields(self) -> dict[bytes, list[bytes]]:
        """Names in lower case, each with its values in order, without whitespace around them.

        Raises:
            Malformed: A line is no header line.
        """
        found: dict[bytes, list[bytes]] = {}
        for line in self.unfolded():
            match = _FIELD.fullmatch(line)
            if match is None:
                raise Malformed("broke the protocol: a header line is malformed")
            found.setdefault(match[1].lower(), []).append(match[2].rstrip(b" \t"))
        return found


class HeadReader:
    """Takes bytes until the head of the final response is complete."""

    __slots__ = ("_buffer", "_interim", "_line", "_room", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._room = LIMIT
        self._interim = 0
        self._line: re.Match[bytes] | None = None

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
            end = _END.search(self._buffer, max(0, self._scanned - 2), max(0, self._room))
            if end is None:
                self._scanned = len(self._buffer)
                if self._scanned >= self._room:
                    raise Malformed(f"broke the protocol: a head of more than {LIMIT // 1024} KiB")
                return None
            head = self._cut(end.start(), end.end())
            if head.status >= 200 or head.status == 101:
                return head
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise Malformed(f"broke the protocol: more than {MAX_INTERIM} interim answers")

    def _check_first_line(self) -> None:
        """Refuse what cannot be a response as soon as that can be known."""
        if self._line is not None:
            return
        buffer = self._buffer
        if blank := _BLANK_LINES.match(buffer).end():  # type: ignore[union-attr]  # it matches anything
            del buffer[:blank]
            self._room -= blank
            self._scanned = 0
        room = max(0, self._room)
        if buffer.find(b"\n", self._scanned, room) >= 0:
            self._line = _STATUS_LINE.match(bytes(buffer[: buffer.index(b"\n") + 1]))
            if self._line is None:
                raise Malformed(_NOT_HTTP if not buffer.startswith(_VERSION) else _BAD_LINE)
        elif not room or buffer == b"\r":  # too long, or of an empty line so far
            return
        elif not _VERSION.startswith(buffer[: len(_VERSION)]):
            raise Malformed(_NOT_HTTP)
        elif not _REST.fullmatch(buffer, len(_VERSION), min(_BEGUN, room)):
            raise Malformed(_BAD_LINE)

    def _cut(self, start: int, end: int) -> Head:
        """Take the head whose last line and empty line end at these offsets out of the buffer."""
        line = cast("re.Match[bytes]", self._line)
        text = bytes(self._buffer[line.end() : start]).removesuffix(b"\r").replace(b"\r\n", b"\n")
        del self._buffer[:end]
        self._room -= end
        self._scanned = 0
        self._line = None
        return Head(minor=int(line[1]), status=int(line[2]), lines=text)
