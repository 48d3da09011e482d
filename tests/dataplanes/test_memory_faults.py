from __future__ import annotations

from ipaddress import IPv4Address

import anyio
import pytest

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneError,
    DeleteVip,
    Encap,
    Failed,
    IPProtocol,
    LostKind,
    NoOptions,
    NotSent,
    Ok,
    Operation,
    OperationResult,
    SetConf,
    SetWeight,
    Unknown,
    VipAttributes,
    VipKey,
)
from maglev.dataplanes.memory import MemoryDataplane, MemoryStore, Written, dataplane_over

WEB = VipKey(IPv4Address("192.0.2.80"), IPProtocol.TCP, 80)
GRE4 = VipAttributes(Encap.GRE4, 1024)
S1, S2, S3 = (IPv4Address("198.51.100.1") + index for index in range(3))
PHASE = (AddVip(WEB, GRE4), AddServer(WEB, S1, 10), AddServer(WEB, S2, 10), AddServer(WEB, S3, 10))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(deadline_s=0.02)


@pytest.fixture
def dataplane(store: MemoryStore) -> MemoryDataplane:
    return MemoryDataplane(store=store)


async def test_the_nth_operation_can_be_refused(store: MemoryStore, dataplane: MemoryDataplane) -> None:
    store.faults.refuse("TABLE_TOO_BIG", nth=3)
    async with dataplane.connect() as session:
        assert await session.apply(PHASE) == [Ok(), Ok(), Failed("TABLE_TOO_BIG"), Ok()]
        assert await session.apply(PHASE[2:3]) == [Ok()]


async def test_operations_of_a_kind_can_be_refused_for_good(store: MemoryStore, dataplane: MemoryDataplane) -> None:
    def is_about_s2(operation: Operation) -> bool:
        return isinstance(operation, AddServer | SetWeight) and operation.server == S2

    store.faults.refuse(matching=is_about_s2, times=None)
    async with dataplane.connect() as session:
        for _ in range(3):
            assert (await session.apply(PHASE))[2] == Failed("UNSPECIFIED")
        store.faults.clear()
        assert await session.apply(PHASE[2:3]) == [Ok()]


async def test_a_connection_that_breaks_within_a_phase_leaves_one_result_unknown_and_the_rest_not_sent(
    store: MemoryStore, dataplane: MemoryDataplane
) -> None:
    store.faults.lose_after = 2
    async with dataplane.connect() as session:
        results = await session.apply(PHASE)
        assert results == [Ok(), Unknown("the connection broke"), NotSent(), NotSent()]
        assert (await session.lost()).kind is LostKind.CLOSED
        assert await session.apply(PHASE) == [NotSent()] * 4
    assert set(store.vip(WEB).servers) == {S1}


@pytest.mark.parametrize("dropping, done", [(False, True), (True, False)])
async def test_what_is_written_while_it_hangs_may_or_may_not_be_done(
    store: MemoryStore, dataplane: MemoryDataplane, dropping: bool, done: bool
) -> None:
    async with dataplane.connect() as session:
        store.hang(dropping=dropping)
        assert {type(result) for result in await session.apply(PHASE)} == {Unknown}
        assert (await session.lost()).kind is LostKind.SILENT
    assert (WEB in store.vips) is done


async def test_a_hanging_dataplane_can_be_neither_read_nor_reached(
    store: MemoryStore, dataplane: MemoryDataplane
) -> None:
    async with dataplane.connect() as session:
        store.hang()
        with pytest.raises(DataplaneError, match="reading: no answer within"):
            await session.read()
    with pytest.raises(DataplaneError, match="connecting: no answer within"):
        await dataplane.connect().__aenter__()
    store.resume()
    async with dataplane.connect() as session:
        assert (await session.read()).vips == {}


@pytest.mark.parametrize("dropping", [False, True])
async def test_a_silence_that_ends_in_time_harms_nothing(dropping: bool) -> None:
    store = MemoryStore(deadline_s=60)
    results: list[OperationResult] = []
    async with MemoryDataplane(store=store).connect() as session:

        async def apply() -> None:
            results.extend(await session.apply(PHASE))

        store.hang(dropping=dropping)
        async with anyio.create_task_group() as group:
            group.start_soon(apply)
            await anyio.wait_all_tasks_blocked()
            assert (WEB in store.vips) is not dropping
            assert results == []
            store.resume()
        assert results == [Ok()] * 4
        assert WEB in (await session.read()).vips


