"""`tcp` on the daemon's engine, against servers good, bad and hostile."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest

from maglev.api import Code, ProbeResult, Target
from maglev.testing import probe_once_async
from maglev_tcp.checker import TcpChecker
from maglev_tcp.options import TcpOptions

PING = TcpOptions(send="PING\r\n", expect=r"^\+PONG\r\n")


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Serves connections in a thread: `serve(*pieces, stay=False)` says pieces, one after each thing it hears."""
    listeners: list[tuple[socket.socket, threading.Thread]] = []

    def start(*pieces: bytes, stay: bool = False) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=_serve, args=(listener, pieces, stay))
        thread.start()
        listeners.append((listener, thread))
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener, thread in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def _serve(listener: socket.socket, pieces: tuple[bytes, ...], stay: bool) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # closed
            return
        with connection:
            connection.settimeout(20)  # only so that a failing test ends
            try:
                for piece in pieces:
                    connection.sendall(piece)
                if stay:
                    while connection.recv(100):
                        pass
                else:
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(100)
            except OSError:  # the client has gone, as clients of tests do
                continue


async def judge(options: TcpOptions, port: int, timeout_s: float) -> ProbeResult:
    target = Target("a", ip_address("127.0.0.1"), port, timeout_ns=int(timeout_s * 1e9))
    return await probe_once_async(TcpChecker(options), target)


@pytest.mark.parametrize(
    "options,pieces,stay,code",
    [
        (TcpOptions(), [], True, Code.L4OK),
        (TcpOptions(send="x"), [], True, Code.L4OK),
        (PING, [b"+PONG\r\n"], True, Code.L7OK),
        (PING, [b"+PO", b"NG", b"\r\n"], True, Code.L7OK),
        (PING, [b"-ERR\r\n"], False, Code.L7RSP),
        (PING, [b"x" * 70_000], True, Code.L7RSP),
        (PING, [], False, Code.L7RSP),
        (PING, [], True, Code.L7TOUT),
        (PING, [b"+PON"], True, Code.L7TOUT),
        (TcpOptions(ssl=True, insecure_skip_verify=True), [], True, Code.L6TOUT),
        (TcpOptions(ssl=True, insecure_skip_verify=True), [b"garbage, and no TLS record"], True, Code.L6RSP),
    ],
    ids=["connect", "send", "pong", "pieces", "error", "flood", "nothing", "silence", "half", "tls-silence", "no-tls"],
)
async def test_every_server_gets_its_verdict(
    serve: Callable[..., int], options: TcpOptions, pieces: list[bytes], stay: bool, code: Code
) -> None:
    times_out = code in (Code.L7TOUT, Code.L6TOUT)
    result = await judge(options, serve(*pieces, stay=stay), 0.3 if times_out else 20.0)
    assert result.code is code, result
