"""Watching: the state first, nothing missed, slow readers bounded and told, streams that end as they should."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import grpc.aio
import pytest

from maglev.api import (
    Actor,
    BackendEvent,
    BackendState,
    DataplaneEvent,
    EventFilter,
    EventKind,
    FrontendEvent,
    LogEvent,
    PauseBackend,
    ResumeBackend,
    UnknownName,
    WeightEvent,
)
from maglev.runtime.bus import Bus
from maglev_grpc.client import Connected, Disconnected, ResourceExhausted, Unavailable, Watched, connect
from maglev_grpc.convert import read_event
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from plugins.maglev_grpc.tests.serving import Served, exported, running, until

ME = Actor("test", "library")
LOGS = EventFilter(kinds=frozenset({EventKind.LOG}))


def bus_of(served: Served) -> Bus:
    return served.control.bus


def subscribers(served: Served) -> int:
    return len(bus_of(served).subscribers)


@asynccontextmanager
async def stream(served: Served, **request: Any) -> AsyncIterator[Any]:
    """A stream of events as any gRPC client would have it."""
    async with grpc.aio.insecure_channel(served.target) as channel:
        method = channel.unary_stream(
            "/maglev.v1.Maglev/WatchEvents",
            request_serializer=pb.WatchEventsRequest.SerializeToString,
            response_deserializer=pb.WatchEventsResponse.FromString,
        )
        call = method(pb.WatchEventsRequest(**request))
        try:
            yield call
        finally:
            call.cancel()


async def test_a_new_watcher_is_first_told_the_present_state() -> None:
    async with running() as served:
        await served.control.command(PauseBackend("beta"), ME)
        now = served.control.snapshot()
        async with stream(served) as call:
            told = [read_event(event) for event in (await call.read()).events]
        assert all(watched.initial and watched.delivery.sequence == now.sequence for watched in told)
        events = [watched.delivery.event for watched in told]
        states = {e.backend: e.transition.to_state for e in events if isinstance(e, BackendEvent)}
        assert states == {name: backend.state for name, backend in now.backends.items()}
        assert all(e.transition.from_state is e.transition.to_state for e in events if isinstance(e, BackendEvent))
        assert {e.frontend for e in events if isinstance(e, FrontendEvent)} == {"web", "dns"}
        effective = {(e.frontend, e.backend): e.effective for e in events if isinstance(e, WeightEvent)}
        assert effective[("web", "alpha")] == 100
        assert effective[("web", "beta")] == 0
        assert [e.change.value for e in events if isinstance(e, DataplaneEvent)] == ["connected"]


async def test_a_filter_holds_for_the_state_and_for_changes() -> None:
    wanted = {"kinds": [pb.EVENT_KIND_BACKEND], "backends": ["alpha"]}
    async with running() as served, stream(served, **wanted) as call:
        first = await call.read()
        assert [event.backend.backend for event in first.events] == ["alpha"]
        await served.control.command(PauseBackend("beta"), ME)
        await served.control.command(PauseBackend("alpha"), ME)
        second = await call.read()
        assert [(e.backend.backend, e.backend.transition.to_state) for e in second.events] == [
            ("alpha", pb.BACKEND_STATE_PAUSED)
        ]


async def test_a_watcher_may_do_without_the_state() -> None:
    async with running() as served, stream(served, initial_state=pb.INITIAL_STATE_NONE) as call:
        assert not (await call.read()).events
        await served.control.command(PauseBackend("alpha"), ME)
        assert (await call.read()).events[0].sequence


async def test_nothing_is_missed_between_state_and_changes() -> None:
    async with running() as served, served.client() as client:
        async with aclosing(client.watch()) as items:
            state = await anext(items)
            assert isinstance(state, Connected)
            assert state.snapshot.backends["alpha"].state is BackendState.UP
            for command in (PauseBackend("alpha"), ResumeBackend("alpha")):
                await served.control.command(command, ME)
            seen: list[BackendState] = []
            expected = state.snapshot.sequence
            while len(seen) < 2:
                item = await anext(items)
                assert isinstance(item, Watched)
                expected += 1
                if isinstance(item.delivery.event, BackendEvent):
                    seen.append(item.delivery.event.transition.to_state)
        assert seen == [BackendState.PAUSED, BackendState.UP]


async def test_log_records_come_with_their_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "maglev")
    async with running() as served, served.client() as client, aclosing(client.watch(LOGS)) as items:
        assert isinstance(await anext(items), Connected)
        await client.command(PauseBackend("alpha"))
        event = None
        while not isinstance(event, LogEvent) or event.message != "audit":
            item = await anext(items)
            event = item.delivery.event if isinstance(item, Watched) else None
        assert event.fields["arg_backend"] == "alpha"
        assert event.fields["via"] == "grpc"


async def test_an_unknown_name_in_a_filter_is_refused() -> None:
    async with running() as served, served.client() as client:
        with pytest.raises(UnknownName, match="did you mean 'alpha'"):
            await anext(client.watch(EventFilter(backends=frozenset({"alpa"}))))
        with pytest.raises(UnknownName, match="no frontend"):
            await anext(client.watch(EventFilter(frontends=frozenset({"wep"}))))
        await until(lambda: not subscribers(served), "nobody is subscribed")


async def test_an_event_is_serialised_once_however_many_watch() -> None:
    async with running() as served, served.client() as client:
        assert served.exporter.watching
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(count_logs, client, 50)
            await until(lambda: subscribers(served) == 20, "all watch")
            publish(served, 50)
        assert served.exporter.watching.serialised.made == 50


async def count_logs(client: Any, wanted: int) -> None:
    """Read until the last log record, which must be all there is, in order."""
    numbers: list[int] = []
    lost = 0
    async with aclosing(client.watch(LOGS)) as items:
        async for item in items:
            if isinstance(item, Watched) and isinstance(item.delivery.event, LogEvent):
                lost += item.delivery.lost
                numbers.append(int(item.delivery.event.fields["n"]))
                if numbers[-1] == wanted - 1:
                    break
    assert numbers == sorted(numbers)
    assert len(numbers) + lost == wanted


def publish(served: Served, count: int, start: int = 0, **fields: Any) -> None:
    for number in range(start, start + count):
        bus_of(served).publish(LogEvent(1.0, "info", "counted", {"n": number, **fields}))


async def test_a_hundred_watchers_get_a_thousand_events_in_order_or_counted_as_lost() -> None:
    async with running() as served, served.client() as one, served.client() as other:
        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(count_logs, (one, other)[number % 2], 1000)
            await until(lambda: subscribers(served) == 100, "all watch")
            for start in range(0, 1000, 50):
                publish(served, 50, start)
                await anyio.lowlevel.checkpoint()
        await until(lambda: not subscribers(served), "all have left")


async def test_a_watcher_that_does_not_read_is_bounded_and_told_what_it_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maglev.runtime.bus.LATE_S", 0.0)  # whatever waits is late
    filling = "x" * 1000
    async with running(watch_buffer=64) as served, served.client() as client:
        async with aclosing(client.watch(LOGS)) as items:
            assert isinstance(await anext(items), Connected)
            (subscriber,) = bus_of(served).subscribers
            rounds = 0
            # Until all buffers on the way are full.
            while subscriber._first_left() == subscriber._next and rounds < 2000:
                publish(served, 50, rounds * 50, filling=filling)
                rounds += 1
                await anyio.sleep(0.011)
            assert subscriber._log.end - subscriber._first_left() <= 64
            numbers: list[int] = []
            lost, wanted = 0, rounds * 50
            while not numbers or numbers[-1] < wanted - 1:
                item = await anext(items)
                assert isinstance(item, Watched)
                assert isinstance(item.delivery.event, LogEvent)
                numbers.append(int(item.delivery.event.fields["n"]))
                lost += item.delivery.lost
        assert lost > 0
        assert numbers == sorted(numbers)
        assert len(numbers) + lost == wanted


async def test_watchers_beyond_the_limit_are_refused_until_one_leaves() -> None:
    async with running(max_watchers=2) as served, served.client() as client:
        async with stream(served) as one, stream(served) as two:
            await one.read()
            await two.read()
            with pytest.raises(ResourceExhausted, match="2 watchers already"):
                await anext(client.watch(reconnect=False))
            assert (await client.info()).watchers == 2
        await until(lambda: not subscribers(served), "both have left")
        assert isinstance(await anext(client.watch(reconnect=False)), Connected)


async def test_nothing_is_left_of_watchers_that_hang_up() -> None:
    async with running() as served:
        for _ in range(5):
            async with stream(served) as call:
                await call.read()
        await until(lambda: not subscribers(served), "all have left")
        assert served.exporter.watching
        assert served.exporter.watching.watchers == 0


async def test_a_shutdown_ends_streams_with_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as served, stream(served) as call:
        await call.read()
        served.stop()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "shutting down" in (caught.value.details() or "")
        await served.stopped.wait()
    gc.collect()
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")]


async def test_a_watch_reconnects_and_begins_with_a_fresh_state() -> None:
    async with running() as served:
        port = served.exporter.port
        async with connect(served.target) as client, aclosing(client.watch()) as items:
            assert isinstance(await anext(items), Connected)
            served.stop()
            await served.stopped.wait()
            while not isinstance(item := await anext(items), Disconnected):
                assert isinstance(item, Watched)
            assert "shutting down" in item.why or "connect" in item.why
            await served.control.command(PauseBackend("alpha"), ME)
            async with exported(served.control, served.store, addr=f"localhost:{port}"):
                while not isinstance(item := await anext(items), Connected):
                    assert isinstance(item, Disconnected)
                assert item.snapshot.backends["alpha"].state is BackendState.PAUSED


async def test_a_watch_that_is_not_to_reconnect_raises() -> None:
    async with running() as served, served.client() as client, aclosing(client.watch(reconnect=False)) as items:
        assert isinstance(await anext(items), Connected)
        served.stop()
        with pytest.raises(Unavailable, match="shutting down"):
            await to_the_end(items)


async def to_the_end(items: AsyncIterator[object]) -> None:
    async for _item in items:
        pass
