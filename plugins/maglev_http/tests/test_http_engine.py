"""`http` and `https` on the daemon's engine, against servers good, bad and hostile."""

from __future__ import annotations

import itertools
import socket
import ssl
from collections.abc import Callable
from typing import Any, Literal

import pytest
from anyio import to_thread

from maglev.api import Code, Target
from maglev_http.checkers import HttpChecker, HttpsChecker
from maglev_http.options import HttpOptions, HttpsOptions

Serve = Callable[..., Any]
MakeTarget = Callable[..., Target]
Engine = Callable[..., Any]
Shape = Literal["lean", "httpx"]
HEAD = b"HTTP/1.1 200 OK\r\n"
SHORT_S = 0.5
"""For what must time out."""


def saying(*pieces: bytes, forever: bytes = b"", then: str = "close") -> Callable[[socket.socket], None]:
    """A handler that reads the request, says pieces, one of them without end, and then closes, resets or waits."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65_536)
        for piece in itertools.chain(pieces, itertools.repeat(forever) if forever else ()):
            connection.sendall(piece)
        if then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if then == "wait":
            connection.recv(1)

    return handle


@pytest.mark.parametrize("shape", ["lean", "httpx"])
@pytest.mark.parametrize(
    "handler,pattern,code",
    [
        (saying(HEAD + b"Content-Length: 2\r\n\r\nok"), "^ok$", Code.L7OK),
        (saying(HEAD, b"Transfer-Encoding: chunked\r\n", b"\r\n1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"), "^ok$", Code.L7OK),
        (saying(HEAD + b"\r\nok"), "^ok$", Code.L7OK),
        (saying(HEAD + b"Content-Length: 1073741824\r\n\r\n", forever=b"ok" * 4096), "ok", Code.L7OK),
        (saying(HEAD + b"\r\n", forever=b"no" * 4096), "ok", Code.L7RSP),
        (saying(b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"), "", Code.L7STS),
        (saying(b"garbage\r\n\r\n"), "", Code.L7RSP),
        (saying(HEAD, forever=b"X: " + b"x" * 1000 + b"\r\n"), "", Code.L7RSP),
        (saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nok\r\n"), "ok", Code.L7RSP),
        (saying(HEAD + b"Content-Length: 9\r\n\r\nok"), "ok", Code.L7RSP),
        (saying(HEAD), "", Code.L7RSP),
        (saying(HEAD, then="reset"), "", Code.L7RSP),
        (saying(), "", Code.L7RSP),
        (saying(then="wait"), "", Code.L7TOUT),
        (saying(HEAD, then="wait"), "", Code.L7TOUT),
        (saying(HEAD + b"Content-Length: 9\r\n\r\nok", then="wait"), "ok", Code.L7TOUT),
    ],
    ids=[
        "length", "chunks", "until-close", "huge", "endless-body", "status", "garbage", "endless-head", "chunk-lies",
        "short-body", "short-head", "reset", "nothing", "silence", "stuck-head", "stuck-body",
    ],
)  # fmt: skip
async def test_every_server_gets_its_verdict(
    serve: Serve,
    loopback_target: MakeTarget,
    engine: Engine,
    shape: Shape,
    handler: Callable[[socket.socket], None],
    pattern: str,
    code: Code,
) -> None:
    checker = HttpChecker.build(HttpOptions(engine=shape, response_regexp=pattern))
    timeout_s = SHORT_S if code is Code.L7TOUT else 20.0
    result = await engine(checker, loopback_target(serve(handler).port, timeout_s=timeout_s))
    assert result.code is code, result


async def test_an_endless_row_of_interim_answers(serve: Serve, loopback_target: MakeTarget, engine: Engine) -> None:
    server = serve(saying(forever=b"HTTP/1.1 100 Continue\r\n\r\n"))
    result = await engine(HttpChecker(HttpOptions()), loopback_target(server.port))
    assert (result.code, "interim" in result.detail) == (Code.L7RSP, True)


@pytest.mark.parametrize("shape", ["lean", "httpx"])
async def test_nobody_listens(loopback_target: MakeTarget, engine: Engine, shape: Shape) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = await engine(HttpChecker.build(HttpOptions(engine=shape)), loopback_target(port))
    assert result.code is Code.L4CON


@pytest.fixture
def secured(server_context: Callable[..., ssl.SSLContext], ca_file: str) -> Callable[..., Any]:
    """Makes a server's context for a name, in a thread, since that writes files; gives the authority's file too."""

    async def make(name: str) -> tuple[ssl.SSLContext, str]:
        return await to_thread.run_sync(server_context, name), ca_file

    return make


@pytest.mark.parametrize("shape", ["lean", "httpx"])
@pytest.mark.parametrize(
    "named,options,code",
    [
        ("a.example", {"host": "a.example"}, Code.L7OK),
        ("a.example", {"host": "b.example"}, Code.L6RSP),
        ("a.example", {"server_name": "a.example"}, Code.L7OK),
        ("127.0.0.1", {}, Code.L7OK),
    ],
    ids=["host", "other-name", "server-name", "address"],
)
async def test_https(
    serve: Serve,
    loopback_target: MakeTarget,
    engine: Engine,
    secured: Callable[..., Any],
    shape: Shape,
    named: str,
    options: dict[str, str],
    code: Code,
) -> None:
    context, ca_file = await secured(named)
    server = serve(saying(HEAD + b"Content-Length: 2\r\n\r\nok"), context)
    made: dict[str, Any] = {"engine": shape, "ca_file": ca_file, "response_regexp": "ok", **options}
    checker = await to_thread.run_sync(HttpsChecker.build, HttpsOptions(**made))
    result = await engine(checker, loopback_target(server.port))
    assert result.code is code, result


async def test_tls_that_stalls_in_the_handshake(serve: Serve, loopback_target: MakeTarget, engine: Engine) -> None:
    checker = HttpsChecker(HttpsOptions(insecure_skip_verify=True))
    result = await engine(checker, loopback_target(serve(saying(then="wait")).port, timeout_s=SHORT_S))
    assert result.code is Code.L6TOUT


async def test_a_server_that_speaks_no_tls(serve: Serve, loopback_target: MakeTarget, engine: Engine) -> None:
    checker = HttpsChecker(HttpsOptions(insecure_skip_verify=True))
    result = await engine(checker, loopback_target(serve(saying(b"HTTP/1.1 400 x\r\n\r\n")).port))
    assert result.code is Code.L6RSP
