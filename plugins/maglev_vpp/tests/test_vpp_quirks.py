"""Unexpected behaviour of VPP, one test each; on a real VPP too where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneConf,
    DeleteServer,
    DeleteVip,
    Encap,
    Failed,
    IPProtocol,
    Ok,
    Operation,
    SetConf,
    SetWeight,
    VipAttributes,
    VipKey,
)
from maglev_vpp import VppDataplane
from maglev_vpp.addresses import pack_address, pack_prefix, pack_vip
from maglev_vpp.connection import ApiConnection
from maglev_vpp.session import VppSession
from plugins.maglev_vpp.tests.standin.harness import Process, Standin

V4, V6 = IPv4Address("192.0.2.80"), IPv6Address("2001:db8::80")
WEB, TLS, ALL = VipKey(V4, IPProtocol.TCP, 80), VipKey(V4, IPProtocol.TCP, 443), VipKey(V6, IPProtocol.ANY, 0)
S1, S2 = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
GRE4, STICKY = VipAttributes(Encap.GRE4, 1024), VipAttributes(Encap.GRE4, 1024, sticky=True)


@pytest.fixture
async def session(vpp: Process) -> AsyncIterator[VppSession]:
    """A session with an empty VPP of each kind."""
    async with VppDataplane(vpp.options).connect() as session:
        assert isinstance(session, VppSession)
        await session.apply([DeleteVip(key) for key in (await session.read()).vips])
        yield session
        await session.apply([DeleteVip(key) for key in (await session.read()).vips])


async def write(session: VppSession, *operations: Operation) -> None:
    assert [*await session.apply(operations)] == [Ok()] * len(operations)


async def asked(session: VppSession) -> int:
    """How often VPP's command line was asked."""
    return session.api_counts["cli_inband", "tx", "ok"]


async def test_a_table_of_no_buckets_is_refused_before_vpp_dies_of_it(session: VppSession) -> None:
    operations: list[Operation] = [
        AddVip(WEB, VipAttributes(Encap.GRE4, 0)),
        SetConf(DataplaneConf(sticky_buckets_per_core=0)),
    ]
    assert list(await session.apply(operations)) == [Failed("INVALID_MEMORY_SIZE")] * 2
    assert (await session.read()).vips == {}


@pytest.mark.parametrize(
    "operation",
    [
        AddServer(WEB, S1, 101),
        SetWeight(WEB, S1, 255),
        SetConf(DataplaneConf(flow_timeout_s=0)),
        AddVip(WEB, VipAttributes(Encap.OTHER, 1024)),
    ],
    ids=["a weight above 100", "another", "a timeout of 0", "an encapsulation that we never configure"],
)
async def test_what_vpp_would_take_and_should_not_is_refused(session: VppSession, operation: Operation) -> None:
    (result,) = await session.apply([operation])
    assert isinstance(result, Failed)
    assert result.error.startswith("INVALID_VALUE: ")


COMPATIBLE = IPv6Address("::192.0.2.80")
OTHERS = [
    AddVip(VipKey(COMPATIBLE, IPProtocol.TCP, 80), VipAttributes(Encap.GRE6, 1024)),
    AddVip(VipKey(IPv6Address("::1"), IPProtocol.TCP, 80), GRE4),
    AddVip(VipKey(IPv6Address("fe80::80%eth0"), IPProtocol.TCP, 80), GRE4),
    AddVip(VipKey(V4, IPProtocol.TCP, 0), GRE4),
    AddVip(VipKey(V4, IPProtocol.ANY, 80), GRE4),
    AddVip(VipKey(V4, IPProtocol.TCP, 65_536), GRE4),
    DeleteVip(VipKey(COMPATIBLE, IPProtocol.TCP, 80)),
    AddServer(VipKey(COMPATIBLE, IPProtocol.TCP, 80), S1, 10),
    AddServer(WEB, IPv6Address("::198.51.100.2"), 10),
    AddServer(WEB, IPv6Address("fe80::2%eth0"), 10),
    SetWeight(WEB, IPv6Address("::198.51.100.1"), 0),
    DeleteServer(WEB, IPv6Address("::198.51.100.1")),
    SetConf(DataplaneConf(ipv4_source=IPv4Address("255.255.255.255"))),
    SetConf(DataplaneConf(ipv6_source=IPv6Address((1 << 128) - 1))),
]


