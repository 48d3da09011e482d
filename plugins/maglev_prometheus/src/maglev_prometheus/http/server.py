"""Accepts connections and gives each a task of its own; nothing that one does reaches the others."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable

import anyio
import anyio.abc
from anyio.abc import SocketStream
from anyio.streams.tls import TLSStream

from maglev_prometheus.http.conversation import Conversation, Timings
from maglev_prometheus.http.guests import Guest, Guests
from maglev_prometheus.http.messages import Application, Request, Response, plain

MOST_CONNECTIONS = 64
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
WAIT_S = 1.0

log = logging.getLogger("maglev.prometheus")

_CLIENT_FAULTS = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError, ssl.SSLError)


class Server:
    """An HTTP server over one listening socket.

    Args:
        application: Answers.
        tls: Asked at each connection for what to serve it with; `None` is clear text.
        most: How many connections there may be.
        timings: How long clients may take.
    """

    def __init__(
        self,
        application: Application,
        *,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        most: int = MOST_CONNECTIONS,
        timings: Timings | None = None,
    ) -> None:
        self._application = application
        self._tls = tls
        self._timings = timings or Timings()
        self._guests = Guests(most, self._timings.stall_s)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._guests)

    async def serve(self, listener: socket.socket) -> None:
        """Serve until cancelled, then close all connections.

        Args:
            listener: Non-blocking; closed by whoever opened it.
        """
        async with anyio.create_task_group() as tasks:
            while True:
                await self._guests.room()
                connection = await self._accept(listener)
                if connection is not None:
                    tasks.start_soon(self._host, connection, self._guests.enter())

    async def _accept(self, listener: socket.socket) -> socket.socket | None:
        await anyio.wait_readable(listener)
        try:
            connection, _address = listener.accept()
        except OSError as error:
            # Whatever else it is, it was this one connection's: the next one may be well.
            if error.errno in _EXHAUSTED:
                log.warning("a client could not be let in: %s", error.strerror)
                self._guests.dismiss()
                await anyio.sleep(WAIT_S)
            return None
        connection.setblocking(False)
        # The end of a response must not wait for the acknowledgement of its beginning.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    async def _host(self, connection: socket.socket, guest: Guest) -> None:
        try:
            with guest.scope:
                await self._converse(connection, guest)
        except _CLIENT_FAULTS as error:
            log.debug("a client was let go: %s", error)
        except Exception:
            log.exception("a client could not be served")
        finally:
            self._guests.leave(guest)
            connection.close()

    async def _converse(self, connection: socket.socket, guest: Guest) -> None:
        try:
            stream: anyio.abc.ByteStream = await SocketStream.from_socket(connection)
        except ValueError as error:
            raise anyio.BrokenResourceError("gone before it was let in") from error
        try:
            if (context := self._tls()) is not None:
                with anyio.fail_after(self._timings.first_s):
                    stream = await TLSStream.wrap(
                        stream, server_side=True, ssl_context=context, standard_compatible=False
                    )
            await Conversation(stream, guest, self._answer, self._timings).run()
        finally:
            with contextlib.suppress(*_CLIENT_FAULTS):  # the other end may be gone already
                await anyio.aclose_forcefully(stream)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._application(request)
        except Exception:
            log.exception("no answer to %s %s", request.method, request.path)
            return plain(500, "this went wrong; the log says how")
