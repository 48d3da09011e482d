"""Splits VPP's byte stream into messages. A header of 16 bytes precedes each message."""

from __future__ import annotations

import struct

HEADER = struct.Struct(">QII")
"""A pointer of the sender (meaningless to the receiver), the length of the message in bytes, and zero."""
REPLY_START = struct.Struct(">HI")
"""The start of replies and details: message number, context of the request."""
REQUEST_START = struct.Struct(">HII")
"""The start of requests, and of `sockclnt_create_reply`: message number, client index, context."""
RETVAL = struct.Struct(">i")
"""Follows `REPLY_START` in all replies but `sockclnt_create_reply`: zero, or a negative error number."""

MAX_LENGTH = 256 * 1024 * 1024
"""The longest message accepted, in bytes. The longest real one is a dump of all routes as text."""


class FramingError(ValueError):
    """The peer does not speak this protocol."""


def frame(message: bytes) -> bytes:
    """Put the header before a message."""
    return HEADER.pack(0, len(message), 0) + message


def retval_of(reply: bytes) -> int | None:
    """Read the return value of a reply; `None` if it is too short to have one."""
    at = REPLY_START.size
    if len(reply) < at + RETVAL.size:
        return None
    retval: int = RETVAL.unpack_from(reply, at)[0]
    return retval


class Splitter:
    """Splits a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = HEADER.size

    def feed(self, data: bytes) -> list[bytes]:
        """Add received bytes, and return the messages that are complete.

        Raises:
            FramingError: A header announces an impossible length.
        """
        buffer = self._buffer
        buffer += data
        if len(buffer) < self._needed:
            return []
        messages, at, size = [], 0, len(buffer)
        self._needed = HEADER.size
        while size - at >= HEADER.size:
            length = HEADER.unpack_from(buffer, at)[1]
            if length > MAX_LENGTH:
                raise FramingError(f"a message of {length} bytes")
            end = at + HEADER.size + length
            if end > size:
                self._needed = end - at
                break
            messages.append(bytes(buffer[at + HEADER.size : end]))
            at = end
        del buffer[:at]
        return messages
