from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import anyio
import attrs
import pytest
from anyio.lowlevel import checkpoint

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneConf,
    DeleteServer,
    DeleteVip,
    Encap,
    Flow,
    FlowHash,
    IPProtocol,
    Ok,
    Operation,
    SetConf,
    SetWeight,
    VipAttributes,
    VipKey,
)
from maglev.dataplanes.memory import MemoryDataplane, MemoryStore
from maglev.domain.flow import TCP, UDP, flow_hash
from maglev.domain.table import new_flow_table

VIP = IPv4Address("192.0.2.80")
WEB = VipKey(VIP, IPProtocol.TCP, 80)
GRE4 = VipAttributes(Encap.GRE4, 1024)
S1, S2 = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
FLOWS = [Flow(IPv4Address("203.0.113.1") + index % 50, 1024 + index) for index in range(200)]


def write(store: MemoryStore, *operations: Operation) -> None:
    assert {store.write(operation) for operation in operations} <= {Ok()}


@pytest.fixture
def dataplane() -> MemoryDataplane:
    dataplane = MemoryDataplane()
    write(dataplane.store, AddVip(WEB, GRE4), AddServer(WEB, S1, 10), AddServer(WEB, S2, 10))
    return dataplane


async def packets(dataplane: MemoryDataplane, flows: Sequence[Flow] = FLOWS) -> list[object]:
    return [await dataplane.send(WEB, flow) for flow in flows]


def count(dataplane: MemoryDataplane) -> dict[str, int]:
    (counters,) = dataplane.store.traffic.counters()
    return {kind: number for kind, number in counters.packets.items() if number}


@pytest.mark.parametrize("kind", ["crc32c", "xxhash"])
@pytest.mark.parametrize("sticky", [False, True])
async def test_a_new_flow_gets_the_server_that_table_and_hash_say(kind: FlowHash, sticky: bool) -> None:
    key = VipKey(IPv6Address("2001:db8::80"), IPProtocol.UDP, 53)
    dataplane = MemoryDataplane(store=MemoryStore(flow_hash=kind))
    write(
        dataplane.store,
        AddVip(key, VipAttributes(Encap.GRE4, 512, sticky)),
        AddServer(key, S1, 3),
        AddServer(key, S2, 4),
    )
    table = new_flow_table({S1: 3, S2: 4}, 512)
    for port in range(100):
        source = IPv6Address("2001:db8::1")
        expected = table[flow_hash(source, key.address, port, 53, UDP, sticky=sticky, kind=kind) & 511]
        assert await dataplane.server_for(key, Flow(source, port)) == expected


async def test_a_flow_to_a_vip_of_all_ports_says_its_own_protocol_and_port() -> None:
    key = VipKey(VIP, IPProtocol.ANY, 0)
    dataplane = MemoryDataplane()
    write(dataplane.store, AddVip(key, GRE4), AddServer(key, S1, 3), AddServer(key, S2, 4))
    table = new_flow_table({S1: 3, S2: 4}, 1024)
    for port in range(1, 100):
        source = IPv4Address("203.0.113.1")
        asked = Flow(source, 5000, IPProtocol.TCP, port)
        assert await dataplane.server_for(key, asked) == table[flow_hash(source, VIP, 5000, port, TCP) & 1023]


async def test_established_flows_go_on_while_their_server_is_drained(dataplane: MemoryDataplane) -> None:
    before = await packets(dataplane)
    assert {*before} == {S1, S2}
    write(dataplane.store, SetWeight(WEB, S1, 0))
    assert await packets(dataplane) == before
    assert await dataplane.server_for(WEB, Flow(IPv4Address("203.0.113.200"), 1)) == S2


async def test_a_flush_makes_the_flows_of_one_server_choose_anew(dataplane: MemoryDataplane) -> None:
    await packets(dataplane)
    write(dataplane.store, SetWeight(WEB, S1, 0, flush=True))
    assert {*await packets(dataplane)} == {S2}


async def test_the_flows_of_a_removed_server_go_on_unless_they_are_flushed(dataplane: MemoryDataplane) -> None:
    before = await packets(dataplane)
    write(dataplane.store, DeleteServer(WEB, S1))
    assert await packets(dataplane) == before
    write(dataplane.store, DeleteServer(WEB, S2, flush=True))
    assert {*await packets(dataplane)} == {S1, None}


