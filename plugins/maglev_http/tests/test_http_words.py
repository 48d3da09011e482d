"""What a peer says to `engine: httpx` is never void, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from maglev.api import Code, Verdict
from maglev_http.options import HttpOptions
from plugins.maglev_http.tests.httpx_servers import OK, answering, redirect
from plugins.maglev_http.tests.places import HOSTILE_PLACES

Serve = Callable[..., Any]
Ask = Callable[..., Any]


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