@pytest.mark.parametrize("operation", OTHERS, ids=str)
async def test_what_vpp_would_take_for_another_is_refused_and_leaves_the_other_alone(
    session: VppSession, operation: Operation
) -> None:
    await write(session, SetConf(DataplaneConf()), AddVip(WEB, GRE4), AddServer(WEB, S1, 10))
    before = await session.read()
    (result,) = await session.apply([operation])
    assert isinstance(result, Failed)
    assert result.error.startswith("INVALID_VALUE: ")
    assert await session.read() == before


async def test_a_dump_of_servers_by_an_ipv4_prefix_says_nothing_so_none_is_asked(session: VppSession) -> None:
    await write(session, AddVip(WEB, GRE4), AddServer(WEB, S1, 10))
    filtered = await session._connection.dump("lb_as_v2_dump", "lb_as_v2_details", **pack_vip(WEB))
    assert filtered == []
    assert set((await session.read()).vips[WEB].servers) == {S1}


async def test_removed_servers_and_those_of_removed_vips_are_not_there(session: VppSession) -> None:
    await write(session, AddVip(WEB, GRE4), AddServer(WEB, S1, 10), AddServer(WEB, S2, 5), DeleteServer(WEB, S2))
    assert {a: s.weight for a, s in (await session.read()).vips[WEB].servers.items()} == {S1: 10}
    await write(session, DeleteVip(WEB), AddVip(WEB, GRE4), AddServer(WEB, S1, 7))
    rows = await session._connection.dump("lb_as_v2_dump", "lb_as_v2_details")
    assert len(rows) >= 3
    vip = (await session.read()).vips[WEB]
    assert {address: (s.weight, s.buckets) for address, s in vip.servers.items()} == {S1: (7, 1024)}


async def test_all_ports_have_protocol_255_whatever_is_said(session: VppSession) -> None:
    fields = {**pack_vip(ALL), "protocol": 6, "encap": 1, "new_flows_table_length": 1024}
    assert (await session._connection.call("lb_add_del_vip_v2", **fields)).retval == 0
    assert set((await session.read()).vips) == {ALL}
    await write(session, DeleteVip(ALL))


async def test_source_addresses_that_were_never_set_are_none(vpp: Process) -> None:
    await vpp.restart()
    async with VppDataplane(vpp.options).connect() as session:
        assert (await session.read()).conf == DataplaneConf(None, None, 1024, 40)
        conf = DataplaneConf(IPv4Address("192.0.2.1"), None, 2048, 30)
        assert list(await session.apply([SetConf(conf)])) == [Ok()]
        assert (await session.read()).conf == conf


async def make_foreign(connection: ApiConnection, **fields: Any) -> None:
    reply = await connection.call("lb_add_del_vip_v2", **{"new_flows_table_length": 1024, **fields})
    assert reply.retval == 0


async def test_vips_that_maglevd_never_makes_are_left_alone(session: VppSession) -> None:
    network = {"address": pack_address(IPv4Address("203.0.113.0")), "len": 24}
    foreign: list[dict[str, Any]] = [
        {"pfx": network, "protocol": 6, "port": 80},
        {"pfx": pack_prefix(IPv4Address("203.0.113.1")), "protocol": 132, "port": 80},
        {"pfx": pack_prefix(IPv4Address("203.0.113.2")), "protocol": 255, "port": 80},
    ]
    for fields in foreign:
        await make_foreign(session._connection, **fields)
    await write(session, AddVip(WEB, STICKY))
    state = await session.read(details=True)
    assert set(state.vips) == {WEB}
    assert {counters.vip for counters in await session.counters()} == {WEB}
    for fields in foreign:
        await make_foreign(session._connection, **fields, is_del=True)


async def test_other_encapsulations_are_read_as_such_whatever_the_other_fields_hold(session: VppSession) -> None:
    l3dsr, nat4 = VipKey(V4, IPProtocol.ANY, 0), VipKey(V4 + 1, IPProtocol.TCP, 80)
    await make_foreign(session._connection, **pack_vip(l3dsr), encap=2, dscp=7)
    await make_foreign(session._connection, **pack_vip(nat4), encap=3, target_port=8080)
    vips = (await session.read(details=True)).vips
    assert {key: vip.attributes.encap for key, vip in vips.items()} == {l3dsr: Encap.OTHER, nat4: Encap.OTHER}


async def test_a_table_of_more_than_65536_buckets_is_read_back_whole(session: VppSession) -> None:
    await make_foreign(session._connection, **pack_vip(WEB), new_flows_table_length=1 << 18)
    assert (await session.read()).vips[WEB].attributes.table_length == 1 << 18


