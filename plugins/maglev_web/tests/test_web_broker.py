"""Messages, numbers, replay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from maglev_web.feed import Broker


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def next_of(stream: AsyncIterator[bytes]) -> bytes:
    text = await anext(stream)
    return await anext(stream) if text.startswith(b"retry") else text


async def test_reader_that_comes_now_gets_only_what_follows() -> None:
    broker = Broker()
    broker.publish(b'"before"')
    async with aclosing(broker.follow()) as stream:
        assert (await anext(stream)).startswith(b"retry:")
        broker.publish(b'"after"')
        assert await anext(stream) == f'id: {broker.epoch}-2\ndata: "after"\n\n'.encode()


async def test_reader_with_a_known_id_gets_what_it_missed_in_order() -> None:
    broker = Broker()
    broker.publish(b"1")
    seen = broker.position
    for number in (b"2", b"3"):
        broker.publish(number)
    async with aclosing(broker.follow(seen)) as stream:
        assert [line for line in (await next_of(stream)).splitlines() if line.startswith(b"data")] == [
            b"data: 2",
            b"data: 3",
        ]


@pytest.mark.parametrize(
    "since",
    ["", "x", "-", "other-1", "1", "{epoch}-", "{epoch}-x", "{epoch}-99", "{epoch}--1", "{epoch}-" + "9" * 5000],
)
async def test_reader_with_an_id_that_means_nothing_is_told_to_fetch_everything(since: str) -> None:
    broker = Broker()
    broker.publish(b"1")
    async with aclosing(broker.follow(since.replace("{epoch}", broker.epoch))) as stream:
        assert b"event: reset" in await next_of(stream)


async def test_reader_that_was_away_for_too_long_is_told_to_fetch_everything() -> None:
    clock = Clock()
    broker = Broker(clock=clock)
    broker.publish(b"1")
    seen = broker.position
    broker.publish(b"2")
    clock.now_s += 31
    broker.publish(b"3")
    async with aclosing(broker.follow(seen)) as stream:
        assert b"event: reset" in await next_of(stream)


async def test_reader_that_is_too_slow_is_told_to_fetch_everything_and_then_goes_on() -> None:
    broker = Broker(keep=3)
    async with aclosing(broker.follow()) as stream:
        await anext(stream)
        for number in range(10):
            broker.publish(str(number).encode())
        assert b"event: reset" in await anext(stream)
        broker.publish(b"10")
        assert b"data: 10" in await anext(stream)


async def test_readers_end_when_the_broker_closes() -> None:
    broker = Broker()
    async with aclosing(broker.follow()) as stream:
        await anext(stream)
        assert broker.readers == 1
        broker.close()
        assert [text async for text in stream] == []
    assert broker.readers == 0
