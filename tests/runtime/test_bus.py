"""The event bus: numbered events, nothing missed, and a slow reader hurts nobody but itself."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.api import (
    BackendEvent,
    BackendState,
    DataplaneChange,
    DataplaneEvent,
    Delivery,
    Event,
    EventFilter,
    EventKind,
    FrontendEvent,
    FrontendState,
    LagEvent,
    LogEvent,
    ProbeEvent,
    ProbePhase,
    SyncEvent,
    Transition,
    WeightEvent,
)
from maglev.runtime import bus as module
from maglev.runtime.bus import Bus, is_wanted

ALL = EventFilter(frozenset(EventKind))
PROBE = frozenset({EventKind.PROBE})
LAG = EventFilter(frozenset({EventKind.LAG}))


def lag(number: int) -> LagEvent:
    return LagEvent(float(number), 0.0)


def backend(name: str) -> BackendEvent:
    return BackendEvent(0.0, name, ("web",), Transition(BackendState.UNKNOWN, BackendState.UP, 0.0))


def frontend(name: str) -> FrontendEvent:
    return FrontendEvent(0.0, name, FrontendState.UP, FrontendState.DOWN, "primary")


def weight(of_frontend: str, of_backend: str) -> WeightEvent:
    return WeightEvent(0.0, of_frontend, "primary", of_backend, 100, 100, 0, "configured")


def sync(*frontends: str) -> SyncEvent:
    return SyncEvent(0.0, "transition", frontends, {"set-weight": 1})


async def test_events_are_numbered_one_by_one_and_a_filter_leaves_gaps() -> None:
    bus = Bus()
    with bus.subscribe(LAG, 10) as reader:
        bus.publish(lag(1))
        bus.publish(backend("a"))
        bus.publish(lag(3))
        assert [(seen.sequence, seen.event) for seen in await reader.batch()] == [(1, lag(1)), (3, lag(3))]
    assert bus.sequence == 3


async def test_a_reader_waits_for_the_next_event() -> None:
    bus = Bus()
    seen: list[Event] = []
    with bus.subscribe(LAG, 10) as reader:

        async def read() -> None:
            seen.extend(delivery.event for delivery in await reader.batch())

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            assert seen == []
            bus.publish(lag(1))
    assert seen == [lag(1)]


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def test_a_slow_reader_loses_its_oldest_events_and_is_told_how_many() -> None:
    clock = Clock()
    bus = Bus(clock)
    with bus.subscribe(LAG, 2) as slow, bus.subscribe(LAG, 10) as quick:
        for number in range(1, 6):
            bus.publish(lag(number))
            clock.now_s += module.LATE_S + 1
        assert [(seen.event.at_s, seen.lost) for seen in await slow.batch()] == [(4.0, 3), (5.0, 0)]
        assert [(seen.event.at_s, seen.lost) for seen in await quick.batch()] == [(n, 0) for n in range(1, 6)]
        bus.publish(lag(6))
        assert [(seen.event.at_s, seen.lost) for seen in await slow.batch()] == [(6.0, 0)]


async def test_a_burst_of_any_size_reaches_a_reader_that_is_not_late() -> None:
    """An outage of 2 000 backends: each goes down, and takes a weight and at last a frontend along."""
    bus = Bus(Clock())
    with bus.subscribe(ALL, 1024) as reader:
        for number in range(2000):
            bus.publish(backend(f"b{number}"))
            bus.publish(weight("web", f"b{number}"))
            bus.publish(frontend("web"))
        seen = await reader.batch()
    assert [delivery.sequence for delivery in seen] == list(range(1, 6001))
    assert not any(delivery.lost for delivery in seen)


async def test_a_reader_that_comes_late_is_left_with_its_buffer() -> None:
    clock = Clock()
    bus = Bus(clock)
    with bus.subscribe(LAG, 10) as reader:
        for number in range(1, 101):
            bus.publish(lag(number))
        clock.now_s += module.LATE_S + 1
        bus.publish(lag(101))
        seen = await reader.batch()
    assert [(delivery.sequence, delivery.lost) for delivery in seen[:2]] == [(92, 91), (93, 0)]
    assert len(seen) == 10


async def test_one_that_never_reads_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 50)
    bus = Bus(Clock())
    with bus.subscribe(LAG, 10) as reader:
        for number in range(1, 1001):
            bus.publish(lag(number))
        assert len(reader._log.kept) == 50
        assert (await reader.batch())[0].lost == 950


async def test_readers_that_do_not_read_cost_the_publisher_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: the events of one filter are kept once, and who reads gets them all."""
    added: list[int] = []
    add = module._Log.add

    def counted(log: Any, entry: tuple[float, Delivery]) -> None:
        added.append(entry[1].sequence)
        add(log, entry)

    monkeypatch.setattr(module._Log, "add", counted)
    bus = Bus()
    with ExitStack() as stack:
        readers = [stack.enter_context(bus.subscribe(EventFilter(ALL.kinds), 10)) for _ in range(50)]
        for number in range(1, 101):
            bus.publish(lag(number))
        assert added == list(range(1, 101))
        assert [delivery.sequence for delivery in await readers[-1].batch()] == added


