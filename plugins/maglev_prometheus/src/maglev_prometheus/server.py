"""The HTTP server: accepts a bounded number of connections, which uvicorn serves.

uvicorn's own `Server` accepts any number of connections, does not count those in a TLS handshake, and answers 503 when
there are too many. Here a scraper must be served whatever others do, so accepting connections is ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Collection

import anyio
import anyio.lowlevel
import attrs
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from maglev import listening
from maglev.api import RateLimit
from maglev.doors import host_of
from maglev_prometheus.connection import Connection, Timings, least_useful

MOST_CONNECTIONS = 64
MOST_OF_ONE_HOST = 32
"""Of these."""
LARGEST_HEAD = 16 * 1024
"""Of a request, in bytes."""
BACKLOG = 128
WAIT_S = 1.0
"""How long accepting pauses when the process has no descriptors left."""
_LOOK_AGAIN_S = 0.1
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = logging.getLogger("maglev.prometheus")
_limit = RateLimit()
log.getChild("http").addFilter(lambda record: _limit.allow(record.msg) > 0)  # no client can fill the log


def listen(addr: str) -> socket.socket:
    """Listen as `maglev.listening.listen` does; the socket does not block. Call it in a thread: names are looked up."""
    listener = listening.listen(addr, BACKLOG)
    listener.setblocking(False)
    return listener


@attrs.define(eq=False)
class Server:
    """An HTTP server over one listening socket, with at most `most` connections.

    `tls` is called at each connection for the TLS context to serve it with; `None` is clear text.
    """

    _app: ASGIApp
    _tls: Callable[[], ssl.SSLContext | None] = lambda: None
    _most: int = MOST_CONNECTIONS
    _each: int = MOST_OF_ONE_HOST
    _timings: Timings = attrs.field(factory=Timings)
    _state: ServerState = attrs.field(factory=ServerState, init=False)
    _connections: set[Connection] = attrs.field(factory=set, init=False)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    async def serve(self, listener: socket.socket) -> None:
        """Serve until cancelled, then close all connections.

        Args:
            listener: Non-blocking; closed by whoever opened it.
        """
        config = uvicorn.Config(
            self._answer,
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=self._timings.idle_s,  # type: ignore[arg-type]  # any number of seconds will do
            h11_max_incomplete_event_size=LARGEST_HEAD,
        )
        async with anyio.create_task_group() as tasks:
            try:
                while True:
                    await self._make_room()
                    client, host = await self._accept(listener)
                    if client is None:
                        continue
                    if not self._has_room_for(host):
                        client.close()
                        continue
                    connection = Connection(config, self._state, self._timings, self._connections.discard)
                    connection.host = host
                    self._connections.add(connection)
                    tasks.start_soon(self._open, client, connection)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn would log a request that is cancelled as a fault.
        with contextlib.suppress(asyncio.CancelledError):
            await self._app(scope, receive, send)

    async def _make_room(self) -> None:
        while len(self._connections) >= self._most and not self._close_one():  # noqa: ASYNC110 - a stall is no event
            await anyio.sleep(_LOOK_AGAIN_S)

    def _has_room_for(self, host: str) -> bool:
        """Whether one more connection of a host may stay; if it has all that it may have, one of them is closed."""
        present = [connection for connection in self._connections if connection.host == host]
        return len(present) < self._each or self._close_one(present)

    def _close_one(self, among: Collection[Connection] | None = None) -> bool:
        """Close the connection that is of the least use, of all or of some; returns whether there was one."""
        stalled_before_s = asyncio.get_running_loop().time() - self._timings.stall_s
        connection = least_useful(self._connections if among is None else among, stalled_before_s)
        if connection is None:
            return False
        self._connections.discard(connection)
        connection.abort()
        return True

    async def _accept(self, listener: socket.socket) -> tuple[socket.socket | None, str]:
        await anyio.wait_readable(listener)
        try:
            client, address = listener.accept()
        except OSError as error:
            # Whatever else it is, it concerned this one connection.
            if error.errno in _EXHAUSTED:
                log.warning("a connection could not be accepted: %s", error.strerror)
                self._close_one()
                await anyio.sleep(WAIT_S)
            return None, ""
        client.setblocking(False)
        return client, host_of(address[0])

    async def _open(self, client: socket.socket, connection: Connection) -> None:
        context = self._tls()
        try:
            with connection.opening:
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: connection,
                    client,
                    ssl=context,
                    ssl_handshake_timeout=None if context is None else self._timings.first_s,
                )
        except OSError as error:  # of TLS too
            log.debug("a connection could not be opened: %s", error)
        finally:
            if not connection.is_open:
                self._connections.discard(connection)
                client.close()

    async def _close(self) -> None:
        for connection in list(self._connections):
            connection.abort()
        await anyio.lowlevel.checkpoint()  # uvicorn learns that they are closed, and does not miss their responses
        for task in self._state.tasks:
            task.cancel()
        while self._state.tasks:
            await asyncio.wait(self._state.tasks)
