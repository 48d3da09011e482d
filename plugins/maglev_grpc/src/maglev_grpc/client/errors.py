"""gRPC's errors as those that the controller raised, or as one of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from maglev import api
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

_DETAIL = "maglev-error-bin"


class ClientError(Exception):
    """A call failed, and not because the controller refused what it asked for."""


class Unreachable(ClientError):
    """There is no maglevd there, the connection broke, or TLS could not be agreed on."""


class TooLong(ClientError):
    """No answer came in time; a changing call may have been carried out nevertheless."""


class ServerFault(ClientError):
    """A fault in maglevd, or something on the other end that is no maglevd of this version."""


class TooMuch(ClientError):
    """A request was too large, an answer was, or there are too many watchers."""


class NotAllowed(api.CommandError):
    """Whoever asks may only read."""


_COMMAND_ERRORS: Mapping[str, Callable[[str], Exception]] = {
    "bad-argument": api.BadArgument,
    "not-now": api.FailedPrecondition,
    "not-connected": api.NotConnected,
    "not-allowed": NotAllowed,
    "dataplane": api.DataplaneError,
    "closing": Unreachable,
    "too-many": TooMuch,
    "too-long": TooLong,
    "internal": ServerFault,
}

_BY_STATUS: Mapping[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: TooLong,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooMuch,
}


def error_of(error: grpc.aio.AioRpcError, target: str) -> Exception:
    """Turn what gRPC raises into what the controller raised, or into a `ClientError`.

    Args:
        error: What gRPC raised.
        target: The server, for messages.
    """
    message = error.details() or error.code().name
    detail = _detail_of(error)
    if detail is None:
        kind = _BY_STATUS.get(error.code(), ServerFault)
        return kind(f"{target}: {message}")
    if detail.reason == "unknown-name":
        return api.UnknownName(detail.kind, detail.name, tuple(detail.nearest))
    return _COMMAND_ERRORS.get(detail.reason, ServerFault)(message)


def _detail_of(error: grpc.aio.AioRpcError) -> pb.ErrorDetail | None:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAIL and isinstance(value, bytes):
            try:
                return pb.ErrorDetail.FromString(value)
            except DecodeError:
                return None
    return None
