"""Streams of server-sent events."""

from __future__ import annotations

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import PlainTextResponse, Response

from maglev_web.feed import Broker

PING_S = 15
SEND_WITHIN_S = 30.0
"""A reader that takes nothing for so long is gone."""
READERS = 1000


def stream(broker: Broker, since: str | None) -> Response:
    """Answer with a broker's messages, for as long as the reader likes.

    Args:
        broker: Whose messages.
        since: The id of the last message that the reader has; `None` starts with the next one.
    """
    if broker.readers >= READERS:
        return PlainTextResponse("too many readers\n", 503, {"retry-after": "10"})
    return EventSourceResponse(
        broker.follow(since),
        ping=PING_S,
        ping_message_factory=_ping,
        send_timeout=SEND_WITHIN_S,
        sep="\n",
    )


def _ping() -> ServerSentEvent:
    # An event and no comment: the page can tell a silent connection from a dead one.
    return ServerSentEvent(event="ping", data="{}", sep="\n")
