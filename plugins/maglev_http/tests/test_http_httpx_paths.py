"""`engine: httpx` over HTTP/2, over TLS and through proxies, against real servers on loopback."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from anyio import to_thread

from maglev.api import Code, Target
from maglev_http.options import HttpOptions, HttpsOptions
from plugins.maglev_http.tests.httpx_servers import OK, answering, serve_http2

Serve = Callable[..., Any]
MakeTarget = Callable[..., Target]
MakeContext = Callable[..., ssl.SSLContext]
Ask = Callable[..., Any]


async def test_http2_in_clear_text(serve: Serve, ask: Ask) -> None:
    result = await ask(HttpOptions(http2=True, response_regexp="over h2"), serve(serve_http2).port)
    assert result.code is Code.L7OK


@pytest.mark.parametrize("http2", [True, False])
async def test_http2_over_tls_is_negotiated(
    serve: Serve, ask: Ask, server_context: MakeContext, ca_file: str, http2: bool
) -> None:
    context = await to_thread.run_sync(server_context, "a.example")
    context.set_alpn_protocols(["h2", "http/1.1"])

    def speak(connection: ssl.SSLSocket) -> None:
        (serve_http2 if connection.selected_alpn_protocol() == "h2" else answering({b"/": OK}))(connection)

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


async def test_through_a_proxy_that_wants_a_password(
    serve: Serve, ask: Ask, server_context: MakeContext, ca_file: str
) -> None:
    asked: list[bytes] = []

    def forward(connection: socket.socket) -> None:
        asked.append(connection.recv(65_536))
        connection.sendall(OK)

    proxy = f"http://us%C3%A9r:p%40ss@127.0.0.1:{serve(forward).port}"
    assert (await ask(HttpOptions(host="a.example", proxy=proxy), 80, "192.0.2.1")).code is Code.L7OK
    await ask(HttpsOptions(host="a.example", ca_file=ca_file, proxy=proxy), 443, "192.0.2.1")
    login = b"\r\nProxy-Authorization: Basic " + base64.b64encode("usér:p@ss".encode()) + b"\r\n"
    assert [request.count(login) for request in asked] == [1, 1]


async def test_through_a_proxy_of_the_other_family(serve: Serve, ask: Ask) -> None:
    def forward(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(OK)

    proxy = serve(forward)
    options = HttpOptions(host="a.example", proxy=f"http://127.0.0.1:{proxy.port}")
    assert (await ask(options, 80, "2001:db8::1")).code is Code.L7OK


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
