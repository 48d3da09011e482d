"""Streams of events: numbers, pings, many readers, slow readers."""

from __future__ import annotations

import contextlib
import json
import socket
import tracemalloc
from contextlib import AsyncExitStack

import anyio
import anyio.abc
import httpx
import pytest

from maglev_web import serve
from maglev_web.feed import Broker, Daemon
from maglev_web.http import head_time, streams
from plugins.maglev_web.tests.serving import Served, serving, until


async def lines_of(answer: httpx.Response, wanted: int) -> list[str]:
    found: list[str] = []
    async for line in answer.aiter_lines():
        if line:
            found.append(line)
        if len(found) == wanted:
            break
    return found


async def test_stream_carries_numbered_messages() -> None:
    async with serving() as served, served.http.stream("GET", "/view/api/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        await until(lambda: served.daemons.broker.readers == 1, "somebody reads")
        served.daemons.broker.publish(json.dumps({"x": 1}).encode())
        assert await lines_of(answer, 3) == ["retry: 1000", f"id: {served.daemons.broker.epoch}-1", 'data: {"x": 1}']


async def test_browser_that_comes_back_names_the_last_message_it_had() -> None:
    async with serving() as served:
        broker = served.daemons.broker
        broker.publish(b"1")
        seen = broker.position
        broker.publish(b"2")
        for request in ({"headers": {"last-event-id": seen}}, {"params": {"since": seen}}):
            async with served.http.stream("GET", "/view/api/events", **request) as answer:  # type: ignore[arg-type]
                assert (await lines_of(answer, 3))[-1] == "data: 2"


async def test_silent_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PING_S", 0.05)
    async with serving() as served, served.http.stream("GET", "/view/api/events") as answer:
        assert "event: ping" in await lines_of(answer, 3)


async def test_one_reader_too_many_is_asked_to_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "READERS", 0)
    async with serving() as served:
        answer = await served.http.get("/view/api/events")
        assert answer.status_code == 503
        assert "retry-after" in answer.headers


async def test_streams_end_when_the_server_does() -> None:
    async with AsyncExitStack() as stack:
        async with serving() as served:
            # The client outlives the server.
            http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
            url = f"http://127.0.0.1:{served.port}/view/api/events"
            answer = await stack.enter_async_context(http.stream("GET", url))
            await lines_of(answer, 1)
        assert served.daemons.broker.readers == 0


async def slow_reader(served: Served, stack: AsyncExitStack, path: str = "/view/api/events") -> anyio.abc.SocketStream:
    """Somebody who asks for something, events unless said, and then takes none of it."""
    stream = await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", served.port))
    stream.extra(anyio.abc.SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await stream.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return stream


async def publish_many(broker: Broker) -> None:
    for number in range(4000):
        broker.publish(json.dumps({"number": number, "padding": "x" * 1000}).encode())
        if number % 100 == 0:
            await anyio.sleep(0.02)
    broker.publish(b'{"number": "last"}')


async def test_five_hundred_slow_readers_hold_nobody_up_and_cost_little() -> None:
    async with serving(trusted_proxies=("127.0.0.1",)) as served, AsyncExitStack() as stack:
        for _ in range(500):
            await slow_reader(served, stack)
        broker = served.daemons.broker
        await until(lambda: broker.readers == 500, "all are there")
        async with served.http.stream("GET", "/view/api/events") as answer:
            await until(lambda: broker.readers == 501, "one more is there")
            tracemalloc.start()
            stack.callback(tracemalloc.stop)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(publish_many, broker)
                async for line in answer.aiter_lines():
                    if line == 'data: {"number": "last"}':
                        break
            grown, _ = tracemalloc.get_traced_memory()
        assert (await served.http.get("/healthz")).status_code == 200
        # 500 queues of 4 000 messages would be 2 GB.
        assert grown < 100_000_000


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost:", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET"])
async def test_who_never_finishes_asking_is_sent_away(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(head_time, "HEAD_WITHIN_S", 0.2)
    async with serving() as served, await anyio.connect_tcp("127.0.0.1", served.port) as stream:
        if begun:
            await stream.send(begun)
        with anyio.fail_after(20):
            async for _ in stream:
                pass


async def test_who_reads_events_for_long_is_not_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_time, "HEAD_WITHIN_S", 0.2)
    monkeypatch.setattr(streams, "PING_S", 0.1)
    async with serving() as served, served.http.stream("GET", "/view/api/events") as answer:
        assert len(await lines_of(answer, 11)) == 11


@pytest.mark.parametrize("path", ["/view/api/state", "/view/api/events"])
async def test_who_never_reads_an_answer_is_sent_away(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(head_time, "HEAD_WITHIN_S", 0.2)
    monkeypatch.setattr(head_time, "TAKEN_WITHIN_S", 0.5)
    monkeypatch.setattr(streams, "SEND_WITHIN_S", 0.2)
    padding = b'"' + b"x" * 16_000_000 + b'"'
    monkeypatch.setattr(Daemon, "whole", lambda _: padding)
    lost: list[object] = []
    original = head_time.LimitedHeadTime.connection_lost

    def connection_lost(self: head_time.LimitedHeadTime, exc: Exception | None) -> None:
        lost.append(self)
        original(self, exc)

    monkeypatch.setattr(head_time.LimitedHeadTime, "connection_lost", connection_lost)
    async with serving() as served, AsyncExitStack() as stack:
        await slow_reader(served, stack, path)
        if path == "/view/api/events":
            broker = served.daemons.broker
            await until(lambda: broker.readers == 1, "somebody reads")
            broker.publish(padding)
        await until(lambda: lost, "the connection is broken")


async def test_one_host_has_no_more_connections_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "CONNECTIONS_OF_ONE_HOST", 3)
    async with serving() as served, AsyncExitStack() as stack:
        held = [
            await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", served.port)) for _number in range(3)
        ]
        async with await anyio.connect_tcp("127.0.0.1", served.port) as another:
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await another.receive()
        await held[0].aclose()
        await until_answered(served)


async def until_answered(served: Served) -> None:
    """Ask until there is room: the server learns in its own time that somebody has left."""
    with anyio.fail_after(20):
        while True:
            with contextlib.suppress(httpx.TransportError):
                assert (await served.http.get("/healthz")).status_code == 200
                return
            await anyio.sleep(0.01)


async def test_who_comes_through_a_trusted_proxy_is_not_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "CONNECTIONS_OF_ONE_HOST", 1)
    async with (
        serving(trusted_proxies=("127.0.0.0/8",)) as served,
        await anyio.connect_tcp("127.0.0.1", served.port),
    ):
        assert (await served.http.get("/healthz")).status_code == 200
