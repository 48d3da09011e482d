"""The pages: metrics, whether the daemon is alive, and whether it is ready."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import anyio.lowlevel
import attrs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from maglev.api import Control
from maglev.serving import CHALLENGE
from maglev_prometheus.scrape import Scrapes
from maglev_prometheus.secrets import Secrets
from maglev_prometheus.text import negotiate

_INDEX = """<!doctype html>
<html lang="en"><title>maglevd</title><h1>maglevd</h1>
<ul>
<li><a href="/metrics">/metrics</a>: metrics for Prometheus
<li><a href="/healthz">/healthz</a>: whether maglevd is alive
<li><a href="/readyz">/readyz</a>: whether it is ready
</ul>
"""


@attrs.frozen
class Pages:
    """Answers requests. `secrets` is called at each of them for who may read."""

    _control: Control
    _scrapes: Scrapes
    _secrets: Callable[[], Secrets]

    def app(self) -> Starlette:
        """The application that serves them."""
        pages = {"/": self._index, "/metrics": self._metrics, "/healthz": self._alive, "/readyz": self._ready}
        known = f"there are {', '.join(pages)}\n"
        app = Starlette(
            routes=[Route(path, page, methods=["GET"]) for path, page in pages.items()],
            exception_handlers={404: partial(_refuse, known), 405: partial(_refuse, "GET and HEAD are allowed\n")},
        )
        app.router.redirect_slashes = False
        return app

    async def _index(self, _request: Request) -> Response:
        return HTMLResponse(_INDEX)

    async def _metrics(self, request: Request) -> Response:
        credentials = self._secrets().credentials
        if credentials is not None and not credentials.match(request.headers.get("authorization", "")):
            return PlainTextResponse("user and password are needed\n", 401, {"www-authenticate": CHALLENGE})
        form = negotiate(", ".join(request.headers.getlist("accept")))
        parts = await self._scrapes.exposition(form)
        headers = {"content-length": str(sum(map(len, parts))), "vary": "Accept", "content-type": form.content_type}
        return StreamingResponse(_each(parts), headers=headers)

    async def _alive(self, _request: Request) -> Response:
        # That this runs at all is the answer: a loop that does not turn says nothing.
        return PlainTextResponse("alive\n")

    async def _ready(self, _request: Request) -> Response:
        # A configuration is loaded, or there would be no controller.
        status = self._control.status()
        if not status.dataplane.connected:
            return PlainTextResponse(f"not ready: the dataplane {status.dataplane.name} is not connected\n", 503)
        if not status.warm:
            return PlainTextResponse("not ready: the warm-up is not over\n", 503)
        return PlainTextResponse("ready\n")


async def _refuse(text: str, _request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return PlainTextResponse(text, error.status_code, error.headers)


async def _each(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
        await anyio.lowlevel.checkpoint()  # a fast reader does not hold the loop up