async def test_a_vip_that_is_made_anew_knows_no_flow(dataplane: MemoryDataplane) -> None:
    await packets(dataplane)
    write(dataplane.store, DeleteVip(WEB), AddVip(WEB, GRE4), AddServer(WEB, S2, 1))
    assert {*await packets(dataplane)} == {S2}
    assert count(dataplane) == {"first": len(FLOWS)}


async def test_another_number_of_sticky_buckets_forgets_all_flows_and_the_same_number_none(
    dataplane: MemoryDataplane,
) -> None:
    await packets(dataplane)
    conf = dataplane.store.conf
    write(dataplane.store, SetWeight(WEB, S1, 0), SetConf(attrs.evolve(conf, flow_timeout_s=60)))
    assert {*await packets(dataplane)} == {S1, S2}
    write(dataplane.store, SetConf(attrs.evolve(conf, sticky_buckets_per_core=1024)))
    assert {*await packets(dataplane)} == {S2}


async def test_with_a_sticky_source_all_flows_of_a_client_stay_together() -> None:
    dataplane = MemoryDataplane()
    write(dataplane.store, AddVip(WEB, attrs.evolve(GRE4, sticky=True)), AddServer(WEB, S1, 1), AddServer(WEB, S2, 1))
    client = [Flow(IPv4Address("203.0.113.1"), port) for port in range(50)]
    (server,) = {*await packets(dataplane, client)}
    assert count(dataplane) == {"first": 1, "existing": 49}
    write(dataplane.store, SetWeight(WEB, S1, 0), SetWeight(WEB, S2, 0))
    assert await dataplane.server_for(WEB, Flow(IPv4Address("203.0.113.1"), 60000)) == server


async def test_packets_are_counted_by_what_became_of_them(dataplane: MemoryDataplane) -> None:
    await packets(dataplane)
    await packets(dataplane)
    write(dataplane.store, SetWeight(WEB, S1, 0, flush=True), SetWeight(WEB, S2, 0, flush=True))
    await packets(dataplane, FLOWS[:5])
    assert count(dataplane) == {"first": 200, "existing": 200, "no_server": 5}
    (counters,) = dataplane.store.traffic.counters()
    assert (counters.route_packets, counters.route_bytes) == (405, 405 * 64)


async def test_a_flow_that_finds_no_room_is_untracked_and_served_all_the_same(dataplane: MemoryDataplane) -> None:
    write(dataplane.store, SetConf(DataplaneConf(sticky_buckets_per_core=1)))
    assert None not in await packets(dataplane)
    assert count(dataplane) == {"first": 4, "untracked": 196}


async def test_reading_details_tells_the_flows_of_each_server(dataplane: MemoryDataplane) -> None:
    servers = await packets(dataplane)
    async with dataplane.connect() as session:
        plain = (await session.read()).vips[WEB].servers
        detailed = (await session.read(details=True)).vips[WEB].servers
    assert {state.entries for state in plain.values()} == {None}
    assert {server: state.entries for server, state in detailed.items()} == {
        S1: servers.count(S1),
        S2: servers.count(S2),
    }


async def test_building_a_large_table_lets_others_have_their_turn() -> None:
    dataplane = MemoryDataplane()
    write(
        dataplane.store, AddVip(WEB, VipAttributes(Encap.GRE4, 65536)), AddServer(WEB, S1, 100), AddServer(WEB, S2, 100)
    )
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(take_turns)
        table = await dataplane.store.traffic.table(WEB)
        group.cancel_scope.cancel()
    assert turns > 20
    assert table == new_flow_table({S1: 100, S2: 100}, 65536)


async def test_a_table_that_was_overtaken_by_a_write_is_built_again(dataplane: MemoryDataplane) -> None:
    async def drain() -> None:
        await checkpoint()
        write(dataplane.store, SetWeight(WEB, S1, 0))

    write(dataplane.store, DeleteVip(WEB), AddVip(WEB, VipAttributes(Encap.GRE4, 65536)))
    write(dataplane.store, AddServer(WEB, S1, 1), AddServer(WEB, S2, 1))
    async with anyio.create_task_group() as group:
        group.start_soon(drain)
        table = await dataplane.store.traffic.table(WEB)
    assert table.counts() == {S1: 0, S2: 65536}


async def test_no_vip_no_answer(dataplane: MemoryDataplane) -> None:
    with pytest.raises(KeyError):
        await dataplane.server_for(VipKey(VIP, IPProtocol.TCP, 81), FLOWS[0])
