"""Converts events to messages and back, each with its number."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import attrs

from maglev import api
from maglev_grpc.convert.messages import from_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

_CLASSES = {kind.__name__: kind for kind in typing.get_args(api.Event)}
_KINDS: Mapping[str, type[Any]] = {
    field.name: _CLASSES[field.message_type.name]
    for field in pb.Event.DESCRIPTOR.oneofs_by_name["event"].fields
    if field.message_type is not None
}
"""The class of each kind of event: the field of the message that holds it is named like the kind."""


@attrs.frozen
class Watched:
    """One event as a watcher gets it.

    Args:
        delivery: The event, its number, and how many were lost before it.
        initial: Whether it tells the present state rather than a change.
    """

    delivery: api.Delivery
    initial: bool = False


def event_message(sequence: int, event: api.Event, *, lost: int = 0, initial: bool = False) -> pb.Event:
    """Make the message of an event.

    Args:
        sequence: Its number.
        event: The event.
        lost: How many events the watcher lost just before it.
        initial: Whether it tells the present state rather than a change.
    """
    content: dict[str, Any] = {event.kind.value: to_message(event)}
    return pb.Event(sequence=sequence, lost=lost, initial=initial, **content)


def read_event(message: pb.Event) -> Watched:
    """Read an event's message.

    Raises:
        ValueError: It holds no event that is known here.
    """
    kind = message.WhichOneof("event")
    if kind is None:
        raise ValueError(f"event {message.sequence} is of no known kind")
    event = from_message(_KINDS[kind], getattr(message, kind))
    return Watched(api.Delivery(message.sequence, event, message.lost), message.initial)
