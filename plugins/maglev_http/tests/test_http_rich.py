"""`engine: httpx` against real servers on loopback: HTTP/2, redirects, proxies, and nothing outside the target."""

from __future__ import annotations

import errno
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import attrs
import h2.config
import h2.connection
import h2.events
import pytest
from anyio import to_thread

from maglev.api import AsyncChecker, Code, ProbeResult, Target
from maglev_http.checkers import HttpChecker, HttpsChecker
from maglev_http.options import HttpOptions, HttpsOptions

Serve = Callable[..., Any]
MakeTarget = Callable[..., Target]
MakeContext = Callable[..., ssl.SSLContext]
Ask = Callable[..., Any]
LONG = b"x" * 70_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@attrs.define
class PlainSockets:
    """Sockets of this process's own namespace; remembers them."""

    family: socket.AddressFamily
    fault: OSError | None = None
    opened: list[socket.socket] = attrs.field(factory=list)

    def open(self, kind: socket.SocketKind = socket.SOCK_STREAM, proto: int = 0) -> socket.socket:
        if self.fault:
            raise self.fault
        sock = socket.socket(self.family, kind, proto)
        sock.setblocking(False)
        self.opened.append(sock)
        return sock


@pytest.fixture
async def ask(loopback_target: MakeTarget) -> AsyncIterator[Ask]:
    """Probes once, as the engine would, and sees that no socket is left."""
    async with AsyncExitStack() as stack:

        async def probe(options: HttpOptions, port: int, address: str = "127.0.0.1", times: int = 1) -> ProbeResult:
            options = attrs.evolve(options, engine="httpx")
            checker = (HttpsChecker if isinstance(options, HttpsOptions) else HttpChecker).build(options)
            assert isinstance(checker, AsyncChecker)
            stack.push_async_callback(checker.aclose)
            target = loopback_target(port, address)
            sockets = PlainSockets(target.family)
            target = attrs.evolve(target, sockets=sockets)
            result = [await checker.probe(target) for _ in range(times)][-1]
            assert [sock for sock in sockets.opened if sock.fileno() >= 0] == []
            return result

        yield probe


def answering(answers: dict[bytes, bytes], asked: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """A handler that answers by path, and remembers requests."""

    def handle(connection: socket.socket) -> None:
        request = connection.recv(65_536)
        if asked is not None:
            asked.append(request)
        connection.sendall(answers.get(request.split(b" ")[1], b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    return handle


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def speak_http2(connection: socket.socket) -> None:
    """Answers the requests of one HTTP/2 connection with the version in the body."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    connection.sendall(server.data_to_send())
    while data := connection.recv(65_536):
        for event in server.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert event.stream_id is not None
                server.send_headers(event.stream_id, [(":status", "200")])
                server.send_data(event.stream_id, b"spoken over h2", end_stream=True)
        connection.sendall(server.data_to_send())


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


async def test_http2_in_clear_text(serve: Serve, ask: Ask) -> None:
    result = await ask(HttpOptions(http2=True, response_regexp="over h2"), serve(speak_http2).port)
    assert result.code is Code.L7OK


@pytest.mark.parametrize("http2", [True, False])
async def test_http2_over_tls_is_negotiated(
    serve: Serve, ask: Ask, server_context: MakeContext, ca_file: str, http2: bool
) -> None:
    context = await to_thread.run_sync(server_context, "a.example")
    context.set_alpn_protocols(["h2", "http/1.1"])

    def speak(connection: ssl.SSLSocket) -> None:
        (speak_http2 if connection.selected_alpn_protocol() == "h2" else answering({b"/": OK}))(connection)

    options = HttpsOptions(host="a.example", ca_file=ca_file, http2=http2, response_regexp="h2" if http2 else "^ok$")
    assert (await ask(options, serve(speak, context).port)).code is Code.L7OK


@pytest.mark.parametrize(
    "named,options,code",
    [
        ("a.example", HttpsOptions(host="a.example"), Code.L7OK),
        ("a.example", HttpsOptions(host="b.example"), Code.L6RSP),
        ("a.example", HttpsOptions(host="b.example", server_name="a.example"), Code.L7OK),
        ("127.0.0.1", HttpsOptions(), Code.L7OK),
    ],
    ids=["host", "other-name", "server-name", "address"],
)
async def test_the_certificate_must_name_the_backend(
    serve: Serve, ask: Ask, server_context: MakeContext, ca_file: str, named: str, options: HttpsOptions, code: Code
) -> None:
    server = serve(answering({b"/": OK}), await to_thread.run_sync(server_context, named))
    result = await ask(attrs.evolve(options, ca_file=ca_file), server.port)
    assert result.code is code, result


async def test_a_server_without_tls(serve: Serve, ask: Ask) -> None:
    server = serve(answering({}, []))
    assert (await ask(HttpsOptions(insecure_skip_verify=True), server.port)).code is Code.L6RSP


async def test_through_a_proxy_to_the_backends_address(serve: Serve, ask: Ask) -> None:
    asked: list[bytes] = []

    def forward(connection: socket.socket) -> None:
        asked.append(connection.recv(65_536))
        connection.sendall(OK)

    proxy = serve(forward)
    options = HttpOptions(path="/x", host="a.example", proxy=f"http://127.0.0.1:{proxy.port}")
    assert (await ask(options, 80, "192.0.2.1")).code is Code.L7OK
    assert asked[0].startswith(b"GET http://192.0.2.1:80/x HTTP/1.1\r\n")
    assert b"\r\nhost: a.example\r\n" in asked[0].lower()


async def test_through_a_proxy_s_tunnel(serve: Serve, ask: Ask, server_context: MakeContext, ca_file: str) -> None:
    asked: list[bytes] = []
    inside = await to_thread.run_sync(server_context, "a.example")

    def tunnel(connection: socket.socket) -> None:
        asked.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with inside.wrap_socket(connection, server_side=True) as secure:
            answering({b"/": OK})(secure)

    proxy = serve(tunnel)
    options = HttpsOptions(host="a.example", ca_file=ca_file, proxy=f"http://127.0.0.1:{proxy.port}")
    assert (await ask(options, 443, "192.0.2.1")).code is Code.L7OK
    assert asked[0].startswith(b"CONNECT 192.0.2.1:443 HTTP/1.1\r\n")


async def test_a_proxy_that_refuses(serve: Serve, ask: Ask, server_context: MakeContext) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    proxy = serve(refuse)
    options = HttpsOptions(insecure_skip_verify=True, proxy=f"http://127.0.0.1:{proxy.port}")
    result = await ask(options, 443, "192.0.2.1")
    assert (result.code, result.detail) == (Code.L7RSP, "the proxy did not connect us")


def test_httpx_is_not_imported_for_lean_checks(pytester: pytest.Pytester) -> None:
    code = "import sys, maglev_http.plugin; sys.exit('httpx' in sys.modules or 'httpcore' in sys.modules)"
    assert pytester.run(sys.executable, "-c", code).ret == 0
