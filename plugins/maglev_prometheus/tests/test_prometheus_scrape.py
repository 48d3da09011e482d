"""Scrapes among themselves, and what one does when the dataplane does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from itertools import chain

import anyio
import anyio.lowlevel
import pytest

from maglev.api import (
    BackendMetrics,
    BackendState,
    CommandError,
    DataplaneError,
    Metrics,
    NotConnected,
    VipCounters,
)
from maglev_prometheus import scrape
from maglev_prometheus.probes import Probes
from maglev_prometheus.scrape import Meters, Scrapes
from maglev_prometheus.text import OPENMETRICS, TEXT, Format
from maglev_prometheus.traffic import Traffic
from plugins.maglev_prometheus.tests.controller_setup import values
from plugins.maglev_prometheus.tests.model import FakeControl, vip


class Asked(FakeControl):
    """Counts how often it is asked."""

    times = 0

    def metrics(self) -> Metrics:
        self.times += 1
        return super().metrics()


def many(count: int = 5_000) -> list[BackendMetrics]:
    return [BackendMetrics(f"b{number}", "http", BackendState.UP, 4) for number in range(count)]


def scrapes_of(world: FakeControl) -> Scrapes:
    return Scrapes(world, Meters(Probes(each_backend=True)))  # type: ignore[arg-type]  # enough of a control


async def test_who_asks_at_the_same_time_shares_a_scrape() -> None:
    world = Asked(many())
    scrapes = scrapes_of(world)
    got: list[Sequence[bytes]] = []

    async def ask() -> None:
        got.append(await scrapes.exposition(TEXT))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
    assert (len(got), world.times) == (50, 1)
    await ask()
    assert world.times == 2


async def test_who_asks_while_a_scrape_is_made_gets_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "SLICE_S", 0.0)
    world = Asked(many())
    scrapes = scrapes_of(world)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scrapes.exposition, TEXT)
        while not world.times:
            await anyio.lowlevel.checkpoint()
        for _ in range(50):
            tasks.start_soon(scrapes.exposition, TEXT)
    assert world.times == 2


async def test_the_two_formats_are_not_mixed_up() -> None:
    scrapes = scrapes_of(FakeControl(many(10)))
    got = {}

    async def ask(name: str, form: Format) -> None:
        got[name] = b"".join(await scrapes.exposition(form))

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(ask, f"text {number}", TEXT)
            tasks.start_soon(ask, f"openmetrics {number}", OPENMETRICS)
    assert {name for name, text in got.items() if text.endswith(b"# EOF\n")} == {f"openmetrics {n}" for n in range(4)}


async def test_a_client_that_leaves_takes_nobody_elses_scrape_along() -> None:
    scrapes = scrapes_of(FakeControl(many()))
    got = []

    async def ask() -> None:
        got.append(await scrapes.exposition(TEXT))

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.lowlevel.checkpoint()
            scope.cancel()
    await ask()
    assert len(got) == 1


async def test_a_scrape_gives_the_loop_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "SLICE_S", 0.0)
    scrapes = scrapes_of(FakeControl(many()))
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turn)
        await scrapes.exposition(TEXT)
        tasks.cancel_scope.cancel()
    assert scrapes.cost is not None
    assert turns >= scrapes.cost.slices > 100


@pytest.mark.parametrize(
    "error", [DataplaneError("told to"), NotConnected("told to"), CommandError("told to"), TimeoutError()]
)
async def test_without_the_dataplanes_counters_the_rest_is_said(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeControl):
        async def counters(self) -> Sequence[VipCounters]:
            raise error

    world = Broken(many(3))
    for _ in range(3):
        now = values(b"".join(await scrapes_of(world).exposition(TEXT)).decode())
        assert 'maglev_backend_state{backend="b1",state="up"}' in now
    assert "without the dataplane's counters" in caplog.text


async def test_a_dataplane_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "COUNTERS_WITHIN_S", 0.01)

    class Hanging(FakeControl):
        async def counters(self) -> Sequence[VipCounters]:
            await anyio.sleep_forever()
            raise AssertionError

    assert await scrapes_of(Hanging(many(3))).exposition(TEXT)


def counted(value: int, *, port: int = 443) -> VipCounters:
    return VipCounters(vip("192.0.2.1", port), {"first": value}, value * 2, value * 100)


def said(traffic: Traffic, *counters: VipCounters) -> list[float]:
    text = "".join([*traffic.packets(counters), *chain(*traffic.routes(counters))])
    return [float(line.rsplit(" ", 1)[1]) for line in text.splitlines()]


def test_what_starts_over_is_added_to_what_was() -> None:
    traffic = Traffic()
    assert said(traffic, counted(5)) == [5, 10, 500]
    assert said(traffic, counted(2)) == [7, 14, 700]
    assert said(traffic, counted(3)) == [8, 16, 800]
    assert said(traffic, counted(0)) == [8, 16, 800]


def test_a_vip_that_is_away_for_a_while_is_remembered_as_long_as_it_is_configured() -> None:
    traffic = Traffic()
    said(traffic, counted(5))
    traffic.keep({vip("192.0.2.1")}, ())
    assert said(traffic, counted(1)) == [6, 12, 600]
    traffic.keep((), ())
    assert said(traffic, counted(1)) == [1, 2, 100]


def test_the_vips_of_one_address_share_its_route() -> None:
    assert said(Traffic(), counted(5), counted(5, port=80)) == [5, 5, 10, 500]


def test_a_prefix_is_that_of_a_host() -> None:
    v6 = VipCounters(vip("2001:db8::1"), {"first": 1})
    assert 'prefix="2001:db8::1/128"' in "".join(Traffic().packets([v6]))
    assert ip_address("2001:db8::1") == v6.vip.address
