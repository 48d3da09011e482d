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
from maglev_grpc.server.audit import Audit
from maglev_grpc.server.errors import Refused, bad_argument, refusal_of, refused

LARGEST_REQUEST = 1024 * 1024
"""Bytes; the largest sane one is a filter with some thousand names."""

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
    reads: Mapping[str, Handler],
    changes: Mapping[str, Handler],
    streams: Mapping[str, Stream],
    identify: Callable[[Any], Caller],
    audit: Audit,
    *,
    longest_s: float,
) -> grpc.GenericRpcHandler:
    """Make what a server is given to answer calls with.

    Args:
        reads: What answers each call that changes nothing, by the method's name.
        changes: What answers each changing call.
        streams: What answers each call with a stream.
        identify: Tells who calls, from gRPC's context.
        audit: Takes changing calls that cannot be read, and wrong tokens.
        longest_s: How long an answer may take, in seconds, where the caller sets no shorter deadline.

    Raises:
        KeyError: A method of the service has nothing to answer it with.
    """
    made: dict[str, Any] = {}
    for method in SERVICE.methods:
        name = method.name
        entry = _Entry(name, message_factory.GetMessageClass(method.input_type), identify, audit)
        if method.server_streaming:
            made[name] = grpc.unary_stream_rpc_method_handler(_streaming(entry, streams[name]))
        elif name in changes:
            # On the wire a request is a stream of one message. Taken as a stream, a call gets here before its message
            # does, and is known although gRPC refuses the message.
            made[name] = grpc.stream_unary_rpc_method_handler(_changing(entry, changes[name], longest_s))
        else:
            made[name] = grpc.unary_unary_rpc_method_handler(_reading(entry, reads[name], longest_s))
    return grpc.method_handlers_generic_handler(SERVICE.full_name, made)


@attrs.frozen
class _Entry:
    name: str
    request: type[Message]
    identify: Callable[[Any], Caller]
    audit: Audit

    def open(self, context: Any) -> Call:
        caller = self.identify(context)
        if caller.wrong_token:
            self.audit.wrong_token(self.name, caller)
        return Call(self.name, caller, context.write)

    def decode(self, raw: bytes) -> Message:
        try:
            return self.request.FromString(raw)
        except DecodeError as error:
            raise bad_argument(f"this is no {self.request.DESCRIPTOR.name}") from error

    async def receive(self, context: Any, call: Call, within_s: float) -> Message:
        try:
            return self.decode(await _whole(context, within_s))
        except Refused as refusal:
            self.audit.refused(call.name, call.caller, refusal)
            raise
        except asyncio.CancelledError:  # the caller hung up, or we close
            self.audit.refused(call.name, call.caller, _torn())
            raise


async def _whole(context: Any, within_s: float) -> bytes:
    try:
        async with asyncio.timeout(within_s):
            raw: bytes | object = await context.read()
    except TimeoutError:
        raise refused(grpc.StatusCode.DEADLINE_EXCEEDED, "too-long", "no whole request came in time") from None
    if isinstance(raw, bytes):
        return raw
    raise _torn()  # gRPC has told the caller already, but for one who sent nothing at all


def _torn() -> Refused:
    return bad_argument(f"no whole request came: it is larger than {LARGEST_REQUEST} bytes, or was broken off")


def _reading(entry: _Entry, answer: Handler, longest_s: float) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def handle(raw: bytes, context: Any) -> bytes:
        try:
            call, request = entry.open(context), entry.decode(raw)
            async with asyncio.timeout(longest_s):
                return _serialised(await answer(request, call))
        except Exception as error:  # noqa: BLE001  (the edge: what is not meant for the caller is logged)
            return await _fail(entry, context, error)

    return handle


def _changing(entry: _Entry, answer: Handler, longest_s: float) -> Callable[[Any, Any], Awaitable[bytes]]:
    async def handle(_requests: Any, context: Any) -> bytes:
        try:
            call = entry.open(context)
            request = await entry.receive(context, call, longest_s)
            async with asyncio.timeout(longest_s):
                return _serialised(await answer(request, call))
        except Exception as error:  # noqa: BLE001  (as above)
            return await _fail(entry, context, error)

    return handle


def _serialised(answer: Answer) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()


def _streaming(entry: _Entry, stream: Stream) -> Callable[[bytes, Any], Awaitable[None]]:
    async def handle(raw: bytes, context: Any) -> None:
        try:
            call, request = entry.open(context), entry.decode(raw)
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
