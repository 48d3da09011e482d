"""Leads calls from gRPC to the code that answers them: decoding, who calls, deadlines, errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import attrs
import grpc
from google.protobuf import message_factory
from google.protobuf.message import DecodeError, Message

from maglev.api import BadArgument
from maglev_grpc.errors import DeadlineExceeded, ServerFault, known, status_of
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server.access import Caller
from maglev_grpc.server.audit import Audit

LARGEST_REQUEST = 1024 * 1024
"""Bytes; a filter with some thousand names is smaller."""

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
        write: gRPC's own way to send one message of a stream.
    """

    name: str
    caller: Caller
    write: Callable[[bytes], Awaitable[None]]

    async def send(self, message: bytes) -> None:
        """Send one message of a stream, and wait until the reader has room for more.

        A shutdown waits for it: gRPC can send no status while a write that was cancelled is under way. It ends the call
        itself when a reader takes too long.
        """
        with anyio.CancelScope(shield=True):
            await self.write(message)


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
    """Make the handlers of all calls.

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
        entry = _Entry(name, message_factory.GetMessageClass(method.input_type), identify, audit, longest_s)
        if method.server_streaming:
            made[name] = grpc.unary_stream_rpc_method_handler(entry.guarded(entry.stream, streams[name]))
        elif name in changes:
            # On the wire a request is a stream of one message. Taken as a stream, a call gets here before its message
            # does, and is known although gRPC refuses the message.
            made[name] = grpc.stream_unary_rpc_method_handler(entry.guarded(entry.change, changes[name]))
        else:
            made[name] = grpc.unary_unary_rpc_method_handler(entry.guarded(entry.read, reads[name]))
    return grpc.method_handlers_generic_handler(SERVICE.full_name, made)


@attrs.frozen
class _Entry:
    """The way to call one method: `read`, `change` or `stream`, each in `guarded`."""

    name: str
    request: type[Message]
    identify: Callable[[Any], Caller]
    audit: Audit
    longest_s: float

    def guarded(self, kind: Callable[..., Awaitable[Any]], answer: Handler | Stream) -> Callable[..., Awaitable[Any]]:
        async def handle(raw: Any, context: Any) -> Any:
            try:
                return await kind(raw, context, answer)
            except Exception as error:  # noqa: BLE001  (the edge: what is not meant for the caller is logged)
                return await self._fail(context, error)

        return handle

    async def read(self, raw: bytes, context: Any, answer: Handler) -> bytes:
        call, request = self._open(context), self._decode(raw)
        async with asyncio.timeout(self.longest_s):
            return _serialised(await answer(request, call))

    async def change(self, _requests: Any, context: Any, answer: Handler) -> bytes:
        call = self._open(context)
        request = await self._receive(context, call)
        async with asyncio.timeout(self.longest_s):
            return _serialised(await answer(request, call))

    async def stream(self, raw: bytes, context: Any, stream: Stream) -> None:
        call, request = self._open(context), self._decode(raw)
        await stream(request, call)

    def _open(self, context: Any) -> Call:
        caller = self.identify(context)
        if caller.wrong_token:
            self.audit.wrong_token(self.name, caller)
        return Call(self.name, caller, context.write)

    def _decode(self, raw: bytes) -> Message:
        try:
            return self.request.FromString(raw)
        except DecodeError as error:
            raise BadArgument(f"this is not a {self.request.DESCRIPTOR.name}") from error

    async def _receive(self, context: Any, call: Call) -> Message:
        try:
            return self._decode(await _whole(context, self.longest_s))
        except (BadArgument, DeadlineExceeded) as refusal:
            self.audit.refused(call.name, call.caller, refusal)
            raise
        except asyncio.CancelledError:  # the caller hung up, or we close
            self.audit.refused(call.name, call.caller, _broken_off())
            raise

    async def _fail(self, context: Any, error: Exception) -> bytes:
        if context.done():  # the caller is gone, and whatever went wrong went wrong for that
            return b""
        told = known(error)
        if told is None:
            fields = {"call": self.name, "peer": context.peer()}
            log.error("call-failed", exc_info=error, extra={"maglev_fields": fields})
            told = ServerFault("a fault in maglevd; its log has the details")
        await context.abort(*status_of(told))
        return b""


async def _whole(context: Any, within_s: float) -> bytes:
    try:
        async with asyncio.timeout(within_s):
            raw: bytes | object = await context.read()
    except TimeoutError:
        raise DeadlineExceeded("no whole request came in time") from None
    if isinstance(raw, bytes):
        return raw
    raise _broken_off()  # gRPC has told the caller already, but for one who sent nothing at all


def _broken_off() -> BadArgument:
    return BadArgument(f"no whole request came: it is larger than {LARGEST_REQUEST} bytes, or was broken off")


def _serialised(answer: Answer) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()
