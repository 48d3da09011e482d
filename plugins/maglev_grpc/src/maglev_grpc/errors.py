"""Errors of calls, the same ones on both ends: on the wire each is a gRPC status with an `ErrorDetail`."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import grpc
from google.protobuf.message import DecodeError

from maglev import api
from maglev_grpc.convert.codecs import text
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

DETAIL_KEY = "maglev-error-bin"
LONGEST_MESSAGE = 1500
"""Characters of a message: it travels in the trailing metadata, for which clients keep 8 KiB, non-ASCII threefold."""
_LONGEST_NAME = 256
_ELLIPSIS = " … (cut)"


class ClientError(Exception):
    """A call failed, and not because the controller refused what it asked for."""


class Unavailable(ClientError):
    """There is no maglevd there, it is shutting down, the connection broke, or TLS could not be agreed on."""


class DeadlineExceeded(ClientError):
    """No answer came in time; a changing call may have been carried out nevertheless."""


class ResourceExhausted(ClientError):
    """A request was too large, an answer was, or there are too many watchers."""


class ServerFault(ClientError):
    """A fault in maglevd, or something on the other end that is no maglevd of this version."""


class PermissionDenied(api.CommandError):
    """Whoever asks may only read."""


@attrs.frozen
class _Kind:
    error: type[Exception]
    status: grpc.StatusCode
    reason: str


_NOT_FOUND = _Kind(api.UnknownName, grpc.StatusCode.NOT_FOUND, "unknown-name")
_KINDS = (
    _NOT_FOUND,
    _Kind(api.BadArgument, grpc.StatusCode.INVALID_ARGUMENT, "bad-argument"),
    _Kind(api.NotConnected, grpc.StatusCode.UNAVAILABLE, "not-connected"),
    _Kind(api.DataplaneError, grpc.StatusCode.UNAVAILABLE, "dataplane"),
    _Kind(PermissionDenied, grpc.StatusCode.PERMISSION_DENIED, "permission-denied"),
    _Kind(api.FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION, "failed-precondition"),
    _Kind(Unavailable, grpc.StatusCode.UNAVAILABLE, "shutting-down"),
    _Kind(DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED, "deadline-exceeded"),
    _Kind(ResourceExhausted, grpc.StatusCode.RESOURCE_EXHAUSTED, "resource-exhausted"),
    _Kind(ServerFault, grpc.StatusCode.INTERNAL, "internal"),
)
_BY_REASON = {kind.reason: kind.error for kind in _KINDS}
_BY_STATUS = {kind.status: kind.error for kind in _KINDS if issubclass(kind.error, ClientError)}


def shutting_down() -> Unavailable:
    """Make the error that ends streams at a shutdown."""
    return Unavailable("maglevd is shutting down")


def known(error: Exception) -> Exception | None:
    """Return an error as one that travels; `None` if it is a fault of the server's."""
    if isinstance(error, TimeoutError):
        return DeadlineExceeded("it took too long")
    if isinstance(error, tuple(kind.error for kind in _KINDS)):
        return error
    return api.FailedPrecondition(str(error)) if isinstance(error, api.CommandError) else None


def status_of(error: Exception) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Make of an error what the server answers: status, message, trailing metadata.

    Args:
        error: One that `known` returned.
    """
    kind = next(kind for kind in _KINDS if isinstance(error, kind.error))
    message = text(str(error))
    if len(message) > LONGEST_MESSAGE:
        message = message[:LONGEST_MESSAGE] + _ELLIPSIS
    detail = pb.ErrorDetail(reason=kind.reason)
    if isinstance(error, api.UnknownName):
        detail.kind, detail.name = error.kind, text(error.name[:_LONGEST_NAME])
        detail.nearest.extend(text(name) for name in error.nearest)
    return kind.status, message, ((DETAIL_KEY, detail.SerializeToString()),)


def error_of(error: grpc.aio.AioRpcError, target: str) -> Exception:
    """Turn what gRPC raises into what the server raised, or into a `ClientError`."""
    message = error.details() or error.code().name
    detail = _detail_in(error.trailing_metadata() or ())
    if detail is None:
        return _BY_STATUS.get(error.code(), ServerFault)(f"{target}: {message}")
    if detail.reason == _NOT_FOUND.reason:
        return api.UnknownName(detail.kind, detail.name, tuple(detail.nearest))
    return _BY_REASON.get(detail.reason, ServerFault)(message)


def _detail_in(metadata: Iterable[tuple[str, str | bytes]]) -> pb.ErrorDetail | None:
    for key, value in metadata:
        if key == DETAIL_KEY and isinstance(value, bytes):
            try:
                return pb.ErrorDetail.FromString(value)
            except DecodeError:
                return None
    return None
