"""Adds headers of safety to every answer, and limits the size of requests. Plain ASGI: no answer is left out."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Only our own scripts, styles, images and connections; nothing inline, no forms, no framing."""

_ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
LARGEST_BODY = 16 * 1024
"""Bytes; a command is some hundred."""


class SafeHeaders:
    """Adds the headers of safety to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back with headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
                if scope.get("scheme") == "https":
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class TooLarge(Exception):
    """A request's body is larger than any that makes sense."""


async def read_body(receive: Receive, headers: Headers, most: int = LARGEST_BODY) -> bytes:
    """Read a request's body, without ever holding more than is allowed.

    Args:
        receive: As ASGI has it.
        headers: Of the request; a length that is announced is judged before anything is read.
        most: How many bytes there may be.

    Raises:
        TooLarge: There are more.
    """
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and int(announced[:12]) > most:
        raise TooLarge
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise TooLarge
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(body)
