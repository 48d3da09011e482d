"""Converts values to messages and back, field by field, by the names of the fields, which are the same in both.

Nothing is listed here: a new class of `maglev.api`, or a new field, needs its message in the `.proto` and nothing else.

- The message of a class has the class's name, without `Snapshot` or with `Request` behind it.
- What travels how follows from the annotations of the class and from the fields of the message, once per class.
- A mapping of values travels as a list of them; the first field of the item's message is the key.
- A property that is a field of the message is sent, for readers who do not know the rule behind it, and not read.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeVar

import attrs
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from maglev import api
from maglev_grpc.convert.codecs import (
    ADDRESS,
    IPV4,
    IPV6,
    PLAIN,
    STRUCT,
    TEXT,
    Codec,
    Missing,
    by_value,
    enumeration,
)
from maglev_grpc.convert.info import Info
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

T = TypeVar("T")

_OTHERWISE_NAMED: Mapping[str, str] = {"EventFilter": "WatchEventsRequest"}


def _message_of(kind: type[Any]) -> type[Message] | None:
    name = _OTHERWISE_NAMED.get(kind.__name__, kind.__name__)
    for candidate in (name, name.removesuffix("Snapshot"), f"{name}Request"):
        described = pb.DESCRIPTOR.message_types_by_name.get(candidate)
        if described is not None:
            return GetMessageClass(described)
    return None


def _classes() -> list[type[Any]]:
    public = [getattr(api, name) for name in api.__all__]
    return [kind for kind in public if isinstance(kind, type) and attrs.has(kind)] + [Info]


MESSAGES: Mapping[type[Any], type[Message]] = {
    kind: message for kind in _classes() if (message := _message_of(kind)) is not None
}
"""The message of each class that travels."""

_PLAIN: Mapping[Any, Codec] = {
    str: TEXT,
    int: PLAIN,
    float: PLAIN,
    bool: PLAIN,
    IPv4Address: IPV4,
    IPv6Address: IPV6,
    IPv4Address | IPv6Address: ADDRESS,
}


@attrs.frozen
class Field:
    """How to convert one field: its name on both sides, its number in the message, and whether it may be `None`."""

    name: str
    number: int
    codec: Codec
    optional: bool = False
    has_presence: bool = False
    """Whether the wire tells unset from zero."""


@attrs.frozen
class Plan:
    """How to convert the values of one class."""

    message: type[Message]
    fields: tuple[Field, ...]
    properties: tuple[Field, ...]


def to_message(value: Any) -> Any:
    """Make the message of a value."""
    plan = plan_of(type(value))
    content: dict[str, Any] = {}
    for field in plan.fields:
        item = getattr(value, field.name)
        if item is not None:
            content[field.name] = field.codec.to_wire(item)
    for field in plan.properties:
        content[field.name] = field.codec.to_wire(getattr(value, field.name))
    return plan.message(**content)


def from_message(kind: type[T], message: Message) -> T:
    """Make a value of its message.

    Args:
        kind: The class of the value.
        message: Of the class that `MESSAGES` gives for it.

    Raises:
        Missing: A field that must be set is not.
        ValueError: What a field holds makes no sense; the text begins with the field's name.
    """
    content: dict[str, Any] = {}
    for field in plan_of(kind).fields:
        if field.has_presence and not message.HasField(field.name):
            if not field.optional:
                raise Missing(f"{field.name} is not set")
            content[field.name] = None
            continue
        try:
            content[field.name] = field.codec.from_wire(getattr(message, field.name))
        except Missing:
            raise
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from error
    return kind(**content)


def _make_plan(kind: type[Any]) -> Plan:
    message = MESSAGES[kind]
    described = message.DESCRIPTOR.fields_by_name
    hints = typing.get_type_hints(kind)
    # What is not an argument of the constructor follows from the class, as the kind of an event.
    names = [attribute.name for attribute in attrs.fields(kind) if attribute.init]
    fields = [_field(described[name], hints[name]) for name in names]
    properties = [_property(described[name], kind) for name in described if hasattr(kind, name) and name not in names]
    return Plan(message, tuple(fields), tuple(properties))


_plans: dict[type[Any], Plan] = {}


def plan_of(kind: type[Any]) -> Plan:
    """Return how to convert the values of a class in `MESSAGES`."""
    plan = _plans.get(kind)
    if plan is None:
        plan = _plans[kind] = _make_plan(kind)
    return plan


def _field(described: Any, hint: Any) -> Field:
    hint, optional = _without_none(hint)
    return Field(described.name, described.number, _codec(hint, described), optional, described.has_presence)


def _property(described: Any, kind: type[Any]) -> Field:
    hint = typing.get_type_hints(getattr(kind, described.name).fget)["return"]
    return Field(described.name, described.number, _codec(hint, described))


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    rest = functools.reduce(lambda one, other: one | other, members)
    return rest, len(members) < len(typing.get_args(hint))


def _codec(hint: Any, described: Any) -> Codec:
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return TEXT
    if origin in (tuple, frozenset):
        return _list(origin, _codec(arguments[0], described))
    if origin is not None and issubclass(origin, Mapping):
        key, value = arguments
        return _mapping(key, value, described)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return enumeration(hint) if described.enum_type else by_value(hint)
    return Codec(to_message, functools.partial(from_message, hint), is_message=True)


def _list(container: Callable[[Any], Any], item: Codec) -> Codec:
    def to_wire(values: Any) -> list[Any]:
        made = [item.to_wire(value) for value in values]
        return sorted(made) if container is frozenset else made

    def from_wire(values: Any) -> Any:
        return container(item.from_wire(value) for value in values)

    return Codec(to_wire, from_wire, functools.partial(map, to_message) if item.is_message else None)


def _mapping(key: Any, value: Any, described: Any) -> Codec:
    if value is Any:
        return STRUCT
    first = described.message_type.fields[0]
    keys = _codec(key, first)
    if value not in MESSAGES:
        return Codec(
            lambda mapping: {keys.to_wire(k): v for k, v in mapping.items()},
            lambda mapping: {keys.from_wire(k): v for k, v in mapping.items()},
        )

    def items(mapping: Mapping[Any, Any]) -> Iterator[Message]:
        return (_with_key(to_message(item), first.name, keys.to_wire(k)) for k, item in mapping.items())

    def from_wire(messages: Any) -> dict[Any, Any]:
        return {keys.from_wire(getattr(one, first.name)): from_message(value, one) for one in messages}

    return Codec(lambda mapping: list(items(mapping)), from_wire, items)


def _with_key(item: Message, name: str, key: Any) -> Message:
    if isinstance(key, Message):
        getattr(item, name).CopyFrom(key)
    else:
        setattr(item, name, key)
    return item
