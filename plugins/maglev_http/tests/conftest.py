"""Servers on loopback, each in a thread: raw ones, TLS ones, HTTP/2 ones."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import attrs
import pytest
import trustme

import maglev_http.httpx_checkers  # noqa: F401 - built on first use, which in a test would be an import in the event loop
from maglev.api import AsyncChecker, Checker, ProbeResult, Target
from maglev.testing import probe_once_async
from maglev_http.checkers import HttpChecker, HttpsChecker
from maglev_http.options import HttpOptions, HttpsOptions
from plugins.maglev_http.tests.httpx_servers import PlainSockets

Handler = Callable[[socket.socket], None]


class Server:
    """Accepts connections on loopback until closed, each served by the handler in this one thread.

    Args:
        handler: Called with each connection.
        context: If given, TLS comes first; a client that does not want us is let go.
        family: `AF_INET` or `AF_INET6`.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext | None, family: socket.AddressFamily) -> None:
        self.accepted = 0
        self._handler = handler
        self._context = context
        self._listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            self.accepted += 1
            with connection, contextlib.suppress(OSError):  # clients of tests go away as they like
                connection.settimeout(20)  # only so that a failing test ends
                if self._context is None:
                    self._handler(connection)
                    continue
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    self._handler(secure)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Makes servers: `serve(handler, context=None, family=AF_INET)`."""
    with contextlib.ExitStack() as stack:

        def make(
            handler: Handler,
            context: ssl.SSLContext | None = None,
            family: socket.AddressFamily = socket.AF_INET,
        ) -> Server:
            server = Server(handler, context, family)
            stack.callback(server.close)
            return server

        yield make


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def server_context(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """Makes TLS contexts for servers: `server_context(*names, authority=…)`."""

    def make(*names: str, authority: trustme.CA = authority) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        return context

    return make


Probe = Callable[[Checker, Target], Awaitable[ProbeResult]]


@pytest.fixture
def engine() -> Probe:
    """Probes once with the daemon's own engine, given a checker and a target."""

    async def probe(checker: Checker, target: Target) -> ProbeResult:
        result = await probe_once_async(checker, target)
        checker.close()
        if isinstance(checker, AsyncChecker):
            await checker.aclose()
        return result

    return probe


@pytest.fixture
async def ask(loopback_target: Callable[..., Target]) -> AsyncIterator[Callable[..., Any]]:
    """Probes once, as the engine would, and sees that no socket is left."""
    async with contextlib.AsyncExitStack() as stack:

        async def probe(options: HttpOptions, port: int, address: str = "127.0.0.1", times: int = 1) -> ProbeResult:
            options = attrs.evolve(options, engine="httpx")
            build = (HttpsChecker if isinstance(options, HttpsOptions) else HttpChecker).build
            checker = await anyio.to_thread.run_sync(build, options)
            assert isinstance(checker, AsyncChecker)
            stack.push_async_callback(checker.aclose)
            target = loopback_target(port, address)
            sockets = PlainSockets(target.family)
            target = attrs.evolve(target, sockets=sockets)
            result = [await checker.probe(target) for _ in range(times)][-1]
            assert [sock for sock in sockets.opened if sock.fileno() >= 0] == []
            return result

        yield probe
