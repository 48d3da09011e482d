"""`engine: httpx` against real servers on loopback: answers, redirects, and nothing outside the target."""

from __future__ import annotations

import errno
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any

import anyio
import attrs
import pytest
from anyio import to_thread

from maglev.api import AsyncChecker, Code, Target
from maglev_http.checkers import HttpChecker
from maglev_http.options import HttpOptions
from plugins.maglev_http.tests.httpx_servers import OK, PlainSockets, answering, redirect

Serve = Callable[..., Any]
MakeTarget = Callable[..., Target]
MakeContext = Callable[..., ssl.SSLContext]
Ask = Callable[..., Any]


async def test_a_plain_answer(serve: Serve, ask: Ask) -> None:
    asked: list[bytes] = []
    server = serve(answering({b"/x": OK}, asked))
    options = HttpOptions(path="/x", host="a.example", headers={"X-Probe": "maglev"}, response_regexp="^ok$")
    assert (await ask(options, server.port)).code is Code.L7OK
    lines = asked[0].decode().lower().split("\r\n")
    assert lines[0] == "get /x http/1.1"
    assert {"host: a.example", "x-probe: maglev", "user-agent: maglevd"} <= set(lines)
    assert not [line for line in lines if line.startswith("accept-encoding")]


async def test_over_ipv6_without_a_host(serve: Serve, ask: Ask) -> None:
    asked: list[bytes] = []
    server = serve(answering({b"/": OK}, asked), None, socket.AF_INET6)
    assert (await ask(HttpOptions(), server.port, "::1")).code is Code.L7OK
    assert f"host: [::1]:{server.port}" in asked[0].decode().lower().split("\r\n")


async def test_every_probe_has_a_connection_of_its_own(serve: Serve, ask: Ask) -> None:
    server = serve(answering({b"/": OK}))
    assert (await ask(HttpOptions(), server.port, times=3)).ok
    assert server.accepted == 3


@pytest.mark.parametrize(
    "answer,options,code",
    [
        (b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n", HttpOptions(), Code.L7STS),
        (OK, HttpOptions(response_regexp="no"), Code.L7RSP),
        (b"SSH-2.0-x\r\n", HttpOptions(), Code.L7RSP),
        (b"", HttpOptions(), Code.L7RSP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", HttpOptions(response_regexp="ok"), Code.L7RSP),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 70_000,
            HttpOptions(response_regexp="x"),
            Code.L7OK,
        ),
    ],
    ids=["status", "body", "garbage", "nothing", "short", "long"],
)
async def test_answers_are_judged_as_by_the_lean_engine(
    serve: Serve, ask: Ask, answer: bytes, options: HttpOptions, code: Code
) -> None:
    assert (await ask(options, serve(answering({b"/": answer})).port)).code is code


async def test_nobody_listens(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert (await ask(HttpOptions(), port)).code is Code.L4CON


async def test_a_reset(serve: Serve, ask: Ask) -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.recv(65_536)

    assert (await ask(HttpOptions(), serve(reset).port)).code is Code.L7RSP


async def test_our_own_trouble_is_passed_on(loopback_target: MakeTarget) -> None:
    checker = HttpChecker.build(HttpOptions(engine="httpx"))
    assert isinstance(checker, AsyncChecker)
    fault = OSError(errno.EMFILE, "too many open files")
    target = attrs.evolve(loopback_target(1), sockets=PlainSockets(socket.AF_INET, fault))
    with pytest.raises(OSError, match="too many open files"):
        await checker.probe(target)
    await checker.aclose()


async def test_a_cancelled_probe_leaves_no_socket(serve: Serve, loopback_target: MakeTarget) -> None:
    arrived = anyio.Event()
    sockets = PlainSockets(socket.AF_INET)
    checker = HttpChecker.build(HttpOptions(engine="httpx"))
    assert isinstance(checker, AsyncChecker)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

    async def hang(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            arrived.set()
            await anyio.sleep_forever()

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, hang)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        target = attrs.evolve(loopback_target(port), sockets=sockets)
        tasks.start_soon(checker.probe, target)
        await arrived.wait()
        tasks.cancel_scope.cancel()
    await checker.aclose()
    assert [sock.fileno() for sock in sockets.opened] == [-1]


async def test_redirects_are_followed_if_asked_and_stay_with_the_backend(serve: Serve, ask: Ask) -> None:
    asked: list[bytes] = []
    server = serve(lambda connection: None)
    answers = {b"/": redirect(f"http://elsewhere.example:{server.port}/b"), b"/b": redirect("/c"), b"/c": OK}
    server._handler = answering(answers, asked)
    assert (await ask(HttpOptions(host="a.example"), server.port)).code is Code.L7STS
    assert (await ask(HttpOptions(host="a.example", follow_redirects=True), server.port)).code is Code.L7OK
    hosts = [line for request in asked[1:] for line in request.decode().lower().split("\r\n") if line[:5] == "host:"]
    assert hosts == ["host: a.example", *[f"host: elsewhere.example:{server.port}"] * 2]


async def test_a_redirect_loop_ends(serve: Serve, ask: Ask) -> None:
    server = serve(answering({b"/": redirect("/")}))
    result = await ask(HttpOptions(follow_redirects=True, max_redirects=3), server.port)
    assert (result.code, result.detail) == (Code.L7STS, "more than 3 redirects")
    assert server.accepted == 4


@pytest.mark.parametrize("location", ["http://[::1", "ftp://a.example/", "http://a b/", "//", "http://"])
async def test_a_redirect_to_nowhere_is_a_failure(serve: Serve, ask: Ask, location: str) -> None:
    server = serve(answering({b"/": redirect(location)}))
    result = await ask(HttpOptions(follow_redirects=True), server.port)
    assert result.code in (Code.L7RSP, Code.L7STS, Code.L4CON)


async def test_a_redirect_to_tls_of_the_same_backend(serve: Serve, ask: Ask, server_context: MakeContext) -> None:
    secure = serve(answering({b"/": OK}), await to_thread.run_sync(server_context, "a.example"))
    server = serve(answering({b"/": redirect(f"https://a.example:{secure.port}/")}))
    assert (await ask(HttpOptions(follow_redirects=True), server.port)).code is Code.L7OK


def test_httpx_is_not_imported_for_lean_checks(pytester: pytest.Pytester) -> None:
    code = "import sys, maglev_http.plugin; sys.exit('httpx' in sys.modules or 'httpcore' in sys.modules)"
    assert pytester.run(sys.executable, "-c", code).ret == 0
