"""`/admin/` admits only those with user and password, whatever others try."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.serving import read_basic
from maglev_web.http.auth import FREE_TRIES, SlowDown
from plugins.maglev_web.tests.serving import BASIC, PASSWORD, USER, raw, serving

SECRET = b'"token"'
PATHS = (
    "/admin/",
    "/admin",
    "/admin/api/session",
    "/admin//api/session",
    "//admin/api/session",
    "/admin/./api/session",
    "/admin/../admin/api/session",
    "/view/../admin/api/session",
    "/view/api/state/../../../admin/api/session",
    "/%61dmin/api/session",
    "/admin%2fapi%2fsession",
    "/admin/api%2fsession",
    "/admin/%2e%2e/admin/api/session",
    "/ADMIN/api/session",
    "/admin/api/session/",
    "/admin/api/session;x=1",
    "/admin/api/session?x=/view/",
    "/admin/api/session%00",
    "/admin\\api\\session",
    "/assets/../admin/api/session",
    "/assets/..%2f..%2fadmin",
    "http://127.0.0.1/admin/api/session",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "PROPFIND")


def basic(text: bytes) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(text)


def wrong_headers() -> Iterator[bytes]:
    right = f"{USER}:{PASSWORD}".encode()
    yield b""
    yield from map(
        basic,
        (b"", b":", b"operator", b"operator:", b":correct horse: battery", right + b" ", b" " + right, right.upper(),
         right + b"\0", right.replace(b":", b"::"), b"operator\0:correct horse: battery"),
    )  # fmt: skip
    yield b"Authorization: Bearer " + base64.b64encode(right)
    yield b"Authorization: " + base64.b64encode(right)
    yield b"Authorization: Basic " + right
    yield b"Authorization: Basic =\xff\xfe"
    yield b"Authorization: Basic " + b"A" * 5000
    yield basic(b"a:b") + b"\r\n" + basic(right)
    yield basic(right) + b"\r\n" + basic(b"a:b")
    yield b"X-Original-URL: /view/\r\nX-Rewrite-URL: /view/"
    yield b"X-Forwarded-User: operator\r\nRemote-User: operator\r\nX-Forwarded-For: 127.0.0.1"
    yield b"X-HTTP-Method-Override: OPTIONS"
    yield b"Proxy-Authorization: Basic " + base64.b64encode(right)


async def test_right_user_and_password_get_in() -> None:
    async with serving() as served:
        assert (await served.http.get("/admin/", auth=BASIC)).status_code == 200
        assert "token" in (await served.http.get("/admin/api/session", auth=BASIC)).json()


async def test_without_credentials_there_is_no_such_place() -> None:
    async with serving(credentials=None) as served:
        for path in ("/admin", "/admin/", "/admin/api/session", "/admin/api/command"):
            assert (await served.http.get(path, auth=BASIC)).status_code == 404
            assert (await served.http.post(path, auth=BASIC)).status_code in (404, 405)


async def test_no_spelling_of_a_path_gets_around_the_door() -> None:
    async with serving() as served:
        for path in PATHS:
            answer = await raw(served.port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert answer.split(b" ", 2)[1] in (b"400", b"401", b"404", b"307"), (path, answer)
            assert SECRET not in answer


async def test_no_method_gets_around_the_door() -> None:
    async with serving() as served:
        for method, path in product(METHODS, ("/admin/", "/admin/api/session", "/admin/api/command")):
            answer = await raw(
                served.port, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
            assert answer.split(b" ", 2)[1] in (b"400", b"401", b"405"), answer
        assert served.client.commands == []


@pytest.mark.parametrize("header", list(wrong_headers()))
async def test_no_header_gets_around_the_door(header: bytes) -> None:
    async with serving() as served:
        lines = header + b"\r\n" if header else b""
        answer = await raw(
            served.port, b"GET /admin/api/session HTTP/1.1\r\nHost: x\r\n" + lines + b"Connection: close\r\n\r\n"
        )
        assert answer.split(b" ", 2)[1] in (b"400", b"401"), answer
        assert SECRET not in answer


async def test_log_records_are_behind_the_door() -> None:
    async with serving() as served:
        served.daemons.log_broker.publish(b'"logged"')
        assert (await served.http.get("/admin/api/logs")).status_code == 401
        assert (await served.http.get("/view/api/logs")).status_code == 404
        async with served.http.stream("GET", "/admin/api/logs", auth=BASIC) as answer:
            # What was logged a moment ago is there for who comes now.
            assert 'data: "logged"' in [line async for line in until_empty(answer.aiter_lines(), 2)]


async def until_empty(lines: AsyncIterator[str], times: int) -> AsyncIterator[str]:
    """Lines of a stream that does not end, until there were so many messages."""
    async for line in lines:
        yield line
        times -= not line
        if not times:
            return


async def test_who_guesses_has_to_wait_even_with_the_right_password() -> None:
    async with serving() as served:
        for _ in range(FREE_TRIES):
            assert (await served.http.get("/admin/", auth=(USER, "guess"))).status_code == 401
        answer = await served.http.get("/admin/", auth=BASIC)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert (await served.http.get("/view/")).status_code == 200


async def test_asking_without_a_password_is_no_guess() -> None:
    async with serving() as served:
        for _ in range(3 * FREE_TRIES):
            assert (await served.http.get("/admin/")).status_code == 401
        assert (await served.http.get("/admin/", auth=BASIC)).status_code == 200


async def test_forwarded_address_of_nobody_trusted_is_not_believed() -> None:
    async with serving() as served:
        for number in range(FREE_TRIES):
            headers = {"x-forwarded-for": f"192.0.2.{number}"}
            await served.http.get("/admin/", auth=(USER, "guess"), headers=headers)
        assert (
            await served.http.get("/admin/", auth=BASIC, headers={"x-forwarded-for": "192.0.2.77"})
        ).status_code == 429


async def test_forwarded_address_of_a_trusted_proxy_is_the_one_that_waits() -> None:
    async with serving(trusted_proxies=("127.0.0.0/8",)) as served:
        for _ in range(FREE_TRIES):
            await served.http.get("/admin/", auth=(USER, "guess"), headers={"x-forwarded-for": "192.0.2.1"})
        assert (
            await served.http.get("/admin/", auth=BASIC, headers={"x-forwarded-for": "192.0.2.1"})
        ).status_code == 429
        assert (
            await served.http.get("/admin/", auth=BASIC, headers={"x-forwarded-for": "192.0.2.2"})
        ).status_code == 200


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_wait_doubles_with_every_wrong_password_up_to_a_minute() -> None:
    clock = Clock()
    slow = SlowDown(clock)
    waits = []
    for _ in range(FREE_TRIES + 8):
        slow.failed("192.0.2.1")
        waits.append(slow.wait_s("192.0.2.1"))
    assert waits[: FREE_TRIES - 1] == [0.0] * (FREE_TRIES - 1)
    assert waits[FREE_TRIES - 1 :] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.now_s = 61
    assert slow.wait_s("192.0.2.1") == 0


def test_addresses_of_one_network_wait_together_and_others_do_not() -> None:
    slow = SlowDown(Clock())
    for number in range(FREE_TRIES):
        slow.failed(f"2001:db8::{number}")
    assert slow.wait_s("2001:db8::ffff") > 0
    assert slow.wait_s("2001:db8:0:1::1") == 0
    assert slow.wait_s("192.0.2.1") == 0


def test_the_memory_of_guessers_is_bounded() -> None:
    slow = SlowDown(Clock())
    for number in range(10_100):
        slow.failed(f"guest {number}")
    assert len(slow._failures) == 10_000


@given(st.text() | st.binary().map(lambda raw: "Basic " + base64.b64encode(raw).decode()))
def test_no_header_makes_reading_it_fail(header: str) -> None:
    user, password = read_basic(header)
    assert isinstance(user, str)
    assert isinstance(password, str)
