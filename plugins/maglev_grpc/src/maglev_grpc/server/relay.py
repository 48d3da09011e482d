"""Serves the unix socket with the credentials of whoever connects.

gRPC can listen on a unix socket but does not tell who is on the other end. So connections are taken here, where the
kernel says who it is (`SO_PEERCRED`), and carried to a socket of gRPC's in a directory that only this user may enter.
Our end of that second connection is bound to an abstract name that holds user and process; gRPC shows it as the peer.
Nobody else can connect to the inner socket, so nobody else can make up such a name.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import stat
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread

_PEERCRED = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)
_CHUNK = 64 * 1024
_MOST = 256
"""Connections at once; more wait in the kernel's queue."""
_RETRY_S = 0.1


class Relay:
    """Carries connections from the outer socket to the inner one."""

    def __init__(self) -> None:
        self.prefix = f"maglev-grpc/{secrets.token_hex(8)}/"
        """What the abstract names begin with; behind it come `uid/pid/number`."""
        self._folder = tempfile.TemporaryDirectory(prefix="maglev-grpc-")
        self.inner = f"{self._folder.name}/inner"
        """Where gRPC is to listen."""
        self._numbers = count(1)
        self._room = anyio.Semaphore(_MOST)

    def close(self) -> None:
        """Remove what was made for the inner socket."""
        self._folder.cleanup()

    async def run(self, outer: socket.socket) -> None:
        """Carry connections until cancelled.

        Args:
            outer: Listening, not blocking; stays open.
        """
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            while True:
                await self._room.acquire()
                try:
                    connection, _name = await loop.sock_accept(outer)
                except OSError:  # no descriptors left, or the peer is gone already
                    self._room.release()
                    await anyio.sleep(_RETRY_S)
                    continue
                tasks.start_soon(self._carry, connection)

    async def _carry(self, connection: socket.socket) -> None:
        try:
            with connection, self._to_inner(connection) as inner:
                await asyncio.get_running_loop().sock_connect(inner, self.inner)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_pump, connection, inner, tasks.cancel_scope)
                    tasks.start_soon(_pump, inner, connection, tasks.cancel_scope)
        except OSError:  # one side is gone, and so is the other now
            return
        finally:
            self._room.release()

    @contextmanager
    def _to_inner(self, connection: socket.socket) -> Iterator[socket.socket]:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
        pid, uid, _gid = _PEERCRED.unpack(raw)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as inner:
            inner.bind(f"\0{self.prefix}{uid}/{pid}/{next(self._numbers)}")
            yield inner


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
    """Make the outer socket, for this user and group; blocks for a moment.

    A socket that nobody listens on any more is replaced.

    Raises:
        OSError: Somebody listens there already, it is no socket, or the place cannot be written to.
    """
    place = Path(path)
    if place.exists():
        if not stat.S_ISSOCK(place.lstat().st_mode):
            raise FileExistsError(f"{path} exists and is no socket")
        if _is_served(path):
            raise FileExistsError(f"somebody listens on {path} already")
        place.unlink()
    outer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # Nobody gets in between: a connection is refused until listen().
        outer.bind(path)
        place.chmod(0o660)
        outer.listen(128)
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


@asynccontextmanager
async def relayed(path: str) -> AsyncIterator[tuple[Relay, socket.socket]]:
    """Make the outer socket and its relay, which is not running yet; both are removed at the end.

    Raises:
        OSError: As `listen`.
    """
    outer = await anyio.to_thread.run_sync(listen, path)
    try:
        relay = await anyio.to_thread.run_sync(Relay)
        try:
            yield relay, outer
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(relay.close)
    finally:
        outer.close()
        with anyio.CancelScope(shield=True), contextlib.suppress(OSError):  # somebody tidied up before us
            await anyio.Path(path).unlink()
