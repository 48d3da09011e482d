"""No answer of a peer makes `engine: httpx` report a void result or leak anything."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from maglev.api import AsyncChecker, Code, Target, Verdict
from maglev.probing import connect_failed
from maglev_http.checkers import HttpChecker
from maglev_http.options import HttpOptions
from plugins.maglev_http.tests.httpx_servers import OK, answering, redirect
from plugins.maglev_http.tests.places import HOSTILE_PLACES

Serve = Callable[..., Any]
Ask = Callable[..., Any]
MakeTarget = Callable[..., Target]


@pytest.mark.parametrize("place", HOSTILE_PLACES, ids=range(len(HOSTILE_PLACES)))
@pytest.mark.parametrize("pattern", ["", "ok"])
async def test_a_redirect_to_anything_is_no_void(serve: Serve, ask: Ask, place: str, pattern: str) -> None:
    server = serve(answering({b"/": redirect(place)}))
    result = await ask(HttpOptions(follow_redirects=True, response_regexp=pattern, max_redirects=2), server.port)
    assert result.verdict is Verdict.FAIL, result


@pytest.mark.parametrize("place", ["http://x:99999/", "http://xn--/"])
async def test_a_redirect_that_is_not_followed_is_a_status(serve: Serve, ask: Ask, place: str) -> None:
    server = serve(answering({b"/": redirect(place)}))
    assert (await ask(HttpOptions(), server.port)).code is Code.L7STS
    assert (await ask(HttpOptions(response_code=302), server.port)).code is Code.L7OK


async def test_no_cookie_is_kept(serve: Serve, ask: Ask) -> None:
    asked: list[bytes] = []
    cookie = b"Set-Cookie: a=b; Path=/\r\nSet-Cookie: \xff=\x01;;; Expires=never\r\nContent-Length"
    answers = {b"/": redirect("/x").replace(b"Content-Length", cookie), b"/x": OK.replace(b"Content-Length", cookie)}
    server = serve(answering(answers, asked))
    assert (await ask(HttpOptions(follow_redirects=True), server.port, times=2)).code is Code.L7OK
    assert len(asked) == 4
    assert [request for request in asked if b"cookie" in request.lower()] == []


async def test_a_name_in_capitals_is_sent_by_tls_as_set(serve: Serve, ask: Ask) -> None:
    asked: list[bytes] = []
    server = serve(answering({b"/": OK}, asked))
    assert (await ask(HttpOptions(host="A.Example"), server.port)).code is Code.L7OK
    assert b"\r\nHost: A.Example\r\n" in asked[0]
    assert b"\r\nConnection: close\r\n" in asked[0]


class Failing(socket.socket):
    """A socket whose connection breaks with an error of the system, when it is used in a certain way."""

    number = 0
    use = ""

    def connect_ex(self, address: Any, /) -> int:
        return self.number if self.use == "connect_ex" else super().connect_ex(address)

    def send(self, data: Any, flags: int = 0, /) -> int:
        self._break("send")
        return super().send(data, flags)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self._break("recv")
        return super().recv(size, flags)

    def _break(self, use: str) -> None:
        if self.use == use:
            raise OSError(self.number, os.strerror(self.number))


class FailingSockets:
    """Makes those."""

    def __init__(self, use: str, number: int) -> None:
        self._use, self._number = use, number

    def open(
        self,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        proto: int = 0,
        family: socket.AddressFamily | None = None,
    ) -> socket.socket:
        sock = Failing(socket.AF_INET, kind, proto)
        sock.use, sock.number = self._use, self._number
        sock.setblocking(False)
        return sock

    def scope_id(self, zone: str) -> int:
        raise AssertionError(f"nobody is at {zone}")


@pytest.mark.parametrize("use", ["connect_ex", "send", "recv"])
@pytest.mark.parametrize(
    "number",
    [
        errno.EINVAL,
        errno.EACCES,
        errno.ENOPROTOOPT,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EPROTO,
    ],
    ids=errno.errorcode.get,
)
async def test_what_the_system_says_is_what_it_is_for_the_lean_engine(
    serve: Serve, loopback_target: MakeTarget, use: str, number: int
) -> None:
    target = attrs.evolve(loopback_target(serve(answering({b"/": OK})).port), sockets=FailingSockets(use, number))
    checker = HttpChecker.build(HttpOptions(engine="httpx"))
    assert isinstance(checker, AsyncChecker)
    result = await checker.probe(target)
    assert (result.code, result.detail) == (connect_failed(number).code, os.strerror(number))
    assert result.verdict is Verdict.FAIL
    await checker.aclose()
