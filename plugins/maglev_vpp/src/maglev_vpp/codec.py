"""Splits VPP's byte stream into messages, and encodes and decodes them as one VPP defines them.

A header of 16 bytes precedes each message.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from maglev.api import DataplaneError
from maglev_vpp.definitions import Messages
from maglev_vpp.messages import SOCKCLNT_CREATE_ID, SOCKCLNT_CREATE_REPLY_ID

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


class Codec:
    """The serializers and message numbers of one VPP. Only two numbers are known before VPP sends its table."""

    def __init__(self, client_messages: Messages) -> None:
        self.messages: dict[str, Any] = dict(client_messages)
        self.numbers: dict[str, int] = {
            "sockclnt_create": SOCKCLNT_CREATE_ID,
            "sockclnt_create_reply": SOCKCLNT_CREATE_REPLY_ID,
        }
        self.client_index = 0

    def set_table(self, client_index: int, table: Mapping[str, int]) -> None:
        """Take over what VPP answers to a new client: its index, and the number of each message by `name_crc`."""
        self.client_index = client_index
        self.numbers |= {entry.rpartition("_")[0]: number for entry, number in table.items()}

    def decode(self, name: str, message: bytes) -> Any:
        """Decode a message.

        Raises:
            DataplaneError: It does not fit its definition.
        """
        try:
            return self.messages[name].unpack(message, ntc=True)[0]
        except Exception as error:  # vpp_papi raises what its parts raise, for bytes that fit no definition
            raise DataplaneError(f"VPP's {name} cannot be decoded: {type(error).__name__}: {error}") from error

    def encode(self, name: str, context: int, fields: Mapping[str, Any]) -> bytes:
        """Encode a message, with its frame."""
        head = {"_vl_msg_id": self.numbers[name], "client_index": self.client_index, "context": context}
        return frame(self.messages[name].pack({**fields, **head}))
