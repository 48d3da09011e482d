"""Frames of VPP's binary API on its unix stream socket: 16 bytes before each message, then the message."""

from __future__ import annotations

import struct

HEADER = struct.Struct(">QII")
"""A pointer of the sender's (meaningless to the other side), the length of the message in bytes, and zero."""
START = struct.Struct(">HI")
"""How replies and details start: the message's number and the context of the request."""
LONG_START = struct.Struct(">HII")
"""How requests start, and `sockclnt_create_reply`: the client's index comes before the context."""
RETVAL = struct.Struct(">i")
"""What follows in all replies but `sockclnt_create_reply`: zero, or a negative error."""
RETVAL_AT = START.size

LONGEST = 256 * 1024 * 1024
"""A longer message is no message: the longest real one is a dump of all routes as text."""


class WireError(ValueError):
    """The other side does not speak this protocol."""


def frame(message: bytes) -> bytes:
    """Put the header before a message."""
    return HEADER.pack(0, len(message), 0) + message


class Splitter:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = HEADER.size

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they came, and return the messages that are complete.

        Raises:
            WireError: A length that cannot be.
        """
        rest = self._rest
        rest += data
        if len(rest) < self._wanted:
            return []
        messages, at, size = [], 0, len(rest)
        while size - at >= HEADER.size:
            length = HEADER.unpack_from(rest, at)[1]
            if length > LONGEST:
                raise WireError(f"a message of {length} bytes")
            end = at + HEADER.size + length
            if end > size:
                self._wanted = end - at
                break
            messages.append(bytes(rest[at + HEADER.size : end]))
            at = end
        else:
            self._wanted = HEADER.size
        del rest[:at]
        return messages
