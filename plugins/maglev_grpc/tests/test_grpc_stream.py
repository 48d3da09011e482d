"""`Client.stream`: a call's own messages until it ends, and a new one where the last broke off."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from maglev.api import (
    Actor,
    BackendSnapshot,
    BackendState,
    EventFilter,
    EventKind,
    LogEvent,
    PauseBackend,
    ResumeBackend,
    UnknownName,
)
from maglev.runtime import bus
from maglev_grpc.client import Client, Unavailable, connect
from maglev_grpc.convert import from_message, read_event, watch_request
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from plugins.maglev_grpc.tests.serving import exported, running, until
from plugins.maglev_grpc.tests.test_grpc_client import free_port

ME = Actor("test", "library")
BACKENDS = EventFilter(kinds=frozenset({EventKind.BACKEND}))
LOGS = EventFilter(kinds=frozenset({EventKind.LOG}))


def events(client: Client, wanted: EventFilter = BACKENDS) -> AsyncGenerator[Any, None]:
    """A stream that begins with a snapshot."""
    return client.stream("WatchEvents", watch_request(wanted, pb.INITIAL_STATE_SNAPSHOT))


def alpha_in(response: Any) -> BackendState:
    (backend,) = [backend for backend in response.snapshot.backends if backend.name == "alpha"]
    return from_message(BackendSnapshot, backend).state


async def test_a_stream_yields_the_call_s_own_messages() -> None:
    async with running() as served, served.client() as client, aclosing(events(client)) as responses:
        first = await anext(responses)
        assert isinstance(first, pb.WatchEventsResponse)
        assert alpha_in(first) is BackendState.UP
        await client.command(PauseBackend("alpha"))
        second = await anext(responses)
        assert [event.backend.backend for event in second.events] == ["alpha"]
        assert second.events[0].sequence > first.snapshot.sequence


async def test_a_stream_that_is_closed_leaves_nothing_on_the_server() -> None:
    async with running() as served, served.client() as client:
        async with aclosing(events(client)) as responses:
            await anext(responses)
            assert len(served.control.bus.subscribers) == 1
        await until(lambda: not served.control.bus.subscribers, "the watcher has left")
        assert (await client.info()).version  # the connection lives on


async def test_what_the_controller_refuses_is_raised_as_by_any_call() -> None:
    unknown = EventFilter(kinds=BACKENDS.kinds, backends=frozenset({"alpa"}))
    async with running() as served, served.client() as client, aclosing(events(client, unknown)) as responses:
        with pytest.raises(UnknownName, match="no backend 'alpa'; did you mean 'alpha'"):
            await anext(responses)


async def test_nobody_there_is_unreachable() -> None:
    async with connect(f"127.0.0.1:{free_port()}") as client, aclosing(events(client)) as responses:
        with pytest.raises(Unavailable):
            await anext(responses)


async def test_a_stream_ends_with_its_server_and_the_next_one_begins_with_what_is_then() -> None:
    address = f"127.0.0.1:{free_port()}"
    async with running() as served, connect(address) as client:
        async with exported(served.control, addr=address) as front, aclosing(events(client)) as responses:
            assert alpha_in(await anext(responses)) is BackendState.UP
            front.stop()
            with pytest.raises(Unavailable, match="shutting down"):
                await anext(responses)
            await front.stopped.wait()
        await served.control.command(PauseBackend("alpha"), ME)  # nobody is told of it, but it shows
        async with (
            exported(served.control, addr=address),
            aclosing(again(client)) as responses,
        ):
            first = await anext(responses)
            assert alpha_in(first) is BackendState.PAUSED
            await served.control.command(ResumeBackend("alpha"), ME)
            (event,) = (await anext(responses)).events
            assert event.sequence > first.snapshot.sequence
            assert event.backend.transition.to_state == pb.BACKEND_STATE_UP


async def again(client: Client) -> AsyncGenerator[Any, None]:
    """A stream from a server that is just coming back."""
    while True:
        try:
            async with aclosing(events(client)) as responses:
                async for response in responses:
                    yield response
        except Unavailable:
            await anyio.sleep(0.05)


async def test_a_reader_who_is_too_slow_is_told_how_many_events_it_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "LATE_S", 0.0)
    count, numbers = 3000, [-1]
    async with (
        running(watch_buffer=16) as served,
        served.client() as client,
        aclosing(events(client, LOGS)) as responses,
    ):
        first = await anext(responses)
        for number in range(count):
            served.control.bus.publish(log_event(number))
        told = lost = 0
        last = first.snapshot.sequence
        while told + lost < count:
            for message in (await anext(responses)).events:
                delivery = read_event(message).delivery
                assert delivery.sequence > last
                last, told, lost = delivery.sequence, told + 1, lost + delivery.lost
                numbers.append(from_message(LogEvent, message.log).fields["number"])
        assert told + lost == count
        assert lost > 0
        assert numbers == sorted(numbers)
        assert numbers[-1] == count - 1


def log_event(number: int) -> LogEvent:
    """An event that is one of many."""
    return LogEvent(1.0, "info", "one of many", {"number": number})


@pytest.mark.parametrize("given,found", [(None, "NONE"), ("DEBUG", "DEBUG")])
def test_grpc_writes_nothing_to_standard_error_unless_it_is_told_to(given: str | None, found: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    if given is not None:
        environment["GRPC_VERBOSITY"] = given
    code = "import os, maglev_grpc.client; print(os.environ['GRPC_VERBOSITY'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == found
