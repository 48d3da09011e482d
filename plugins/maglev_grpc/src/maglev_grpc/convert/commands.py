"""Commands as the requests that ask for them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from maglev import api
from maglev_grpc.convert.messages import MESSAGES, from_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

_CALLS: Mapping[type[Any], tuple[str, str]] = {
    api.PauseBackend: ("PauseBackend", "pause_backend"),
    api.ResumeBackend: ("ResumeBackend", "resume_backend"),
    api.EnableBackend: ("EnableBackend", "enable_backend"),
    api.DisableBackend: ("DisableBackend", "disable_backend"),
    api.ResetBackend: ("ResetBackend", "reset_backend"),
    api.SetFrontendPoolBackendWeight: ("SetFrontendPoolBackendWeight", "set_frontend_pool_backend_weight"),
    api.ResetFrontendPoolBackendWeight: ("ResetFrontendPoolBackendWeight", "reset_frontend_pool_backend_weight"),
    api.SyncDataplane: ("SyncDataplane", "sync_dataplane"),
    api.ReloadConfig: ("ReloadConfig", "reload_config"),
}
"""The call that each command is, and the field of a preview's request that holds it."""

COMMANDS: Mapping[str, type[Any]] = {call: kind for kind, (call, _field) in _CALLS.items()}
"""The command that each changing call is."""

_BY_REQUEST: Mapping[type[Message], type[Any]] = {MESSAGES[kind]: kind for kind in _CALLS}


def call_of(command: api.Command) -> str:
    """The name of the call that carries a command out."""
    return _CALLS[type(command)][0]


def request_of(command: api.Command) -> Any:
    """The request that asks for a command."""
    return to_message(command)


def command_of(request: Message) -> api.Command:
    """The command that a request asks for.

    Raises:
        ValueError: A field is not set that must be.
    """
    command: api.Command = from_message(_BY_REQUEST[type(request)], request)
    return command


def preview_request(command: api.Command) -> pb.PreviewChangeRequest:
    """The request that asks what a command would do."""
    content: dict[str, Any] = {_CALLS[type(command)][1]: to_message(command)}
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
