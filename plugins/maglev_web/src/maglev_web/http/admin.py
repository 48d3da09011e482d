"""Serves `/admin/`, behind user and password: the token, log records, previews and commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from maglev import api
from maglev.logs import AUDIT, get_logger, outcome
from maglev.serving import read_basic
from maglev_grpc.client import ClientError, PermissionDenied
from maglev_grpc.convert import call_of, preview_request, request_of
from maglev_web.feed import Daemon, Daemons
from maglev_web.feed.messages import JSON
from maglev_web.http.commands import Malformed, Order, described, read_order
from maglev_web.http.csrf import CsrfGuard
from maglev_web.http.headers import TooLarge, read_body
from maglev_web.http.streams import stream

audit = get_logger(AUDIT)

Work = Callable[[Daemon, Order], Awaitable[Any]]


class Admin:
    """The endpoints below `/admin/api/`."""

    def __init__(self, daemons: Daemons, csrf: CsrfGuard) -> None:
        self._daemons = daemons
        self._csrf = csrf

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes, below `/admin`."""
        return [
            Route("/api/session", self._session, methods=["GET"]),
            Route("/api/logs", self._logs, methods=["GET"]),
            Route("/api/preview", self._preview, methods=["POST"]),
            Route("/api/command", self._command, methods=["POST"]),
        ]

    async def _session(self, _request: Request) -> Response:
        return JSONResponse({"token": self._csrf.token, "commands": described()})

    async def _logs(self, request: Request) -> Response:
        # For operators only, as logs name users and hosts.
        broker = self._daemons.log_broker
        return stream(broker, request.headers.get("last-event-id") or broker.earliest)

    async def _preview(self, request: Request) -> Response:
        async def preview(daemon: Daemon, order: Order) -> Any:
            return await daemon.client.read("PreviewChange", preview_request(order.command))

        return await self._do(request, preview)

    async def _command(self, request: Request) -> Response:
        user = read_basic(request.headers["authorization"])[0]
        peer = request.client.host if request.client else ""

        async def command(daemon: Daemon, order: Order) -> Any:
            result = await _recorded(daemon, order, {"who": user, "peer": peer})
            await daemon.refresh()
            return result

        return await self._do(request, command)

    async def _do(self, request: Request, work: Work) -> Response:
        why = self._csrf.refusal(request.headers)
        if why:
            return _refused(403, why)
        try:
            order = read_order(await read_body(request.receive, request.headers))
        except TooLarge:
            return _refused(413, "the request is too large", close=True)
        except Malformed as error:
            return _refused(400, str(error))
        daemon = self._daemons.by_name.get(order.maglevd)
        if daemon is None:
            return _refused(404, f"no maglevd {order.maglevd!r}")
        return await _guarded(daemon, order, work)


async def _recorded(daemon: Daemon, order: Order, who: Mapping[str, str]) -> Any:
    """Have a command carried out, and write it to the audit record."""
    what = {"command": type(order.command).__name__, "server": daemon.name}
    arguments = {f"arg_{name}": value for name, value in attrs.asdict(order.command).items()}
    record = audit.bind(**what, **arguments, **who, via="dashboard", why="password")
    try:
        result = await daemon.client.call(call_of(order.command), request_of(order.command))
    except (api.CommandError, api.DataplaneError, PermissionDenied) as error:
        record.info("audit", outcome="refused", refused=str(error))
        raise
    except BaseException as error:  # the daemon is away, or the browser: what was done of it is not known
        record.info("audit", outcome="broken-off", broken_off=f"{type(error).__name__}: {error}".removesuffix(": "))
        raise
    errors = list(result.errors)
    record.info("audit", outcome=outcome(changed=result.changed, errors=errors), changed=result.changed, errors=errors)
    return result


async def _guarded(daemon: Daemon, order: Order, work: Work) -> Response:
    try:
        return JSONResponse(JSON.plain(await work(daemon, order)))
    except PermissionDenied as error:
        return _refused(403, str(error))
    except api.UnknownName as error:
        return _refused(404, str(error))
    except api.BadArgument as error:
        return _refused(400, str(error))
    except api.CommandError as error:
        return _refused(409, str(error))
    except (ClientError, api.DataplaneError) as error:
        return _refused(502, str(error))


def _refused(status: int, why: str, *, close: bool = False) -> Response:
    # What was not read of a body must not be taken for the next request.
    return JSONResponse({"error": why}, status, {"connection": "close"} if close else None)
