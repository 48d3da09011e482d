"""Servers on loopback, each in a thread, that answer as the test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

Handler = Callable[[socket.socket], None]
ServerMaker = Callable[..., "Server"]


class Server:
    """Accepts connections on loopback until closed, each served by the handler in this one thread.

    Args:
        handler: Called with each connection.
        context: If given, TLS comes first.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.accepted = 0
        self._handler = handler
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
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
            with connection, contextlib.suppress(OSError):  # probes close by reset
                connection.settimeout(20)  # only so that a failing test ends
                if self._context is None:
                    self._handler(connection)
                    continue
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    self._handler(secure)


def configuration(folder: Path, *ports: int, name: str = "maglev.yaml") -> str:
    """Write a configuration with TCP VIPs on 127.0.0.1: `vip0` is probed by HTTP, `vip1` and so on by connecting."""
    pools = "pools: [{name: a, backends: {nginx: {}}}]"
    vips = [
        f"vip{number}: {{address: 127.0.0.1, protocol: tcp, port: {port}, {pools}}}"
        for number, port in enumerate(ports)
    ]
    path = folder / name
    path.write_text(
        "maglev:\n"
        f"  healthchecks: {{web: {{type: http, port: {ports[0]}}}}}\n"
        "  backends: {nginx: {address: 192.0.2.1, healthcheck: web}}\n"
        "  frontends:\n" + "".join(f"    {vip}\n" for vip in vips)
    )
    return str(path)


def answering(answer: bytes, *, times: int = 1) -> Handler:
    """A handler that sends the same bytes for each of some requests, and ends the connection."""

    def handle(connection: socket.socket) -> None:
        for _ in range(times):
            if not connection.recv(65_536):
                return
            connection.sendall(answer)

    return handle


def silent(connection: socket.socket) -> None:
    """A handler that reads until the peer goes away."""
    while connection.recv(65_536):
        pass


@pytest.fixture
def serve() -> Iterator[ServerMaker]:
    """Makes servers: `serve(handler, context=None)`."""
    with contextlib.ExitStack() as stack:

        def make(handler: Handler, context: ssl.SSLContext | None = None) -> Server:
            server = Server(handler, context)
            stack.callback(server.close)
            return server

        yield make


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("www.example.org", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the default context trust the authority of the tests."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
