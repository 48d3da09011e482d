"""Large answers, made in slices, so that no reader holds the event loop: probes run in it.

Protocol buffers may be put together from pieces: a list is its items, each with the list's number and its length before
it, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import anyio.lowlevel
import attrs

from maglev.api import DataplaneSnapshot, DataplaneState, Snapshot
from maglev_grpc.convert import to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

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
    """One message as an item of a list, or as a field.

    Args:
        number: The field's number.
        payload: The message, serialised.
    """
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(payload)) + payload


class Slices:
    """Serialises messages one by one, and lets others run between."""

    def __init__(self) -> None:
        self._since_ns = time.perf_counter_ns()
        self._parts: list[bytes] = []

    async def add(self, number: int, values: Iterable[Any], make: Callable[[Any], Any] = to_message) -> Slices:
        """Add a list.

        Args:
            number: The field's number.
            values: What it holds.
            make: Makes the message of one of them.
        """
        for value in values:
            self._parts.append(item(number, make(value).SerializeToString()))
            if time.perf_counter_ns() - self._since_ns > _SLICE_NS:
                await anyio.lowlevel.checkpoint()
                self._since_ns = time.perf_counter_ns()
        return self

    def join(self, rest: bytes = b"") -> bytes:
        """Return the whole message.

        Args:
            rest: Its other fields, serialised.
        """
        return rest + b"".join(self._parts)


def _number(message: type[Any], field: str) -> int:
    number: int = message.DESCRIPTOR.fields_by_name[field].number
    return number


_SNAPSHOT = {name: _number(pb.Snapshot, name) for name in ("frontends", "backends", "healthchecks", "dataplane")}
_VIPS = _number(pb.DataplaneState, "vips")
_STATE = _number(pb.Dataplane, "state")


async def snapshot(value: Snapshot) -> bytes:
    """Everything at one moment, serialised."""
    bare = attrs.evolve(
        value,
        frontends={},
        backends={},
        healthchecks={},
        dataplane=attrs.evolve(value.dataplane, info=None, state=None, unmanaged=()),
    )
    message = to_message(bare)
    message.ClearField("dataplane")
    slices = Slices()
    await slices.add(_SNAPSHOT["frontends"], value.frontends.values())
    await slices.add(_SNAPSHOT["backends"], value.backends.values())
    await slices.add(_SNAPSHOT["healthchecks"], value.healthchecks.values())
    return slices.join(message.SerializeToString()) + item(_SNAPSHOT["dataplane"], await _dataplane(value.dataplane))


async def _dataplane(value: DataplaneSnapshot) -> bytes:
    message: pb.Dataplane = to_message(attrs.evolve(value, state=None))
    if value.state is None:
        return message.SerializeToString()
    return message.SerializeToString() + item(_STATE, await dataplane_state(value.state))


async def dataplane_state(value: DataplaneState) -> bytes:
    """What a dataplane holds, serialised."""
    slices = Slices()
    await slices.add(
        _VIPS, value.vips.items(), lambda pair: to_message(DataplaneState(dict([pair]), value.conf)).vips[0]
    )
    return slices.join(to_message(attrs.evolve(value, vips={})).SerializeToString())


async def listed(message: type[Any], field: str, values: Mapping[str, Any]) -> bytes:
    """A message that is one list, serialised.

    Args:
        message: Its class.
        field: The list's name in it.
        values: What the list holds.
    """
    return (await Slices().add(_number(message, field), values.values())).join()
