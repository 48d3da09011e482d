"""Nothing that is sent or asked may exhaust a memory of VPP: it aborts when one is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from ipaddress import IPv4Address, ip_address

import pytest

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneConf,
    DataplaneError,
    DataplaneState,
    DeleteVip,
    Encap,
    Failed,
    IPProtocol,
    NotSent,
    Ok,
    Operation,
    OperationResult,
    ServerState,
    SetConf,
    SetWeight,
    SyncDataplane,
    VipAttributes,
    VipKey,
    VipState,
)
from maglev.config import FrontendConfig
from maglev_vpp import VppDataplane, VppOptions
from maglev_vpp.memory import Cost, Heap, cost, footprint, in_words, needs, sticky_size
from maglev_vpp.session import VppSession
from maglev_vpp.show_vips import COMMAND, longest_output
from plugins.maglev_vpp.tests.controller_setup import ACTOR, config, controller_of, pool, until
from plugins.maglev_vpp.tests.standin.harness import Process, Standin

SOURCES = IPv4Address("192.0.2.1"), ip_address("2001:db8::1")
S1 = IPv4Address("198.51.100.1")
GRE4 = VipAttributes(Encap.GRE4, 1024)
BIG = VipAttributes(Encap.GRE4, 65536)
MIB = 1 << 20
SMALL, LARGE = 7 * MIB // 4, 9 * MIB // 4
"""API segments that do not hold the listing of `listed`, and that do."""


def web(number: int) -> VipKey:
    return VipKey(IPv4Address("192.0.2.80") + number, IPProtocol.TCP, 80)


def conf(buckets: int) -> SetConf:
    return SetConf(DataplaneConf(*SOURCES, sticky_buckets_per_core=buckets))  # type: ignore[arg-type]


@pytest.fixture
async def session(standin: Standin) -> AsyncIterator[VppSession]:
    async with VppDataplane(standin.options).connect() as session:
        assert isinstance(session, VppSession)
        await session.read()
        yield session


async def leave(standin: Standin, free: int) -> int:
    """Have so many bytes of the main heap free; returns what is allocated."""
    used: int = await standin.do("heap", total=1 << 40)
    await standin.do("heap", total=used + free)
    return used


async def alive(session: VppSession) -> DataplaneState:
    return await session.read()


# ------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("buckets", [1 << 26, 1 << 27, 1 << 31, 3, 0])
async def test_sticky_buckets_whose_table_vpp_cannot_make_are_never_sent(
    standin: Standin, session: VppSession, buckets: int
) -> None:
    await session.apply([AddVip(web(0), GRE4)])
    (result,) = await session.apply([conf(buckets)])
    await standin.do("packet")
    assert isinstance(result, Failed)
    assert (await alive(session)).conf.sticky_buckets_per_core == 1024


async def test_sticky_buckets_that_the_heap_cannot_hold_are_refused_with_the_figures_and_the_rest_is_set(
    standin: Standin, session: VppSession
) -> None:
    await session.apply([AddVip(web(0), GRE4)])
    await leave(standin, 100 * MIB)
    (result,) = await session.apply([conf(1 << 25)])
    await standin.do("packet")
    assert isinstance(result, Failed)
    assert "33554432 sticky buckets are not set: 2 GiB are needed, and 100 MiB of" in result.error
    state = await alive(session)
    assert (state.conf.ipv4_source, state.conf.sticky_buckets_per_core) == (SOURCES[0], 1024)


async def test_tables_of_flows_that_are_still_to_be_made_are_counted(standin: Standin, session: VppSession) -> None:
    await leave(standin, 70 * MIB)
    assert list(await session.apply([conf(1 << 20)])) == [Ok()]
    results = await fill(session, [AddVip(web(number), BIG) for number in range(100)])
    await standin.do("packet")
    assert 0 < results.count(Ok()) < 20
    assert len((await alive(session)).vips) == results.count(Ok())


async def test_tables_of_flows_that_are_made_are_counted_once(standin: Standin, session: VppSession) -> None:
    await session.apply([AddVip(web(0), GRE4), conf(1 << 20)])
    await standin.do("packet")
    await leave(standin, 60 * MIB)  # less than a second table of flows
    first = await session.apply([AddVip(web(1), GRE4)])
    await standin.do("beat")
    assert isinstance(first[0], Failed | Ok)
    assert list(await session.apply([AddVip(web(2), GRE4)])) == [Ok()]


async def test_vips_that_do_not_fit_are_refused_with_the_figures_and_those_that_fit_are_made(
    standin: Standin, session: VppSession
) -> None:
    await leave(standin, 20 * MIB)
    results = await fill(session, [AddVip(web(number), BIG) for number in range(200)])
    made, first = results.count(Ok()), next(each for each in results if not isinstance(each, Ok))
    assert 30 < made < 80
    assert isinstance(first, Failed)
    assert first.error.startswith("INVALID_MEMORY_SIZE: 257 KiB are needed, and 2.")
    assert "main-heap-size" in first.error
    assert {type(each) for each in results[made + 1 : 64]} <= {NotSent}
    assert len((await alive(session)).vips) == made


async def test_servers_that_do_not_fit_are_refused(standin: Standin, session: VppSession) -> None:
    await session.apply([AddVip(web(0), GRE4)])
    await leave(standin, 3 * MIB)
    operations = [AddServer(web(0), S1 + number, 10) for number in range(5000)]
    results = await fill(session, operations)
    assert 0 < results.count(Ok()) < 3000
    assert len((await alive(session)).vips[web(0)].servers) == results.count(Ok())


async def test_weights_are_changed_as_long_as_there_is_room_for_a_second_table(
    standin: Standin, session: VppSession
) -> None:
    await session.apply([AddVip(web(0), BIG), AddServer(web(0), S1, 10)])
    await leave(standin, MIB + MIB // 2)
    await session.read()
    assert list(await session.apply([SetWeight(web(0), S1, 5)])) == [Ok()]
    await leave(standin, MIB // 2)
    await session.read()
    (refused,) = await session.apply([SetWeight(web(0), S1, 1)])
    assert isinstance(refused, Failed)
    await leave(standin, 100 * MIB)
    assert list(await session.apply([SetWeight(web(0), S1, 1)])) == [Ok()]


async def test_where_statistics_are_off_everything_is_sent(standin: Standin) -> None:
    await leave(standin, 20 * MIB)
    async with VppDataplane(VppOptions(standin.options.api_addr, "")).connect() as session:
        assert list(await session.apply([conf(1 << 25)])) == [Ok()]


async def test_an_address_that_fits_a_real_vpp_is_not_refused(vpp: Process) -> None:
    async with VppDataplane(vpp.options).connect() as session:
        await session.read()
        operations: list[Operation] = [
            AddVip(web(0), BIG),
            *(AddServer(web(0), S1 + number, 10) for number in range(500)),
        ]
        assert set(await session.apply(operations)) == {Ok()}


async def fill(session: VppSession, operations: Sequence[Operation]) -> list[OperationResult]:
    """Apply in portions, as sync runs do."""
    results: list[OperationResult] = []
    for at in range(0, len(operations), 64):
        results += await session.apply(operations[at : at + 64])
    return results


# ------------------------------------------------------------------------------------------------- reading


async def listed(standin: Standin, *, segment: int) -> None:
    """Fill a VPP so that its listing is longer than its API segment can carry."""
    await standin.do("plant", vips=10, servers=400)
    await standin.do("segment", size=segment)
    await standin.do("report", clear=True)


async def test_a_listing_that_vpp_cannot_carry_is_not_asked_for_and_what_is_missing_is_told(standin: Standin) -> None:
    await listed(standin, segment=SMALL)
    async with VppDataplane(standin.options).connect() as session:
        state = await session.read(details=True)
        assert COMMAND not in (await standin.do("report"))["commands"]
        assert len(state.vips) == 10
        vip = state.vips[web(0)]
        assert (vip.attributes, vip.index) == (VipAttributes(Encap.GRE4, 16, sticky=None), None)
        assert len(vip.servers) == 400
        assert await session.counters() == []
        assert "api-segment" in session.info.missing[-1]


async def test_a_listing_of_what_was_removed_counts_too(standin: Standin) -> None:
    await listed(standin, segment=16 * MIB)
    async with VppDataplane(standin.options).connect() as session:
        assert isinstance(session, VppSession)
        await session.read()
        await session.apply([DeleteVip(web(number)) for number in range(10)])
        await standin.do("segment", size=SMALL)
    async with VppDataplane(standin.options).connect() as session:
        await session.apply([AddVip(web(0), GRE4)])
        assert set((await session.read(details=True)).vips) == {web(0)}
        assert await session.counters() == []


async def test_a_larger_segment_carries_more(standin: Standin) -> None:
    await listed(standin, segment=LARGE)
    async with VppDataplane(standin.options).connect() as session:
        state = await session.read(details=True)
        assert state.vips[web(0)].attributes.sticky
        assert session.info.missing == ()
        assert len(await session.counters()) == 10


async def test_servers_whose_dump_the_heap_cannot_hold_are_not_listed(standin: Standin) -> None:
    await listed(standin, segment=16 * MIB)
    for free, readable in ((MIB // 2, False), (6 * MIB, True)):
        await leave(standin, free)
        async with VppDataplane(standin.options).connect() as session:
            if readable:
                assert len((await session.read()).vips) == 10
            else:
                with pytest.raises(DataplaneError, match=r"cannot be listed without harm: 703 KiB are needed"):
                    await session.read()


async def test_details_of_vips_that_were_known_before_are_kept_and_all_are_known_again_when_they_fit(
    standin: Standin,
) -> None:
    async with VppDataplane(standin.options).connect() as session:
        await session.apply([AddVip(web(100), VipAttributes(Encap.GRE4, 16, sticky=True))])
        await session.read()
        await listed(standin, segment=SMALL)
        vips = (await session.read()).vips
        assert vips[web(100)].attributes.sticky
        assert vips[web(0)].attributes.sticky is None
        assert [each.vip for each in await session.counters()] == [web(100)]
        await standin.do("segment", size=16 * MIB)
    async with VppDataplane(standin.options).connect() as session:
        assert (await session.read()).vips[web(0)].attributes.sticky


async def test_no_output_is_longer_than_was_reckoned(vpp: Process) -> None:
    async with VppDataplane(vpp.options).connect() as session:
        assert isinstance(session, VppSession)
        state = await session.read()
        await session.apply([AddVip(web(200), BIG), *(AddServer(web(200), S1 + number, 100) for number in range(50))])
        state = await session.read()
        reply = await session._connection.call("cli_inband", cmd=COMMAND)
        reckoned = longest_output(len(state.vips), [server for vip in state.vips.values() for server in vip.servers])
        assert len(reply.reply) <= reckoned


async def test_a_controller_works_on_beside_others_whose_listing_vpp_cannot_carry(standin: Standin) -> None:
    await listed(standin, segment=SMALL)
    before = await read_of(standin)
    one = config(web=FrontendConfig("203.0.113.80", [pool("only", a=10)], protocol="tcp", port=80, src_ip_sticky=True))
    async with controller_of(VppDataplane(standin.options), one) as controller:
        await until(lambda: all(each.in_sync for each in controller.snapshot().frontends.values()), "in sync")
        await controller.command(SyncDataplane(), ACTOR)
        assert all(each.in_sync and not each.drift for each in controller.snapshot().frontends.values())
        assert set(controller.snapshot().dataplane.unmanaged) == set(before)
    after = await read_of(standin)
    assert {key: after[key].servers for key in before} == {key: vip.servers for key, vip in before.items()}


async def read_of(standin: Standin) -> Mapping[VipKey, VipState]:
    async with VppDataplane(standin.options).connect() as session:
        return (await session.read()).vips


# --------------------------------------------------------------------------------------------- the reckoning


def test_a_vip_costs_four_bytes_a_bucket_and_little_else() -> None:
    assert 0 <= cost(AddVip(web(0), BIG)).main - 4 * 65536 <= 1024
    assert cost(SetWeight(web(0), S1, 1)) == Cost()


def test_a_sticky_bucket_costs_sixty_four_bytes() -> None:
    assert 0 <= sticky_size(65536) - 64 * 65536 <= 128


def test_an_address_in_many_vips_is_counted_once() -> None:
    one, two = (
        DataplaneState({web(n): VipState(GRE4, {S1: ServerState(1)}) for n in range(k)}, conf(1024).conf)
        for k in (1, 2)
    )
    assert footprint(two).main < 2 * footprint(one).main


def test_gaps_are_used_before_the_tail_of_a_heap() -> None:
    heap = Heap("heap", 100, free=60, tail=40)
    assert heap.piece == 40
    assert heap.take(10).piece == 40
    assert heap.take(30).piece == 20
    assert heap.take(30).left == 30


@pytest.mark.parametrize(
    "size, words", [(0, "0 bytes"), (999, "999 bytes"), (1024, "1 KiB"), (4 << 20, "4 MiB"), (3 << 29, "1.5 GiB")]
)
def test_sizes_are_told_to_three_digits(size: int, words: str) -> None:
    assert in_words(size) == words


def test_a_configuration_that_needs_more_than_a_default_heap_says_where_to_set_it() -> None:
    state = DataplaneState({web(n): VipState(BIG, {}) for n in range(5000)}, conf(1 << 16).conf)
    assert needs(state).startswith(
        "VPP needs 1.22 GiB of its main heap for the VIPs, 256 KiB more while it changes one"
    )
    assert "main-heap-size" in needs(state)
