"""Serialises large answers in slices, so that no reader blocks the event loop, in which probes run.

Protocol buffers may be put together from pieces: a list is its items, each with the list's number and its length before
it, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import anyio.lowlevel
from google.protobuf.message import Message

from maglev_grpc.convert import plan_of, to_message

_SLICE_NS = 2_000_000
_LENGTH_DELIMITED = 2
"""The wire type of messages and text (protocol buffers, "Encoding")."""


def varint(number: int) -> bytes:
    """A number of 0 or more, seven bits a byte, lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def item(number: int, payload: bytes) -> bytes:
    """One message, serialised, as an item of a list, or as a field."""
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(payload)) + payload


class _Slices:
    """Serialises messages one by one, and lets others run between."""

    def __init__(self) -> None:
        self._since_ns = time.perf_counter_ns()

    async def items(self, number: int, messages: Iterable[Message]) -> bytes:
        parts = []
        for message in messages:
            parts.append(item(number, message.SerializeToString()))
            if time.perf_counter_ns() - self._since_ns > _SLICE_NS:
                await anyio.lowlevel.checkpoint()
                self._since_ns = time.perf_counter_ns()
        return b"".join(parts)

    async def value(self, value: Any) -> bytes:
        plan = plan_of(type(value))
        small = {field.name: field.codec.to_wire(getattr(value, field.name)) for field in plan.properties}
        parts = []
        for field in plan.fields:
            held = getattr(value, field.name)
            if held is None:
                continue
            if field.codec.items is not None:
                parts.append(await self.items(field.number, field.codec.items(held)))
            elif field.codec.is_message:
                parts.append(item(field.number, await self.value(held)))
            else:
                small[field.name] = field.codec.to_wire(held)
        return plan.message(**small).SerializeToString() + b"".join(parts)


async def serialised(value: Any) -> bytes:
    """A large value of a class in `MESSAGES`, serialised."""
    return await _Slices().value(value)


async def listed(message: type[Any], values: Mapping[str, Any]) -> bytes:
    """A message whose only field is a list of these values, serialised."""
    return await _Slices().items(message.DESCRIPTOR.fields[0].number, map(to_message, values.values()))
