"""Clients as they are: slow, broken, hostile and many. None of them keeps a scraper out."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.to_thread
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from maglev_prometheus.connection import Connection, Phase, Timings, least_useful
from maglev_prometheus.server import Server, listen
from plugins.maglev_prometheus.tests.controller_setup import Answer, ask, everything, parse

PATIENT = Timings()
HASTY = Timings(first_s=0.05, head_s=0.05, idle_s=0.05, response_s=0.05, stall_s=0.0)
LARGE = 8 * 1024 * 1024
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"{scope['method']} {scope['path']}")(scope, receive, send)


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(b"x" * LARGE)(scope, receive, send)


class Place:
    """A server on loopback."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port

    async def get(self, path: str = "/", method: str = "GET") -> Answer:
        return await ask(self.port, path, method)

    async def say(self, data: bytes) -> bytes:
        """Send bytes, and hear all that comes until the server closes."""
        async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
            await stream.send(data)
            return await everything(stream)


@asynccontextmanager
async def at(application: ASGIApp = hello, timings: Timings = PATIENT, most: int = 64) -> AsyncIterator[Place]:
    server = Server(application, timings=timings, most=most)
    with await anyio.to_thread.run_sync(listen, "127.0.0.1:0") as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, listener)
            yield Place(server, listener.getsockname()[1])
            tasks.cancel_scope.cancel()


async def test_a_request_is_answered() -> None:
    async with at() as place:
        answer = await place.get("/a?b=c")
        assert (answer.status, answer.body) == (200, "GET /a")
        assert answer.headers["connection"] == "close"
        assert parsedate_to_datetime(answer.headers["date"]).tzinfo is not None


async def test_head_says_how_much_it_would_be() -> None:
    async with at() as place:
        answer = await place.get("/", "HEAD")
        assert (answer.body, answer.headers["content-length"]) == ("", "6")


async def test_one_connection_serves_many_requests_even_sent_at_once() -> None:
    async with at() as place:
        said = await place.say(GET * 2 + b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert said.count(b"HTTP/1.1 200 OK") == 3
        assert said.endswith(b"GET /last")


async def test_a_proxys_form_of_a_request_is_understood() -> None:
    async with at() as place:
        said = await place.say(b"GET http://x/y?z HTTP/1.0\r\n\r\n")
        assert parse(said).body == "GET /y"
        assert b" 200 " in await place.say(b"GET http://[x/y HTTP/1.0\r\n\r\n")


async def test_who_sends_a_body_is_answered_and_let_go() -> None:
    async with at() as place:
        answer = parse(await place.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc"))
        assert (answer.status, answer.headers["connection"]) == (200, "close")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"\r\n\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        b"\0" * 20_000,
        b"GET /" + b"a" * 20_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Y: z\r\n" * 5_000,
    ],
)
async def test_garbage_does_no_harm(garbage: bytes) -> None:
    async with at(timings=Timings(head_s=0.2, idle_s=0.2)) as place:
        said = await place.say(garbage)
        assert not said or parse(said).status in (200, 400, 431, 505)
        assert (await place.get()).status == 200
        while place.server.connections:  # noqa: ASYNC110 - the server tells nobody
            await anyio.sleep(0.005)


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", GET + b"GET / HT", GET])
async def test_who_takes_too_long_to_ask_is_let_go(beginning: bytes) -> None:
    async with at(timings=HASTY) as place:
        said = await place.say(beginning)
        assert said.count(b"200 OK") == beginning.count(GET)


async def test_a_pipelined_head_that_never_ends_is_let_go() -> None:
    timings = Timings(head_s=0.05)
    async with at(timings=timings) as place, await anyio.connect_tcp("127.0.0.1", place.port) as stream:
        await stream.send(GET + b"GET / HT")
        assert b"200 OK" in await stream.receive()
        await stream.send(b"TP/1.1")
        assert b"200 OK" not in await everything(stream)


