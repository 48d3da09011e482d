"""`tcp` against real servers on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from maglev import HealthCheckConfig
from maglev.api import Code, Target
from maglev.testing import probe_once
from maglev_tcp.checker import TcpChecker
from maglev_tcp.options import TcpOptions

Handler = Callable[[socket.socket], None]
Serve = Callable[[Handler], int]
MakeTarget = Callable[..., Target]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves one connection in a thread with the given function; returns the port."""
    started: list[tuple[socket.socket, threading.Thread]] = []

    def start(handler: Handler) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=_one, args=(listener, handler))
        thread.start()
        started.append((listener, thread))
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener, thread in started:
        with contextlib.suppress(OSError):  # closed after its one connection
            listener.shutdown(socket.SHUT_RDWR)  # a probe that only connects is never accepted
        thread.join()


def _one(listener: socket.socket, handler: Handler) -> None:
    with listener:
        try:
            connection, _ = listener.accept()
        except OSError:  # nobody came
            return
    with connection, contextlib.suppress(ConnectionResetError):  # probes close by a reset
        handler(connection)


def redis(connection: socket.socket) -> None:
    if connection.recv(100) == b"PING\r\n":
        connection.sendall(b"+PO")
        connection.sendall(b"NG\r\n")


def over_tls(
    authority: trustme.CA, name: str, handler: Callable[[socket.socket], None]
) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    def serve_tls(connection: socket.socket) -> None:
        try:
            secure = context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError):  # the client refused us, as the test wants
            return
        with secure:
            handler(secure)

    return serve_tls


def test_a_redis_answers(serve: Serve, loopback_target: MakeTarget) -> None:
    checker = TcpChecker(TcpOptions(send="PING\r\n", expect=r"^\+PONG\r\n"))
    assert probe_once(checker, loopback_target(serve(redis))).code is Code.L7OK


def test_being_connected_is_enough(serve: Serve, loopback_target: MakeTarget) -> None:
    assert probe_once(TcpChecker(TcpOptions()), loopback_target(serve(redis))).code is Code.L4OK


def test_nobody_listens(loopback_target: MakeTarget) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert probe_once(TcpChecker(TcpOptions()), loopback_target(port)).code is Code.L4CON


def test_a_handshake_is_enough(serve: Serve, loopback_target: MakeTarget, authority: trustme.CA, ca_file: str) -> None:
    port = serve(over_tls(authority, "a.example", redis))
    checker = TcpChecker(TcpOptions(ssl=True, server_name="a.example", ca_file=ca_file))
    assert probe_once(checker, loopback_target(port)).code is Code.L6OK


def test_a_dialogue_over_tls(serve: Serve, loopback_target: MakeTarget, authority: trustme.CA, ca_file: str) -> None:
    port = serve(over_tls(authority, "127.0.0.1", redis))
    options = TcpOptions(send="PING\r\n", expect=r"^\+PONG", ssl=True, ca_file=ca_file)
    assert probe_once(TcpChecker(options), loopback_target(port)).code is Code.L7OK


@pytest.mark.parametrize(
    "name,trusted,insecure,code",
    [
        ("a.example", True, False, Code.L6OK),
        ("b.example", True, False, Code.L6RSP),
        ("a.example", False, False, Code.L6RSP),
        ("b.example", False, True, Code.L6OK),
    ],
    ids=["good", "other-name", "unknown-authority", "insecure"],
)
def test_certificates_are_checked_unless_told_not_to(
    serve: Serve,
    loopback_target: MakeTarget,
    authority: trustme.CA,
    ca_file: str,
    name: str,
    trusted: bool,
    insecure: bool,
    code: Code,
) -> None:
    port = serve(over_tls(authority if trusted else trustme.CA(), name, redis))
    options = TcpOptions(ssl=True, server_name="a.example", ca_file=ca_file, insecure_skip_verify=insecure)
    assert probe_once(TcpChecker(options), loopback_target(port)).code is code


def test_a_server_without_tls(serve: Serve, loopback_target: MakeTarget) -> None:
    port = serve(lambda connection: connection.sendall(b"220 hello\r\n"))
    options = TcpOptions(ssl=True, insecure_skip_verify=True)
    assert probe_once(TcpChecker(options), loopback_target(port)).code is Code.L6RSP


def _dropped_syns() -> int:
    """How many SYNs this namespace has dropped since a listener's queue was full."""
    names, values = [line.split() for line in Path("/proc/net/netstat").read_text().splitlines()[:2]]
    return int(values[names.index("ListenOverflows")])


def test_one_lost_syn_is_no_failure_with_the_default_timeout(loopback_target: MakeTarget) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port, before = listener.getsockname()[1], _dropped_syns()
        with socket.create_connection(("127.0.0.1", port)):  # the queue is full now

            def make_room() -> None:
                while _dropped_syns() == before and not over.wait(0.01):
                    pass
                listener.accept()[0].close()

            over = threading.Event()
            helper = threading.Thread(target=make_room)
            helper.start()
            timeout_s = HealthCheckConfig("tcp").timeout.total_seconds()
            result = probe_once(TcpChecker(TcpOptions()), loopback_target(port, timeout_s=timeout_s))
            over.set()
            helper.join()
    assert _dropped_syns() > before
    assert result.code is Code.L4OK
