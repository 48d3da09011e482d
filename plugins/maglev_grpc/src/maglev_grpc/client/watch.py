"""Watching a daemon for as long as one likes: the state, every change, and again the state after a lost connection."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import anyio
import attrs
import grpc.aio

from maglev.api import EventFilter, Snapshot
from maglev_grpc.client.errors import ClientError, TooMuch, Unreachable
from maglev_grpc.convert import Watched, from_message, read_event, watch_request
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
        why: In words.
        retry_in_s: When, in seconds.
    """

    why: str
    retry_in_s: float


Item = Connected | Watched | Disconnected
Open = Callable[[pb.WatchEventsRequest], "grpc.aio.UnaryStreamCall[pb.WatchEventsRequest, pb.WatchEventsResponse]"]
FailureOf = Callable[[grpc.aio.AioRpcError], Awaitable[Exception]]


async def watch(
    open_stream: Open, wanted: EventFilter, target: str, failure_of: FailureOf, *, reconnect: bool = True
) -> AsyncGenerator[Item, None]:
    """Yield the state, then changes, for ever.

    Args:
        open_stream: Starts the call.
        wanted: Which events.
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
        try:
            request = watch_request(wanted, pb.INITIAL_STATE_SNAPSHOT)
            async with aclosing(_once(open_stream(request))) as items:
                async for item in items:
                    delay_s = FIRST_DELAY_S
                    yield item
            failure: Exception = Unreachable(f"{target}: the stream of events ended")
        except grpc.aio.AioRpcError as error:
            failure = await failure_of(error)
        if not reconnect or not isinstance(failure, ClientError) or not _is_passing(failure):
            raise failure
        wait_s = delay_s * (0.75 + random.random() / 2)  # noqa: S311  (jitter is no secret)
        yield Disconnected(str(failure), wait_s)
        await anyio.sleep(wait_s)
        delay_s = min(delay_s * 2, LONGEST_DELAY_S)


def _is_passing(failure: ClientError) -> bool:
    return isinstance(failure, Unreachable | TooMuch)


async def _once(
    call: grpc.aio.UnaryStreamCall[pb.WatchEventsRequest, pb.WatchEventsResponse],
) -> AsyncGenerator[Connected | Watched, None]:
    try:
        async for response in call:
            if response.HasField("snapshot"):
                yield Connected(from_message(Snapshot, response.snapshot))
            for event in response.events:
                yield read_event(event)
    finally:
        call.cancel()
