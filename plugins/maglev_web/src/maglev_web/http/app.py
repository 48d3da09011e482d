"""All routes. Only `/admin/` changes things, and it needs user and password."""

from __future__ import annotations

from collections.abc import Collection

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from maglev.build import this_build
from maglev.serving import Credentials
from maglev_web.feed import Daemons
from maglev_web.http.admin import Admin
from maglev_web.http.auth import BasicAuth
from maglev_web.http.csrf import CsrfGuard
from maglev_web.http.headers import SafeHeaders
from maglev_web.http.hosts import AllowedHosts
from maglev_web.http.page import Page, read_page
from maglev_web.http.streams import stream

VISIBLE = 64
"""Frontends that one page may ask to follow."""


class View:
    """The endpoints that everybody may read."""

    def __init__(self, daemons: Daemons, version: dict[str, object]) -> None:
        self._daemons = daemons
        self._version = version

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes, below `/view`."""
        return [
            Route("/api/state", self._state, methods=["GET"]),
            Route("/api/state/{name:path}", self._state_of, methods=["GET"]),
            Route("/api/maglevds", self._maglevds, methods=["GET"]),
            Route("/api/version", self._about, methods=["GET"]),
            Route("/api/events", self._events, methods=["GET"]),
            Route("/api/probes", self._probes, methods=["GET"]),
        ]

    async def _state(self, _request: Request) -> Response:
        return Response(self._daemons.state(), media_type="application/json")

    async def _state_of(self, request: Request) -> Response:
        state = self._daemons.state_of(request.path_params["name"])
        if state is None:
            return JSONResponse({"error": "no such maglevd"}, 404)
        return Response(state, media_type="application/json")

    async def _maglevds(self, _request: Request) -> Response:
        return Response(self._daemons.summaries(), media_type="application/json")

    async def _about(self, _request: Request) -> Response:
        return JSONResponse(self._version)

    async def _events(self, request: Request) -> Response:
        since = request.headers.get("last-event-id") or request.query_params.get("since")
        return stream(self._daemons.broker, since)

    async def _probes(self, request: Request) -> Response:
        daemon = self._daemons.by_name.get(request.query_params.get("maglevd", ""))
        if daemon is None:
            return JSONResponse({"error": "no such maglevd"}, 404)
        visible = request.query_params.getlist("frontend")[:VISIBLE]
        return Response(daemon.follow(visible), media_type="application/json")


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _to_view(_request: Request) -> Response:
    return RedirectResponse("/view/", 307)


async def _to_admin(_request: Request) -> Response:
    return RedirectResponse("/admin/", 307)


async def _not_found(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("there is nothing here\n", 404)


def create_app(
    daemons: Daemons,
    credentials: Credentials | None = None,
    page: Page | None = None,
    allowed_hosts: Collection[str] = (),
) -> ASGIApp:
    """Make the application.

    Args:
        daemons: The daemons.
        credentials: Who may enter `/admin/`; `None`: nobody, and there is no such place.
        page: The page; the one that was built by default.
        allowed_hosts: Names, in small letters, under which there is an answer; none: any.
    """
    page = page or read_page()
    build = this_build()
    about: dict[str, object] = {
        "version": build.version,
        "commit": build.commit,
        "date": build.date,
        "admin": credentials is not None,
    }
    routes: list[BaseRoute] = [
        Route("/", _to_view, methods=["GET"]),
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/view", _to_view, methods=["GET"]),
        Route("/assets/{name}", page.asset, methods=["GET"]),
        Mount("/view", routes=[*View(daemons, about).routes, Route("/", page.answer, methods=["GET"])]),
    ]
    if credentials is not None:
        inside = Starlette(
            routes=[*Admin(daemons, CsrfGuard()).routes, Route("/", page.answer, methods=["GET"])],
            exception_handlers={404: _not_found},
        )
        routes += [Route("/admin", _to_admin, methods=["GET"]), Mount("/admin", app=BasicAuth(inside, credentials))]
    app = Starlette(routes=routes, exception_handlers={404: _not_found})
    app.router.redirect_slashes = False
    return SafeHeaders(AllowedHosts(app, allowed_hosts) if allowed_hosts else app)
