"""Converts commands to the requests that ask for them, and back; a call is named like its command."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

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
