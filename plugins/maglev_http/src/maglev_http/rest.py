"""Tells where an answer ends whose verdict is known: nothing is kept of it, and what it says is not looked at."""

from __future__ import annotations

from maglev_http.body import Body, ChunkedBody, LengthBody

_LAST_CHUNK = b"\n0\r\n\r\n"


class Rest:
    """Counts the bytes of a body, or looks for the last chunk, without reading the others: many can be small.

    Args:
        body: What kind it is; `None` where no body follows.
    """

    __slots__ = ("_chunked", "_left", "_tail")

    def __init__(self, body: Body | None) -> None:
        self._chunked = isinstance(body, ChunkedBody)
        self._tail = b"\n"
        self._left: int | None = body.length if isinstance(body, LengthBody) else 0 if body is None else None

    def take(self, data: bytes) -> bool:
        """Take what came; returns whether the body is complete. One that its connection ends never is."""
        if self._chunked:
            self._tail = (self._tail + data[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
            return self._tail == _LAST_CHUNK
        if self._left is None:
            return False
        self._left -= len(data)
        return self._left <= 0
