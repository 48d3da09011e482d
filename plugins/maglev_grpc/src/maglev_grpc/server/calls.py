"""How calls get from gRPC to the code that answers them: decoding, who calls, deadlines, errors, all in one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import grpc
from google.protobuf import message_factory
from google.protobuf.message import DecodeError, Message

from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server.access import Caller
from maglev_grpc.server.errors import Refused, bad_argument, refusal_of, refused

SERVICE = pb.DESCRIPTOR.services_by_name["Maglev"]

log = logging.getLogger("maglev.grpc")

Answer = Message | bytes
"""A message, or one that is serialised already."""


@attrs.frozen
class Call:
    """One call.

    Args:
        name: Of the method.
        caller: Who makes it.
        send: For streams: sends one message and waits until the reader has room for more.
    """

    name: str
    caller: Caller
    send: Callable[[bytes], Awaitable[None]]


Handler = Callable[[Any, Call], Awaitable[Answer]]
Stream = Callable[[Any, Call], Awaitable[None]]


def handlers(
    answers: Mapping[str, Handler],
    streams: Mapping[str, Stream],
    identify: Callable[[Any], Caller],
    *,
    longest_s: float,
) -> grpc.GenericRpcHandler:
    """Make what a server is given to answer calls with.

    Args:
        answers: What answers each call with one message, by the method's name.
        streams: What answers each call with a stream.
        identify: Tells who calls, from gRPC's context.
        longest_s: How long an answer may take, in seconds, where the caller sets no shorter deadline.

    Raises:
        KeyError: A method of the service has nothing to answer it with.
    """
    made: dict[str, Any] = {}
    for method in SERVICE.methods:
        request = message_factory.GetMessageClass(method.input_type)
        entry = _Entry(method.name, request, identify)
        if method.server_streaming:
            made[method.name] = grpc.unary_stream_rpc_method_handler(_streaming(entry, streams[method.name]))
        else:
            made[method.name] = grpc.unary_unary_rpc_method_handler(_unary(entry, answers[method.name], longest_s))
    return grpc.method_handlers_generic_handler(SERVICE.full_name, made)


@attrs.frozen
class _Entry:
    name: str
    request: type[Message]
    identify: Callable[[Any], Caller]

    def open(self, raw: bytes, context: Any) -> tuple[Message, Call]:
        try:
            request = self.request.FromString(raw)
        except DecodeError as error:
            raise bad_argument(f"this is no {self.request.DESCRIPTOR.name}") from error
        return request, Call(self.name, self.identify(context), context.write)


def _unary(entry: _Entry, answer: Handler, longest_s: float) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def handle(raw: bytes, context: Any) -> bytes:
        try:
            request, call = entry.open(raw, context)
            async with asyncio.timeout(longest_s):
                result = await answer(request, call)
            return result if isinstance(result, bytes) else result.SerializeToString()
        except Exception as error:  # noqa: BLE001  (the edge: what is not meant for the caller is logged)
            return await _fail(entry, context, error)

    return handle


def _streaming(entry: _Entry, stream: Stream) -> Callable[[bytes, Any], Awaitable[None]]:
    async def handle(raw: bytes, context: Any) -> None:
        try:
            request, call = entry.open(raw, context)
            await stream(request, call)
        except Exception as error:  # noqa: BLE001  (as above)
            await _fail(entry, context, error)

    return handle


async def _fail(entry: _Entry, context: Any, error: Exception) -> bytes:
    if context.done():  # the caller is gone, and whatever went wrong went wrong for that
        return b""
    refusal = refusal_of(error)
    if refusal is None:
        log.error("call-failed", exc_info=error, extra={"maglev_fields": {"call": entry.name, "peer": context.peer()}})
        refusal = _ours()
    await context.abort(refusal.status, refusal.message, refusal.metadata)
    return b""


def _ours() -> Refused:
    return refused(grpc.StatusCode.INTERNAL, "internal", "a fault in maglevd; its log has the details")
