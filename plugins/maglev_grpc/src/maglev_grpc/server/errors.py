"""Errors as gRPC's status codes, each with an `ErrorDetail` from which the client makes the error again."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import grpc

from maglev import api
from maglev_grpc.convert.codecs import text
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

DETAIL_KEY = "maglev-error-bin"
LONGEST_MESSAGE = 1500
"""Characters of a message: it travels in the trailing metadata, for which clients keep 8 KiB, non-ASCII threefold."""
_LONGEST_NAME = 256
_ELLIPSIS = " … (cut)"


class Refused(Exception):
    """A call that is answered with an error.

    Args:
        status: gRPC's status.
        message: For people.
        detail: For programs.
    """

    def __init__(self, status: grpc.StatusCode, message: str, detail: pb.ErrorDetail) -> None:
        super().__init__(message)
        self.status = status
        self.message = message if len(message) <= LONGEST_MESSAGE else message[:LONGEST_MESSAGE] + _ELLIPSIS
        self.detail = detail

    @property
    def metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The trailing metadata that carries the detail."""
        return ((DETAIL_KEY, self.detail.SerializeToString()),)


@attrs.frozen
class _Kind:
    error: type[Exception]
    status: grpc.StatusCode
    reason: str


_KINDS: Sequence[_Kind] = (
    _Kind(api.BadArgument, grpc.StatusCode.INVALID_ARGUMENT, "bad-argument"),
    _Kind(api.FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION, "not-now"),
    _Kind(api.NotConnected, grpc.StatusCode.UNAVAILABLE, "not-connected"),
    _Kind(api.CommandError, grpc.StatusCode.FAILED_PRECONDITION, "not-now"),
    _Kind(api.DataplaneError, grpc.StatusCode.UNAVAILABLE, "dataplane"),
    _Kind(TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED, "too-long"),
)


def refused(status: grpc.StatusCode, reason: str, message: str) -> Refused:
    """Make an error.

    Args:
        status: gRPC's status.
        reason: One of those that `ErrorDetail` documents.
        message: For people.
    """
    return Refused(status, text(message), pb.ErrorDetail(reason=reason))


def bad_argument(message: str) -> Refused:
    """Make the error of a value that can never be right."""
    return refused(grpc.StatusCode.INVALID_ARGUMENT, "bad-argument", message)


def closing() -> Refused:
    """Make the error that ends streams at a shutdown."""
    return refused(grpc.StatusCode.UNAVAILABLE, "closing", "maglevd is shutting down")


def refusal_of(error: Exception) -> Refused | None:
    """Turn an exception into an error for the caller; `None` if it is a fault of ours."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, api.UnknownName):
        detail = pb.ErrorDetail(
            reason="unknown-name",
            kind=error.kind,
            name=text(error.name[:_LONGEST_NAME]),
            nearest=[text(name) for name in error.nearest],
        )
        return Refused(grpc.StatusCode.NOT_FOUND, text(str(error)), detail)
    for kind in _KINDS:
        if isinstance(error, kind.error):
            return refused(kind.status, kind.reason, str(error) or "it took too long")
    return None
