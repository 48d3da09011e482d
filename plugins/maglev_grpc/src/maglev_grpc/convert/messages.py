"""Values as messages and back, field by field: a value's fields and its message's fields bear the same names.

What travels how is read off the annotations of the values, once per class. Fields that a message has and its value has
not are either keys of a mapping (`KEYS`) or follow from other fields (`DERIVED`); a test holds the two sides together.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeVar

import attrs
from google.protobuf.message import Message

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

MESSAGES: Mapping[type[Any], type[Message]] = {
    api.BackendEvent: pb.BackendEvent,
    api.BackendPreview: pb.BackendPreview,
    api.BackendSnapshot: pb.Backend,
    api.CommandResult: pb.CommandResult,
    api.DataplaneConf: pb.DataplaneConf,
    api.DataplaneEvent: pb.DataplaneEvent,
    api.DataplaneInfo: pb.DataplaneInfo,
    api.DataplaneSnapshot: pb.Dataplane,
    api.DataplaneState: pb.DataplaneState,
    api.DisableBackend: pb.DisableBackendRequest,
    api.EnableBackend: pb.EnableBackendRequest,
    api.Flow: pb.Flow,
    api.FlowTrace: pb.FlowTrace,
    api.FrontendEvent: pb.FrontendEvent,
    api.FrontendPreview: pb.FrontendPreview,
    api.FrontendSnapshot: pb.Frontend,
    api.HealthCheckSnapshot: pb.HealthCheck,
    api.LagEvent: pb.LagEvent,
    api.LogEvent: pb.LogEvent,
    api.LoopLag: pb.LoopLag,
    api.MemberSnapshot: pb.Member,
    api.MessageCount: pb.MessageCount,
    api.PauseBackend: pb.PauseBackendRequest,
    api.Preview: pb.Preview,
    api.ProbeEvent: pb.ProbeEvent,
    api.ProbeResult: pb.ProbeResult,
    api.Problem: pb.Problem,
    api.ReloadConfig: pb.ReloadConfigRequest,
    api.ResetBackend: pb.ResetBackendRequest,
    api.ResetFrontendPoolBackendWeight: pb.ResetFrontendPoolBackendWeightRequest,
    api.ResumeBackend: pb.ResumeBackendRequest,
    api.ServerState: pb.ServerState,
    api.SetFrontendPoolBackendWeight: pb.SetFrontendPoolBackendWeightRequest,
    api.Shares: pb.Shares,
    api.Snapshot: pb.Snapshot,
    api.SyncDataplane: pb.SyncDataplaneRequest,
    api.SyncEvent: pb.SyncEvent,
    api.Transition: pb.Transition,
    api.VipAttributes: pb.VipAttributes,
    api.VipCounters: pb.VipCounters,
    api.VipKey: pb.VipKey,
    api.VipState: pb.VipState,
    api.WeightEvent: pb.WeightEvent,
    Info: pb.Info,
}
"""The message of each value."""

KEYS: Mapping[type[Any], str] = {
    api.BackendSnapshot: "name",
    api.FrontendSnapshot: "name",
    api.HealthCheckSnapshot: "name",
    api.ServerState: "address",
    api.VipState: "vip",
}
"""Mappings travel as lists; this field of the items holds the key."""

DERIVED: Mapping[type[Any], Callable[[Any], dict[str, Any]]] = {
    api.ProbeResult: lambda result: {
        "ok": result.ok,
        "layer": result.layer.value,
        "verdict": result.verdict.value,
    },
}
"""Fields of messages that follow from others, for readers who do not know the rules."""

_UNSENT = {"kind"}
"""What the class of an event says."""

_PLAIN: Mapping[Any, Codec] = {
    str: TEXT,
    int: PLAIN,
    float: PLAIN,
    bool: PLAIN,
    IPv4Address: IPV4,
    IPv6Address: IPV6,
    IPv4Address | IPv6Address: ADDRESS,
    api.Code: by_value(api.Code),
}


@attrs.frozen
class _Field:
    name: str
    codec: Codec
    optional: bool
    checked: bool
    """Whether the wire tells unset from zero."""


def to_message(value: Any) -> Any:
    """Make the message of a value.

    Args:
        value: Of a class in `MESSAGES`.
    """
    message, fields, derived = _plan(type(value))
    content = {} if derived is None else derived(value)
    for field in fields:
        item = getattr(value, field.name)
        if item is not None:
            content[field.name] = field.codec.to_wire(item)
    return message(**content)


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
    for field in _plan(kind)[1]:
        if field.checked and not message.HasField(field.name):
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


_Plan = tuple[type[Message], tuple[_Field, ...], Callable[[Any], dict[str, Any]] | None]
_plans: dict[type[Any], _Plan] = {}


def _plan(kind: type[Any]) -> _Plan:
    plan = _plans.get(kind)
    if plan is None:
        plan = _plans[kind] = _make_plan(kind)
    return plan


def _make_plan(kind: type[Any]) -> _Plan:
    message = MESSAGES[kind]
    hints = typing.get_type_hints(kind)
    described = message.DESCRIPTOR.fields_by_name
    fields = []
    for attribute in attrs.fields(kind):
        if attribute.name in _UNSENT:
            continue
        hint, optional = _without_none(hints[attribute.name])
        fields.append(_Field(attribute.name, _codec(hint), optional, described[attribute.name].has_presence))
    return message, tuple(fields), DERIVED.get(kind)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    rest = functools.reduce(lambda one, other: one | other, members)
    return rest, len(members) < len(typing.get_args(hint))


def _codec(hint: Any) -> Codec:
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return TEXT
    if origin in (tuple, frozenset):
        return _listed(origin, _codec(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _mapped(*arguments)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return enumeration(hint)
    return Codec(to_message, functools.partial(from_message, hint))


def _listed(container: Callable[[Any], Any], item: Codec) -> Codec:
    def to_wire(values: Any) -> list[Any]:
        made = [item.to_wire(value) for value in values]
        return sorted(made) if container is frozenset else made

    return Codec(to_wire, lambda values: container(item.from_wire(value) for value in values))


def _mapped(key: Any, value: Any) -> Codec:
    if value is Any:
        return STRUCT
    keys = _codec(key)
    if value not in KEYS:
        return Codec(
            lambda mapping: {keys.to_wire(k): v for k, v in mapping.items()},
            lambda mapping: {keys.from_wire(k): v for k, v in mapping.items()},
        )
    return _keyed(keys, value, KEYS[value])


def _keyed(keys: Codec, kind: type[Any], name: str) -> Codec:
    def to_wire(mapping: Mapping[Any, Any]) -> list[Message]:
        items = []
        for key, value in mapping.items():
            item, sent = to_message(value), keys.to_wire(key)
            if isinstance(sent, Message):
                getattr(item, name).CopyFrom(sent)
            else:
                setattr(item, name, sent)
            items.append(item)
        return items

    return Codec(
        to_wire,
        lambda items: {keys.from_wire(getattr(item, name)): from_message(kind, item) for item in items},
    )
