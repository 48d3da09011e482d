"""How one VPP is spoken to: the numbers that it gives to messages, and the serializers of their definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maglev.api import DataplaneError
from maglev_vpp.definitions import Messages
from maglev_vpp.messages import SOCKCLNT_CREATE_ID, SOCKCLNT_CREATE_REPLY_ID
from maglev_vpp.wire import frame


class Speech:
    """What was learnt of one VPP; at first nothing but the numbers of its welcome."""

    def __init__(self) -> None:
        self.messages: dict[str, Any] = {}
        self.ids: dict[str, int] = {
            "sockclnt_create": SOCKCLNT_CREATE_ID,
            "sockclnt_create_reply": SOCKCLNT_CREATE_REPLY_ID,
        }
        self.client_index = 0

    def learn(self, messages: Messages, ids: Mapping[str, int]) -> None:
        """Add definitions, and the numbers that this VPP gives to them."""
        self.messages.update(messages)
        self.ids.update({name: ids[name] for name in messages if name in ids})

    def read(self, name: str, message: bytes) -> Any:
        """Read a message.

        Raises:
            DataplaneError: It is not what its definition says.
        """
        try:
            return self.messages[name].unpack(message, ntc=True)[0]
        except Exception as error:  # vpp_papi raises what its parts raise, for bytes that fit no definition
            raise DataplaneError(f"VPP's {name} cannot be understood: {type(error).__name__}: {error}") from error

    def encode(self, name: str, context: int, fields: Mapping[str, Any]) -> bytes:
        """Write a message with its frame."""
        head = {"_vl_msg_id": self.id_of(name), "client_index": self.client_index, "context": context}
        return frame(self.messages[name].pack({**fields, **head}))

    def id_of(self, name: str) -> int:
        """The number of a message in this VPP.

        Raises:
            DataplaneError: It has none.
        """
        try:
            return self.ids[name]
        except KeyError:
            raise DataplaneError(f"this VPP has no message {name}") from None
