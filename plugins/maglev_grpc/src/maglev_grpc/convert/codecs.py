"""Converts single values: text, addresses, enumerations, and whatever a checker's options or a log record hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import attrs
from google.protobuf import struct_pb2
from google.protobuf.message import Message

from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

_EXACT = 2**53
"""Integers up to here are exact as the doubles that a `Struct` holds."""


class Missing(ValueError):
    """A field that must be set is not."""


@attrs.frozen
class Codec:
    """Converts one kind of value to the wire and back.

    Args:
        to_wire: Makes what a message's constructor takes.
        from_wire: Makes the value of what a message's field holds; `ValueError` if it makes no sense.
        items: For lists of messages: makes them one by one.
        is_message: Whether it travels as one message of ours.
    """

    to_wire: Callable[[Any], Any]
    from_wire: Callable[[Any], Any]
    items: Callable[[Any], Iterable[Message]] | None = None
    is_message: bool = False


def same(value: Any) -> Any:
    """Leave a value as it is."""
    return value


def text(value: str) -> str:
    """Replace lone surrogates (as in names of files that are not UTF-8), which protocol buffers cannot hold."""
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def enumeration(kind: type[Enum]) -> Codec:
    """An enumeration of `maglev.api`, by the names of its members."""
    wrapper: Any = getattr(pb, kind.__name__)
    prefix = wrapper.Name(0).removesuffix("UNSPECIFIED")
    numbers: dict[Enum, int] = {member: wrapper.Value(prefix + member.name) for member in kind}
    members = {number: member for member, number in numbers.items()}

    def from_wire(number: int) -> Enum:
        try:
            return members[number]
        except KeyError:
            raise ValueError(f"{number} is not in {kind.__name__}") from None

    return Codec(numbers.__getitem__, from_wire)


def by_value(kind: type[Enum]) -> Codec:
    """An enumeration that travels as text."""
    return Codec(lambda member: member.value, kind)


PLAIN = Codec(same, same)
TEXT = Codec(text, same)
ADDRESS = Codec(str, ip_address)
IPV4 = Codec(str, IPv4Address)
IPV6 = Codec(str, IPv6Address)


def to_struct(mapping: Mapping[str, Any]) -> struct_pb2.Struct:
    """Anything with text for keys as a `Struct`: JSON's kinds as they are, everything else as text."""
    struct = struct_pb2.Struct()
    struct.update(_to_json(mapping))
    return struct


def _to_json(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case int() if abs(value) <= _EXACT:
            return value
        case float() if math.isfinite(value):
            return value
        case Mapping():
            return {text(str(key)): _to_json(item) for key, item in value.items()}
        case set() | frozenset():
            return [_to_json(item) for item in sorted(value, key=str)]
        case list() | tuple():
            return [_to_json(item) for item in value]
        case _:
            return text(str(value))


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A `Struct` as plain Python values; numbers without a fraction are integers."""
    return {key: _from_value(item) for key, item in struct.items()}


def _from_value(value: Any) -> Any:
    match value:
        case float():
            return int(value) if value.is_integer() and abs(value) <= _EXACT else value
        case struct_pb2.Struct():
            return from_struct(value)
        case struct_pb2.ListValue():
            return [_from_value(item) for item in value]
        case _:
            return value


STRUCT = Codec(to_struct, from_struct)
