"""What is behind the door: the token, previews and commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from maglev import api
from maglev_grpc.client import ClientError, NotAllowed
from maglev_web.feed import Daemon, World, wire
from maglev_web.http.auth import read_basic
from maglev_web.http.commands import Malformed, Order, described, read_order
from maglev_web.http.csrf import Forgery
from maglev_web.http.headers import TooLarge, read_body
from maglev_web.http.streams import stream

log = structlog.get_logger(__name__)

Work = Callable[[Daemon, Order], Awaitable[object]]


class Admin:
    """The endpoints below `/admin/api/`.

    Args:
        world: The daemons.
        forgery: Recognises what did not come from our page.
    """

    def __init__(self, world: World, forgery: Forgery) -> None:
        self._world = world
        self._forgery = forgery

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
        return JSONResponse({"token": self._forgery.token, "commands": described()})

    async def _logs(self, request: Request) -> Response:
        # Behind the door, as logs name users and hosts.
        broker = self._world.log_broker
        return stream(broker, request.headers.get("last-event-id") or broker.earliest)

    async def _preview(self, request: Request) -> Response:
        async def preview(daemon: Daemon, order: Order) -> object:
            return wire.plain(await daemon.client.preview(order.command))

        return await self._do(request, preview)

    async def _command(self, request: Request) -> Response:
        user = read_basic(request.headers["authorization"])[0]
        peer = request.client.host if request.client else ""

        async def command(daemon: Daemon, order: Order) -> object:
            log.info("command", user=user, peer=peer, server=daemon.name, command=str(order.command))
            result = await daemon.client.command(order.command)
            await daemon.refresh()
            return wire.plain(result)

        return await self._do(request, command)

    async def _do(self, request: Request, work: Work) -> Response:
        why = self._forgery.why(request.headers)
        if why:
            return _refused(403, why)
        try:
            order = read_order(await read_body(request.receive, request.headers))
        except TooLarge:
            return _refused(413, "the request is too large", close=True)
        except Malformed as error:
            return _refused(400, str(error))
        daemon = self._world.daemons.get(order.maglevd)
        if daemon is None:
            return _refused(404, f"no maglevd {order.maglevd!r}")
        return await _guarded(daemon, order, work)


async def _guarded(daemon: Daemon, order: Order, work: Work) -> Response:
    try:
        return JSONResponse(await work(daemon, order))
    except NotAllowed as error:
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