async def test_a_late_reader_takes_nothing_from_one_with_the_same_filter() -> None:
    clock = Clock()
    bus = Bus(clock)
    with bus.subscribe(LAG, 2) as late, bus.subscribe(LAG, 100) as patient, bus.subscribe(LAG, 2) as quick:
        for number in range(1, 11):
            bus.publish(lag(number))
            assert [seen.sequence for seen in await quick.batch()] == [number]
            clock.now_s += module.LATE_S
        assert [(seen.sequence, seen.lost) for seen in await patient.batch()] == [(n, 0) for n in range(1, 11)]
        assert [(seen.sequence, seen.lost) for seen in await late.batch()] == [(9, 8), (10, 0)]


@given(buffer=st.integers(1, 5), bursts=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=12))
async def test_every_event_is_delivered_or_counted_as_lost(buffer: int, bursts: list[tuple[int, bool]]) -> None:
    clock = Clock()
    bus = Bus(clock)
    with bus.subscribe(LAG, buffer) as reader:
        expected = 1
        for burst, reads in [*bursts, (1, True)]:
            for _ in range(burst):
                bus.publish(lag(bus.sequence + 1))
                clock.now_s += 0.45 * module.LATE_S
            if not (reads and reader._next < reader._log.end):
                continue
            for delivery in await reader.batch():
                assert delivery.sequence == expected + delivery.lost
                expected = delivery.sequence + 1
        assert expected == bus.sequence + 1


async def test_closing_ends_a_reader_once_it_has_read_what_is_left() -> None:
    bus = Bus()
    with bus.subscribe(LAG, 10) as reader:
        bus.publish(lag(1))
        bus.close()
        assert [delivery.event async for delivery in reader] == [lag(1)]
        assert await reader.batch() == []


async def test_closing_wakes_a_reader_that_waits() -> None:
    bus = Bus()
    with bus.subscribe(LAG, 10) as reader:
        async with anyio.create_task_group() as group:
            group.start_soon(reader.batch)
            await anyio.wait_all_tasks_blocked()
            bus.close()


async def test_a_subscription_to_a_closed_bus_ends_at_once() -> None:
    bus = Bus()
    bus.close()
    with bus.subscribe(LAG, 10) as reader:
        assert await reader.batch() == []


async def test_a_closed_bus_is_drained_once_every_reader_has_left() -> None:
    bus = Bus()
    seen: list[Event] = []

    async def read(ready: anyio.Event) -> None:
        with bus.subscribe(LAG, 10) as reader:
            ready.set()
            seen.extend([delivery.event async for delivery in reader])

    async with anyio.create_task_group() as group:
        for ready in (anyio.Event(), anyio.Event()):
            group.start_soon(read, ready)
            await ready.wait()
        bus.publish(lag(1))
        bus.close()
        await bus.drained()
        assert seen == [lag(1), lag(1)]


def test_kinds_are_wanted_only_while_somebody_listens() -> None:
    bus = Bus()
    assert not bus.wants(EventKind.PROBE)
    with bus.subscribe(ALL, 1), bus.subscribe(LAG, 1):
        assert bus.wants(EventKind.PROBE)
    assert not bus.wants(EventKind.LAG)


def test_who_left_hears_nothing_more() -> None:
    bus = Bus()
    with bus.subscribe(LAG, 10) as reader:
        pass
    bus.publish(lag(1))
    assert reader._next == reader._log.end


@pytest.mark.parametrize(
    "wanted, event, through",
    [
        (EventFilter(), backend("a"), True),
        (EventFilter(), ProbeEvent(0.0, "a", ProbePhase.START), False),
        (EventFilter(), LogEvent(0.0, "error", "x"), False),
        (EventFilter(frozenset({EventKind.LOG})), LogEvent(0.0, "debug", "x"), False),
        (EventFilter(frozenset({EventKind.LOG})), LogEvent(0.0, "info", "x"), True),
        (EventFilter(frozenset({EventKind.LOG}), log_level="error"), LogEvent(0.0, "warning", "x"), False),
        (EventFilter(backends=frozenset({"a"})), backend("a"), True),
        (EventFilter(backends=frozenset({"a"})), backend("b"), False),
        (EventFilter(backends=frozenset({"a"})), frontend("web"), True),
        (EventFilter(frontends=frozenset({"web"})), frontend("web"), True),
        (EventFilter(frontends=frozenset({"web"})), frontend("api"), False),
        (EventFilter(frontends=frozenset({"web"})), weight("web", "a"), True),
        (EventFilter(frontends=frozenset({"web"}), backends=frozenset({"b"})), weight("web", "a"), False),
        (EventFilter(frontends=frozenset({"web"})), sync("web", "api"), True),
        (EventFilter(frontends=frozenset({"web"})), sync("api"), False),
        (EventFilter(frontends=frozenset({"web"})), sync(), True),
        (EventFilter(frontends=frozenset({"web"})), DataplaneEvent(0.0, "memory", DataplaneChange.LOST), True),
        (
            EventFilter(frozenset({EventKind.PROBE}), backends=frozenset({"a"})),
            ProbeEvent(0.0, "b", ProbePhase.START),
            False,
        ),
    ],
)
def test_a_filter_lets_through_what_it_says(wanted: EventFilter, event: Event, through: bool) -> None:
    assert is_wanted(wanted, event) is through


async def test_a_subscriber_keeps_at_least_one_event() -> None:
    clock = Clock()
    bus = Bus(clock)
    with bus.subscribe(LAG, 0) as reader:
        bus.publish(lag(1))
        clock.now_s += module.LATE_S + 1
        bus.publish(lag(2))
        assert [delivery.sequence for delivery in await reader.batch()] == [2]