@pytest.mark.parametrize(
    "request_", [GET, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"], ids=["kept", "last"]
)
async def test_who_takes_too_long_to_read_is_let_go(request_: bytes) -> None:
    async with at(large, timings=HASTY) as place, await anyio.connect_tcp("127.0.0.1", place.port) as stream:
        await stream.send(request_)
        while place.server.connections:  # noqa: ASYNC110 - the server tells nobody
            await anyio.sleep(0.005)
        assert len(await everything(stream)) < LARGE


async def test_who_goes_in_the_middle_of_an_answer_leaves_nothing_behind() -> None:
    async with at(large) as place:
        async with await anyio.connect_tcp("127.0.0.1", place.port) as stream:
            await stream.send(GET)
            await stream.receive()
        while place.server.connections:  # noqa: ASYNC110 - the server tells nobody
            await anyio.sleep(0.005)


async def test_the_end_of_the_server_is_no_fault_of_a_page(caplog: pytest.LogCaptureFixture) -> None:
    async def endless(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await anyio.sleep_forever()

    async def unread(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(itertools.repeat(b"x" * 100_000, 200))(scope, receive, send)

    for app in (endless, unread):
        async with at(app) as place, await anyio.connect_tcp("127.0.0.1", place.port) as stream:
            await stream.send(GET)
            while not place.server._state.tasks:  # noqa: ASYNC110 - the server tells nobody
                await anyio.sleep(0.005)
    assert caplog.text == ""


async def test_garbage_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with at() as place:
        for _ in range(5):
            await place.say(b"garbage\r\n\r\n")
    assert len(caplog.records) <= 1


async def test_a_page_that_fails_is_logged_and_the_next_one_is_served(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/bad":
            raise RuntimeError("told to")
        await hello(scope, receive, send)

    async with at(failing) as place:
        assert (await place.get("/bad")).status == 500
        assert (await place.get("/good")).status == 200
    assert "told to" in caplog.text


@pytest.mark.parametrize("held", [b"", b"GET / HT", GET], ids=["silent", "half", "kept"])
async def test_two_hundred_connections_held_open_keep_nobody_out(held: bytes) -> None:
    async with at() as place, holding(place, 200, held):
        assert place.server.connections <= 64
        for _ in range(10):
            assert (await place.get()).status == 200


async def test_two_hundred_readers_that_do_not_read_keep_nobody_out() -> None:
    async with at(large, timings=Timings(stall_s=0.2)) as place, holding(place, 200, GET):
        answer = await place.get()
        assert len(answer.body) == LARGE


@asynccontextmanager
async def holding(place: Place, count: int, said: bytes) -> AsyncIterator[None]:
    """Hold connections open, each after saying something, and read nothing."""
    held = []
    try:
        for _ in range(count):
            client = socket.socket()
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            held.append(client)
            client.connect_ex(("127.0.0.1", place.port))
            await anyio.wait_writable(client)
            if said:
                client.send(said)
        yield
    finally:
        for client in held:
            client.close()


async def test_a_lack_of_descriptors_is_waited_out(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maglev_prometheus.server.WAIT_S", 0.01)
    refused = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ECONNABORTED, "gone")]

    class Scarce(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            if refused:
                raise refused.pop(0)
            return super().accept()

    with await anyio.to_thread.run_sync(listen, "127.0.0.1:0") as plain, Scarce(fileno=plain.detach()) as listener:
        listener.setblocking(False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Server(hello).serve, listener)
            assert (await ask(listener.getsockname()[1], "/")).status == 200
            tasks.cancel_scope.cancel()
    assert "Too many open files" in caplog.text


class Held:
    """A connection that is doing something."""

    def __init__(self, phase: Phase, since_s: float, *, write_paused: bool = False) -> None:
        self.phase = phase
        self.since_s = since_s
        self.flow = SimpleNamespace(write_paused=write_paused)

    can_be_closed = Connection.can_be_closed


def test_who_makes_the_least_of_his_place_goes_first() -> None:
    present: dict[str, Any] = {
        "working": Held(Phase.WORKING, 0.0),
        "read from": Held(Phase.SENDING, 0.0),
        "stalled": Held(Phase.SENDING, 1.0, write_paused=True),
        "read from lately": Held(Phase.SENDING, 9.0, write_paused=True),
        "idle for long": Held(Phase.IDLE, 2.0),
        "idle": Held(Phase.IDLE, 3.0),
        "new": Held(Phase.NEW, 4.0),
    }
    gone = []
    while (goes := least_useful(present.values(), stalled_before_s=8.0)) is not None:
        gone.append(next(name for name, held in present.items() if held is goes))
        del present[gone[-1]]
    assert gone == ["new", "idle for long", "idle", "stalled"]
    assert set(present) == {"working", "read from", "read from lately"}
