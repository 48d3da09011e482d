"""Just enough of an HTTP server: one request a connection, one short text as the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from anyio.abc import SocketStream

_HEAD_AT_MOST = 8192
_HEAD_WITHIN_S = 10.0

Answer = tuple[int, str]
"""Status and body."""

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 409: "Conflict"}


async def answer_one(stream: SocketStream, answer: Callable[[str], Awaitable[Answer]]) -> None:
    """Read one request, send one answer, and close.

    Args:
        stream: The connection.
        answer: Gives the answer for a path.
    """
    # A client that goes away, or never asks, is no fault of ours.
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
        async with stream:
            path = await _path(stream)
            if path:
                status, body = await answer(path)
                await stream.send(response(status, body))


def response(status: int, body: str) -> bytes:
    """Write an answer as it goes over the wire."""
    content = body.encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(content)}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(head).encode() + content


async def _path(stream: SocketStream) -> str:
    """Read the head of a request; empty if there is none to be had."""
    head = b""
    with anyio.move_on_after(_HEAD_WITHIN_S):
        while b"\r\n\r\n" not in head and len(head) < _HEAD_AT_MOST:
            head += await stream.receive(_HEAD_AT_MOST)
    words = head.partition(b"\r\n")[0].decode("latin-1").split()
    return words[1] if len(words) == 3 else ""
