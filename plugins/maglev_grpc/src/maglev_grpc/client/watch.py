"""Watching a daemon for as long as one likes: the state, every change, and again the state after a lost connection."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import anyio
import attrs
import grpc.aio

from maglev.api import Snapshot
from maglev_grpc.convert import Watched, from_message, read_event
from maglev_grpc.errors import ResourceExhausted, Unavailable
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0


@attrs.frozen
class Connected:
    """The present state; what follows are changes of it.

    Args:
        snapshot: Everything at that moment.
    """

    snapshot: Snapshot


@attrs.frozen
class Disconnected:
    """The connection is lost, or was not had yet; it is tried again.

    Args:
        why: The cause, in words.
        retry_in_s: Time until the next attempt, in seconds.
    """

    why: str
    retry_in_s: float


Item = Connected | Watched | Disconnected
"""What `Client.watch` yields."""
Open = Callable[[pb.WatchEventsRequest], "grpc.aio.UnaryStreamCall[pb.WatchEventsRequest, pb.WatchEventsResponse]"]
FailureOf = Callable[[grpc.aio.AioRpcError], Awaitable[Exception]]


async def watch_messages(
    open_stream: Open,
    request: pb.WatchEventsRequest,
    target: str,
    failure_of: FailureOf,
    *,
    reconnect: bool = True,
) -> AsyncGenerator[pb.WatchEventsResponse | Disconnected, None]:
    """Yield the server's messages as they come, for ever.

    Args:
        open_stream: Starts the call.
        request: What to ask for.
        target: The server, for messages.
        failure_of: Makes one of our own errors of gRPC's.
        reconnect: Whether to try again when the connection is lost, instead of raising.

    Raises:
        UnknownName: A name in the filter does not exist.
        BadArgument: The filter can never be right.
        ClientError: Without `reconnect`: as calls do. With it: only what trying again cannot help.
    """
    delay_s = FIRST_DELAY_S
    while True:
        call = open_stream(request)
        try:
            async for response in call:
                delay_s = FIRST_DELAY_S
                yield response
            failure: Exception = Unavailable(f"{target}: the stream of events ended")
        except grpc.aio.AioRpcError as error:
            failure = await failure_of(error)
        finally:
            call.cancel()
        if not (reconnect and isinstance(failure, Unavailable | ResourceExhausted)):
            raise failure
        wait_s = delay_s * (0.75 + random.random() / 2)  # noqa: S311  (jitter is no secret)
        yield Disconnected(str(failure), wait_s)
        await anyio.sleep(wait_s)
        delay_s = min(delay_s * 2, LONGEST_DELAY_S)


async def as_items(
    messages: AsyncGenerator[pb.WatchEventsResponse | Disconnected, None],
) -> AsyncGenerator[Item, None]:
    """Yield what messages hold, as values."""
    async with aclosing(messages):
        async for message in messages:
            if isinstance(message, Disconnected):
                yield message
                continue
            if message.HasField("snapshot"):
                yield Connected(from_message(Snapshot, message.snapshot))
            for event in message.events:
                yield read_event(event)
