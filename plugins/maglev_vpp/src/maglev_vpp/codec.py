"""Encodes and decodes the messages of one VPP, by the numbers and definitions that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maglev.api import DataplaneError
from maglev_vpp.definitions import Messages
from maglev_vpp.framing import frame
from maglev_vpp.messages import SOCKCLNT_CREATE_ID, SOCKCLNT_CREATE_REPLY_ID


class Codec:
    """The serializers and message numbers of one VPP. Only two numbers are known before VPP sends its table.

    Args:
        client_messages: The messages by which a client registers.
    """

    def __init__(self, client_messages: Messages) -> None:
        self.messages: dict[str, Any] = dict(client_messages)
        self.numbers: dict[str, int] = {
            "sockclnt_create": SOCKCLNT_CREATE_ID,
            "sockclnt_create_reply": SOCKCLNT_CREATE_REPLY_ID,
        }
        self.client_index = 0

    def set_table(self, client_index: int, table: Mapping[str, int]) -> None:
        """Take over what VPP answers to a new client.

        Args:
            client_index: The client's index, which each request must have.
            table: The number of each message, by `name_crc`.
        """
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
