"""Takes connections in front of gRPC: as many as there is room for, and with who is on the other end.

gRPC accepts whoever connects, without a bound for one host, and does not tell which user is on the other end of a unix
socket. So connections are taken here, counted, and carried to a socket of gRPC's in a directory that only this user may
enter. Our end of that second connection is bound to an abstract name that says who it is; gRPC shows it as the peer.
Nobody else can connect to the inner sockets, so nobody else can make up such a name.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import anyio
import anyio.abc

from maglev.api import RateLimit
from maglev.doors import Door
from maglev_grpc.server.visitors import Visitor, visitor

DESCRIPTORS = 3
"""How many one connection takes: of the client's connection, and of both ends of the inner one."""
BACKLOG = 128
_CHUNK = 64 * 1024
_RETRY_S = 0.1

log = logging.getLogger("maglev.grpc")


class Relay:
    """Carries connections from outer sockets to inner ones.

    Args:
        door: Decides who comes in.
    """

    def __init__(self, door: Door[anyio.CancelScope]) -> None:
        self.prefix = f"maglev-grpc/{secrets.token_hex(8)}/"
        """What the abstract names begin with; behind it come the visitor's name and a number."""
        self._door = door
        self._folder = tempfile.TemporaryDirectory(prefix="maglev-grpc-")
        self.in_clear = f"{self._folder.name}/clear"
        """Where gRPC is to listen for clear text."""
        self.in_tls = f"{self._folder.name}/tls"
        """Where gRPC is to listen for TLS."""
        self._numbers = count(1)
        self._warnings = RateLimit()

    def close(self) -> None:
        """Remove what was made for the inner sockets."""
        self._folder.cleanup()

    async def run(self, outer: socket.socket, inner: str) -> None:
        """Carry connections until cancelled.

        Args:
            outer: Listening, not blocking; stays open.
            inner: `in_clear` or `in_tls`.
        """
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    connection, _name = await loop.sock_accept(outer)
                except OSError as error:  # no descriptors left, or the peer is gone already
                    self._warn("connection-not-accepted", error=str(error))
                    await anyio.sleep(_RETRY_S)
                    continue
                self._let_in(tasks, connection, inner)

    def _let_in(self, tasks: anyio.abc.TaskGroup, connection: socket.socket, inner: str) -> None:
        scope = anyio.CancelScope()
        try:
            who = visitor(connection)
        except OSError:  # it is gone already, or there are no descriptors left to ask with
            connection.close()
            return
        leaving = self._door.enter(scope, who.host)
        if leaving is not None:
            self._warn("connection-closed", host=who.host, connections=len(self._door), why="there are too many")
            leaving.cancel()
        if leaving is scope:
            connection.close()
        else:
            tasks.start_soon(self._carry, connection, who, inner, scope)

    def _warn(self, event: str, **fields: object) -> None:
        if times := self._warnings.allow(event):
            log.warning(event, extra={"maglev_fields": {**fields, "times": times}})

    async def _carry(self, connection: socket.socket, who: Visitor, inner: str, scope: anyio.CancelScope) -> None:
        loop = asyncio.get_running_loop()
        try:
            with scope, connection, self._named(who) as inside:
                await loop.sock_connect(inside, inner)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_pump, connection, inside, tasks.cancel_scope)
                    tasks.start_soon(_pump, inside, connection, tasks.cancel_scope)
        except OSError:  # one side is gone, and so is the other now
            return
        finally:
            self._door.leave(scope)

    @contextmanager
    def _named(self, who: Visitor) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as inside:
            inside.bind(f"\0{self.prefix}{who.name}/{next(self._numbers)}")
            yield inside


async def _pump(source: socket.socket, sink: socket.socket, scope: anyio.CancelScope) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await loop.sock_recv(source, _CHUNK):
            await loop.sock_sendall(sink, data)
    except OSError:  # a reset ends it like an end of file
        return
    finally:
        scope.cancel()


def listen(path: str) -> socket.socket:
    """Listen on a unix socket, for this user and group; blocks for a moment.

    A socket that nobody listens on any more is replaced.

    Raises:
        OSError: Somebody listens there already, it is no socket, or the place cannot be written to.
    """
    place = Path(path)
    try:
        if place.exists():
            if not stat.S_ISSOCK(place.lstat().st_mode):
                raise FileExistsError(errno.EEXIST, "it exists and is not a socket")
            if _is_served(path):
                raise FileExistsError(errno.EADDRINUSE, "somebody listens there already")
            place.unlink()
        return _bound(path)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {path}: {error.strerror}") from error


def _bound(path: str) -> socket.socket:
    outer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # Nobody gets in between: a connection is refused until listen().
        outer.bind(path)
        Path(path).chmod(0o660)
        outer.listen(BACKLOG)
    except OSError:
        outer.close()
        raise
    return outer


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        return True
