"""Converts commands, filters and events to messages and back. A call is named like its command."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, cast

import attrs
from google.protobuf.message import Message

from maglev import api
from maglev_grpc.convert.messages import MESSAGES, from_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

COMMANDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in typing.get_args(api.Command)}
"""The command that each changing call is."""

_BY_REQUEST = {MESSAGES[kind].DESCRIPTOR.name: kind for kind in COMMANDS.values()}
_CHANGES = {
    field.message_type.name: field.name
    for field in pb.PreviewChangeRequest.DESCRIPTOR.oneofs_by_name["change"].fields
    if field.message_type is not None
}
"""The field of a preview's request that holds each request."""
_CLASSES = {kind.__name__: kind for kind in typing.get_args(api.Event)}
_KINDS: Mapping[str, type[Any]] = {
    field.name: _CLASSES[field.message_type.name]
    for field in pb.Event.DESCRIPTOR.oneofs_by_name["event"].fields
    if field.message_type is not None
}
"""The class of each kind of event: the field of the message that holds it is named like the kind."""
_LEVELS = ("debug", "info", "warning", "error", "critical")


def call_of(command: api.Command) -> str:
    """The name of the call that carries a command out."""
    return type(command).__name__


def request_of(command: api.Command) -> Any:
    """The request that asks for a command."""
    return to_message(command)


def command_of(request: Message) -> api.Command:
    """The command that a request asks for.

    Raises:
        ValueError: A field is not set that must be.
    """
    command: api.Command = from_message(_BY_REQUEST[request.DESCRIPTOR.name], request)
    return command


def preview_request(command: api.Command) -> pb.PreviewChangeRequest:
    """The request that asks what a command would do."""
    request = to_message(command)
    content: dict[str, Any] = {_CHANGES[request.DESCRIPTOR.name]: request}
    return pb.PreviewChangeRequest(**content)


def change_of(request: pb.PreviewChangeRequest) -> api.Command:
    """The command that a preview is asked of.

    Raises:
        ValueError: There is none, or a field of it is not set that must be.
    """
    field = request.WhichOneof("change")
    if field is None:
        raise ValueError("change is not set: a preview is of one changing call")
    return command_of(getattr(request, field))


def watch_request(
    wanted: api.EventFilter, initial: pb.InitialState = pb.INITIAL_STATE_UNSPECIFIED
) -> pb.WatchEventsRequest:
    """The request that asks for events."""
    request = cast("pb.WatchEventsRequest", to_message(wanted))
    request.initial_state = initial
    return request


def filter_of(request: pb.WatchEventsRequest) -> api.EventFilter:
    """Return the filter of a request for events.

    Raises:
        ValueError: A kind or a level that does not exist.
    """
    wanted = from_message(api.EventFilter, request)
    level = wanted.log_level.lower() or "info"
    if level not in _LEVELS:
        raise ValueError(f"log_level: {level[:20]!r} is not one of {', '.join(_LEVELS)}")
    return attrs.evolve(wanted, kinds=wanted.kinds or api.EventFilter().kinds, log_level=level)


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