async def test_a_loss_wakes_what_waits_for_a_reply() -> None:
    store = MemoryStore(deadline_s=60)
    async with MemoryDataplane(store=store).connect() as session:

        async def read() -> None:
            with pytest.raises(DataplaneError, match="reading: pulled"):
                await session.read()

        store.hang()
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            store.lose(detail="pulled")


async def test_a_stopped_dataplane_keeps_what_it_holds_and_cannot_be_reached(
    store: MemoryStore, dataplane: MemoryDataplane
) -> None:
    async with dataplane.connect() as session:
        await session.apply(PHASE)
        store.stop()
        assert (await session.lost()).detail == "it is stopped"
    with pytest.raises(DataplaneError, match="connecting: it is stopped"):
        await dataplane.connect().__aenter__()
    store.start()
    async with dataplane.connect() as session:
        assert set((await session.read()).vips) == {WEB}


async def test_a_restarted_dataplane_is_empty_and_says_that_it_is_another(
    store: MemoryStore, dataplane: MemoryDataplane
) -> None:
    async with dataplane.connect() as session:
        await session.apply(PHASE)
        before = session.info.boot_id
        store.restart()
        assert (await session.lost()).kind is LostKind.CLOSED
    async with dataplane.connect() as session:
        assert session.info.boot_id != before
        assert (await session.read()).vips == {}


async def test_a_second_daemon_finds_what_the_first_one_left(store: MemoryStore) -> None:
    kind = dataplane_over(store)
    async with kind(NoOptions()).connect() as session:
        await session.apply(PHASE)
        before = session.info.boot_id
    async with kind(NoOptions()).connect() as session:
        assert set((await session.read()).vips[WEB].servers) == {S1, S2, S3}
        assert session.info.boot_id == before


async def test_the_journal_tells_what_was_written_by_whom_and_keeps_the_newest() -> None:
    store = MemoryStore(journal_length=2)
    dataplane = MemoryDataplane(store=store)
    async with dataplane.connect() as first, dataplane.connect() as second:
        await first.apply(PHASE[:2])
        await second.apply(PHASE[1:2])
    assert list(store.journal) == [Written(1, PHASE[1], Ok()), Written(2, PHASE[1], Failed("VALUE_EXIST"))]


async def test_a_read_is_of_one_moment_though_others_write_meanwhile(dataplane: MemoryDataplane) -> None:
    keys = [VipKey(IPv4Address("192.0.2.0") + index, IPProtocol.TCP, 80) for index in range(200)]
    async with dataplane.connect() as session, dataplane.connect() as other:
        await session.apply([AddVip(key, GRE4) for key in keys])

        async def remove_all() -> None:
            await other.apply([DeleteVip(key) for key in keys])

        async with anyio.create_task_group() as group:
            group.start_soon(remove_all)
            held = (await session.read()).vips
        assert len(held) in {0, 200}
        assert (await session.read()).vips == {}


@pytest.mark.parametrize("weight", [-1, 101])
async def test_a_weight_that_is_none_is_refused(store: MemoryStore, weight: int) -> None:
    for operation in PHASE[:2]:
        store.write(operation)
    assert store.write(SetWeight(WEB, S1, weight)) == Failed("INVALID_VALUE")
    assert store.write(AddServer(WEB, S2, weight)) == Failed("INVALID_VALUE")


@pytest.mark.parametrize("length", [0, 8, 1000, 131072])
async def test_a_table_that_vpp_would_die_of_or_nobody_could_predict_is_refused(
    store: MemoryStore, length: int
) -> None:
    assert store.write(AddVip(WEB, VipAttributes(Encap.GRE4, length))) == Failed("INVALID_MEMORY_SIZE")


async def test_an_encapsulation_that_is_none_of_ours_is_refused(store: MemoryStore) -> None:
    assert store.write(AddVip(WEB, VipAttributes(Encap.OTHER, 1024))) == Failed("INVALID_ARGUMENT")


async def test_a_vip_of_port_0_is_one_of_all_protocols(store: MemoryStore) -> None:
    address = WEB.address
    store.write(AddVip(VipKey(address, IPProtocol.TCP, 0), GRE4))
    assert set(store.vips) == {VipKey(address, IPProtocol.ANY, 0)}


async def test_the_conf_is_held_until_a_restart(store: MemoryStore) -> None:
    before = store.conf
    store.write(SetConf(type(before)(flow_timeout_s=99)))
    assert store.conf.flow_timeout_s == 99
    store.restart()
    assert store.conf == before
