"""The pages: metrics, whether the daemon is alive, and whether it is ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from maglev.api import Control
from maglev_prometheus.http import Request, Response
from maglev_prometheus.http.messages import plain
from maglev_prometheus.scrape import Scrapes
from maglev_prometheus.secrets import Secrets
from maglev_prometheus.text import negotiate

_INDEX = b"""<!doctype html>
<html lang="en"><title>maglevd</title><h1>maglevd</h1>
<ul>
<li><a href="/metrics">/metrics</a>: metrics for Prometheus
<li><a href="/healthz">/healthz</a>: whether maglevd is alive
<li><a href="/readyz">/readyz</a>: whether it is ready
</ul>
"""


class Pages:
    """Answers requests.

    Args:
        control: The controller.
        scrapes: Makes the metrics.
        secrets: Asked at each request for who may read.
    """

    def __init__(self, control: Control, scrapes: Scrapes, secrets: Callable[[], Secrets]) -> None:
        self._control = control
        self._scrapes = scrapes
        self._secrets = secrets
        self._pages: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/": self._index,
            "/metrics": self._metrics,
            "/healthz": self._alive,
            "/readyz": self._ready,
        }

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        page = self._pages.get(request.path)
        if page is None:
            return plain(404, f"there are {', '.join(self._pages)}")
        if request.method not in ("GET", "HEAD"):
            return plain(405, "GET and HEAD are allowed", {"Allow": "GET, HEAD"})
        return await page(request)

    async def _index(self, _request: Request) -> Response:
        return Response(200, (_INDEX,), "text/html; charset=utf-8")

    async def _metrics(self, request: Request) -> Response:
        if not self._secrets().allow(request.headers.get("authorization", "")):
            return plain(401, "who are you?", {"WWW-Authenticate": 'Basic realm="maglevd", charset="UTF-8"'})
        form = negotiate(request.headers.get("accept", ""))
        return Response(200, await self._scrapes.exposition(form), form.content_type, {"Vary": "Accept"})

    async def _alive(self, _request: Request) -> Response:
        # That this runs at all is the answer: a loop that does not turn says nothing.
        return plain(200, "alive")

    async def _ready(self, _request: Request) -> Response:
        # A configuration is loaded, or there would be no controller.
        status = self._control.status()
        if not status.dataplane.connected:
            return plain(503, f"not ready: the dataplane {status.dataplane.name} is not connected")
        if not status.warm:
            return plain(503, "not ready: the warm-up is not over")
        return plain(200, "ready")
