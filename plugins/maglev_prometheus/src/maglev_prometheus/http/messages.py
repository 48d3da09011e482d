"""Requests and responses, as the pages see them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import attrs


@attrs.frozen
class Request:
    """A request, without a body: no page takes one.

    Args:
        method: In capitals.
        path: Without the query.
        headers: By name in lower case; of a name given twice the values are joined by commas.
    """

    method: str
    path: str
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Response:
    """A response whose body is there already.

    Args:
        status: For example 200.
        body: In parts, which are sent one after another.
        content_type: What the body is.
        headers: What else to say.
    """

    status: int
    body: Sequence[bytes] = ()
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = attrs.field(factory=dict)


def plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """A response of one line."""
    return Response(status, (f"{text}\n".encode(),), headers=headers or {})


Application = Callable[[Request], Awaitable[Response]]
"""Answers one request. What it raises is logged, and the client is told 500."""
