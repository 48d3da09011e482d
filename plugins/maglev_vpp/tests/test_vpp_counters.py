"""Counters, from the memory that VPP shares."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneError,
    DeleteVip,
    Encap,
    IPProtocol,
    LostKind,
    VipAttributes,
    VipCounters,
    VipKey,
)
from maglev_vpp import VppDataplane, VppOptions
from maglev_vpp.session import VppSession
from maglev_vpp.stats import Segment, StatsError, open_stats
from plugins.maglev_vpp.tests.conftest import SHORT_TIMINGS
from plugins.maglev_vpp.tests.standin.harness import Standin

WEB, TLS = (VipKey(IPv4Address("192.0.2.80"), IPProtocol.TCP, port) for port in (80, 443))
GRE4 = VipAttributes(Encap.GRE4, 1024)


def of(counters: Sequence[VipCounters], vip: VipKey) -> VipCounters:
    return next(c for c in counters if c.vip == vip)


async def test_packets_are_summed_over_workers_and_the_route_is_shared_by_its_vips(
    dataplane: VppDataplane, standin: Standin
) -> None:
    async with dataplane.connect() as session:
        await session.apply([AddVip(WEB, GRE4), AddVip(TLS, GRE4)])
        await standin.do("count", number=2, packets=[100, 20, 3, 4], route=[127, 9000])
        counters = await session.counters()
        packets = {"existing": 100, "first": 20, "untracked": 3, "no_server": 4}
        assert of(counters, TLS) == VipCounters(TLS, packets, 127, 9000)
        assert of(counters, WEB) == VipCounters(WEB, dict.fromkeys(packets, 0), 127, 9000)


async def test_a_vip_that_is_made_anew_counts_from_zero(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await session.apply([AddVip(WEB, GRE4)])
        await standin.do("count", number=1, packets=[100, 20, 3, 4], route=[127, 9000])
        assert of(await session.counters(), WEB).packets["existing"] == 100
        await session.apply([DeleteVip(WEB), AddVip(WEB, GRE4)])
        assert of(await session.counters(), WEB) == VipCounters(
            WEB, {"existing": 0, "first": 0, "untracked": 0, "no_server": 0}, 0, 0
        )


async def test_an_empty_vpp_has_no_counters(dataplane: VppDataplane) -> None:
    async with dataplane.connect() as session:
        assert list(await session.counters()) == []


async def test_without_statistics_there_are_no_counters_and_that_is_told(standin: Standin) -> None:
    options = VppOptions(standin.options.api_addr, "")
    async with VppDataplane(options, SHORT_TIMINGS).connect() as session:
        await session.apply([AddVip(WEB, GRE4)])
        assert list(await session.counters()) == []
        assert session.info.capabilities == {"entries"}
        assert "vpp-stats-addr is empty" in session.info.missing[0]
        assert session.info.boot_id == str(standin.pid)


@pytest.mark.parametrize("kind", ["without-routes", "changed-routes"])
async def test_a_vpp_without_a_usable_route_lookup_counts_the_rest(folder: Path, kind: str) -> None:
    standin = Standin(folder, kind)
    await standin.start()
    try:
        async with VppDataplane(standin.options, SHORT_TIMINGS).connect() as session:
            await session.apply([AddVip(WEB, GRE4)])
            assert of(await session.counters(), WEB).route_packets is None
            assert session.info.missing == ("counters of routes: VPP lacks ip_route_lookup",)
            await session.apply([AddServer(WEB, IPv4Address("198.51.100.1"), 1)])
            await session.read(details=True)
            assert isinstance(session, VppSession)
            assert session.findings.unrouted == ()
    finally:
        await standin.kill()


async def test_statistics_that_stay_locked_end_the_session(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await session.apply([AddVip(WEB, GRE4)])
        await session.counters()
        await standin.do("lock_stats", on=True)
        with pytest.raises(DataplaneError, match="could not be read within"):
            await session.counters()
        assert (await session.lost()).kind is LostKind.SILENT
    await standin.do("lock_stats", on=False)
    async with dataplane.connect() as session:
        await session.read()
        assert len(await session.counters()) == 1


async def test_the_memory_of_a_dead_vpp_is_not_read(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await session.apply([AddVip(WEB, GRE4)])
        await session.counters()
        await standin.restart()
        await session.lost()
        with pytest.raises(DataplaneError):
            await session.counters()
    async with dataplane.connect() as session:
        assert list(await session.counters()) == []


async def test_memory_that_is_not_vpps_is_refused(dataplane: VppDataplane, standin: Standin) -> None:
    async with open_stats(standin.options.stats_addr, 0.5) as stats:
        with pytest.raises(DataplaneError, match="no such"):
            await stats.read(lambda segment: segment["no such"])


def test_a_reader_gives_up_when_its_time_is_up() -> None:
    segment = Segment("nowhere", 0.0)
    with pytest.raises(StatsError, match="within 0 s"):
        segment.check_deadline()
