"""How single values travel: text, addresses, enumerations, and whatever a checker's options or a log record hold."""

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
    """How one kind of value travels.

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
    """Make a string fit for the wire, which takes no lone surrogates (as in names of files that are not UTF-8)."""
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def enumeration(kind: type[Enum]) -> Codec:
    """An enumeration of `maglev.api`, by the names of its members.

    Args:
        kind: Its class; the message's enumeration has the same name.
    """
    wrapper: Any = getattr(pb, kind.__name__)
    prefix = wrapper.Name(0).removesuffix("UNSPECIFIED")
    numbers: dict[Enum, int] = {member: wrapper.Value(prefix + member.name) for member in kind}
    members = {number: member for member, number in numbers.items()}

    def from_wire(number: int) -> Enum:
        try:
            return members[number]
        except KeyError:
            raise ValueError(f"{number} is no {kind.__name__}") from None

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
    for key, value in mapping.items():
        struct.fields[text(str(key))].CopyFrom(_to_value(value))
    return struct


def _to_value(value: Any) -> struct_pb2.Value:
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() if abs(value) <= _EXACT:
            return struct_pb2.Value(number_value=value)
        case float() if math.isfinite(value):
            return struct_pb2.Value(number_value=value)
        case Mapping():
            return struct_pb2.Value(struct_value=to_struct(value))
        case list() | tuple() | set() | frozenset():
            items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_to_value(item) for item in items]))
        case _:
            return struct_pb2.Value(string_value=text(str(value)))


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A `Struct` as plain Python values; numbers without a fraction are integers."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "bool_value":
            return value.bool_value
        case "string_value":
            return value.string_value
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case _:
            return None


STRUCT = Codec(to_struct, from_struct)
