"""The server as a process: socket, TLS, signals, and an orderly end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_network
from typing import Any

import anyio
import anyio.to_thread
import uvicorn

from maglev.build import this_build
from maglev.descriptors import raise_limit
from maglev.doors import Door
from maglev.listening import listen, read_address
from maglev.logs import get_logger
from maglev.serving import plain_text, read_certificate
from maglev_web.feed import Daemons, watching
from maglev_web.http import create_app
from maglev_web.http.head_time import LimitedHeadTime
from maglev_web.http.page import MISSING, read_page
from maglev_web.options import Settings

log = get_logger("maglev.web")

CONNECTIONS = 2000
CONNECTIONS_OF_ONE_HOST = 200
OWN_DESCRIPTORS = 100
"""For files, and for connections to the daemons."""
DRAIN_S = 3
BACKLOG = 1024
_HEAD_AT_MOST = 32 * 1024


class Server(uvicorn.Server):
    """uvicorn's server, which ends the streams of events before it waits for them to end."""

    def __init__(self, config: uvicorn.Config, daemons: Daemons) -> None:
        super().__init__(config)
        self._daemons = daemons

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again after its orderly end."""
        yield

    async def end_on_signal(self) -> None:
        """Wait for SIGTERM or SIGINT, and have the server end."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, which never end by themselves, then everything else."""
        self._daemons.close()
        await super().shutdown(sockets)


def configuration(app: Any, settings: Settings) -> uvicorn.Config:
    """Return the configuration of uvicorn."""
    most = max(1, min(CONNECTIONS, raise_limit()[1] - OWN_DESCRIPTORS))
    door: Door[LimitedHeadTime] = Door(most, CONNECTIONS_OF_ONE_HOST)
    trusted = [ip_network(proxy) for proxy in settings.trusted_proxies]
    return uvicorn.Config(
        app,
        # uvicorn only calls what it takes for a class.
        http=partial(LimitedHeadTime, door=door, trusted=trusted),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,  # its records go where ours go
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_S,
        h11_max_incomplete_event_size=_HEAD_AT_MOST,
        backlog=BACKLOG,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def url(settings: Settings, port: int) -> str:
    """The address of the page for a browser on this host."""
    host = read_address(settings.listen)[0] or "localhost"
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: The socket cannot be had.
        ValueError: A certificate or a token cannot be read or used.
    """
    if settings.tls_cert and settings.tls_key:  # before uvicorn, for whom OpenSSL asks the terminal for passwords
        await anyio.to_thread.run_sync(read_certificate, settings.tls_cert, settings.tls_key)
    page = await anyio.to_thread.run_sync(read_page)
    if not page.html:
        log.warning("page-missing", what=MISSING)
    async with watching(settings.servers, settings.security) as daemons:
        app = await anyio.to_thread.run_sync(create_app, daemons, settings.credentials, page, settings.allowed_hosts)
        sock = await anyio.to_thread.run_sync(listen, settings.listen, BACKLOG)
        where = url(settings, sock.getsockname()[1])
        secret = "the password of /admin/" if settings.credentials else ""
        if warning := plain_text(sock, tls=settings.tls_cert is not None, secret=secret):
            log.warning("plain-text", problem=warning)
        server = Server(configuration(app, settings), daemons)
        log.info(
            "serving",
            view=f"{where}/view/",
            admin=f"{where}/admin/" if settings.credentials else "off",
            servers=list(settings.servers),
            version=str(this_build()),
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.end_on_signal)
            with sock:
                await server.serve([sock])
            tasks.cancel_scope.cancel()