async def test_the_command_line_is_asked_for_new_vips_only(session: VppSession) -> None:
    before = await asked(session)
    await write(session, AddVip(WEB, STICKY), AddVip(TLS, GRE4), AddServer(WEB, S1, 10))
    for _ in range(3):
        vips = (await session.read()).vips
        assert (vips[WEB].attributes.sticky, vips[TLS].attributes.sticky) == (True, False)
    assert await asked(session) == before + 1
    await write(session, SetWeight(WEB, S1, 3), DeleteServer(WEB, S1), AddServer(WEB, S1, 4), DeleteVip(TLS))
    await session.read()
    await session.counters()
    assert await asked(session) == before + 1


async def test_a_vip_with_servers_that_another_made_anew_is_noticed(vpp: Process, session: VppSession) -> None:
    await write(session, AddVip(WEB, GRE4), AddServer(WEB, S1, 10))
    assert not (await session.read()).vips[WEB].attributes.sticky
    async with VppDataplane(vpp.options).connect() as other:
        await other.apply([DeleteVip(WEB), AddVip(WEB, STICKY), AddServer(WEB, S1, 10)])
    assert (await session.read()).vips[WEB].attributes.sticky
    before = await asked(session)
    await session.read()
    assert await asked(session) == before


@pytest.mark.parametrize("theirs", [[], [AddServer(WEB, S2, 10)]], ids=["without servers", "with another server"])
async def test_a_vip_that_another_made_anew_otherwise_is_noticed(
    vpp: Process, session: VppSession, theirs: list[Operation]
) -> None:
    await write(session, AddVip(WEB, GRE4), AddServer(WEB, S1, 10))
    assert not (await session.read()).vips[WEB].attributes.sticky
    async with VppDataplane(vpp.options).connect() as other:
        await other.apply([DeleteVip(WEB), AddVip(WEB, STICKY), *theirs])
    assert (await session.read()).vips[WEB].attributes.sticky


async def test_a_vip_without_servers_that_another_made_anew_is_noticed_when_it_has_some(
    vpp: Process, session: VppSession
) -> None:
    await write(session, AddVip(WEB, GRE4))
    await session.read()
    async with VppDataplane(vpp.options).connect() as other:
        await other.apply([DeleteVip(WEB), AddVip(WEB, STICKY)])
    await write(session, AddServer(WEB, S1, 10))
    assert (await session.read()).vips[WEB].attributes.sticky


async def test_a_vip_that_another_made_anew_is_noticed_by_its_place(vpp: Process, session: VppSession) -> None:
    await write(session, AddVip(WEB, GRE4), AddVip(TLS, GRE4))
    await session.read()
    async with VppDataplane(vpp.options).connect() as other:
        first = min((await other.read()).vips.items(), key=lambda item: item[1].index or 0)[0]
        await other.apply([DeleteVip(first), AddVip(first, STICKY)])
    assert (await session.read()).vips[first].attributes.sticky


async def test_counters_of_new_vips_cost_one_question(session: VppSession) -> None:
    await write(session, AddVip(WEB, GRE4), AddVip(TLS, GRE4))
    before = await asked(session)
    for _ in range(3):
        assert {counters.vip for counters in await session.counters()} == {WEB, TLS}
    assert await asked(session) == before + 1


async def test_entries_are_counted_and_flushed(standin: Standin) -> None:
    async with VppDataplane(standin.options).connect() as session:
        await session.apply([AddVip(WEB, GRE4), AddServer(WEB, S1, 10), AddServer(WEB, S2, 10)])
        await standin.do("flows", count=7)
        assert [s.entries for s in (await session.read(details=True)).vips[WEB].servers.values()] == [7, 7]
        assert [s.entries for s in (await session.read()).vips[WEB].servers.values()] == [None, None]
        await session.apply([SetWeight(WEB, S1, 0, flush=True), SetWeight(WEB, S2, 0)])
        entries = {a: s.entries for a, s in (await session.read(details=True)).vips[WEB].servers.items()}
        assert entries == {S1: 0, S2: 7}


async def test_leaving_changes_nothing(standin: Standin) -> None:
    async with VppDataplane(standin.options).connect() as session:
        await session.apply([AddVip(WEB, GRE4), AddServer(WEB, S1, 10)])
        await standin.writes(clear=True)
    assert await standin.writes() == []
