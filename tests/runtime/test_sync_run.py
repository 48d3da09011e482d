"""A sync run over everything is made in portions, so that the loop turns between them whatever the VIPs' size."""

from __future__ import annotations

from ipaddress import IPv4Address

from maglev.api import Encap, IPProtocol, VipAttributes, VipKey
from maglev.dataplanes.memory import MemoryStore
from maglev.domain import warmup
from maglev.domain.model import Backend, Frontend, Member, Pool, ResolvedConfig
from maglev.domain.state import State, take_config
from maglev.domain.state.sync import SyncRequest
from maglev.runtime.state_store import ForkStore
from maglev.runtime.sync_run import PORTION, PORTION_SERVERS, SyncRun

VIP = IPv4Address("198.51.100.0")
SERVER = IPv4Address("10.0.0.0")


def vips_of(sizes: tuple[int, ...]) -> ForkStore:
    """A State with VIPs of so many static servers each; the warm-up is over."""
    backends = {f"b{n}": Backend(f"b{n}", SERVER + n) for n in range(max(sizes))}
    members = [Member(name, backend.address) for name, backend in backends.items()]
    frontends = {
        f"f{index}": Frontend(
            f"f{index}",
            VipKey(VIP + index, IPProtocol.TCP, 80),
            (Pool("primary", tuple(members[:size])),),
            VipAttributes(Encap.GRE4, 1024),
        )
        for index, size in enumerate(sizes)
    }
    store = ForkStore(State(warmup.start(0, min_ns=0, max_ns=0)))
    store.step(take_config, ResolvedConfig(backends, frontends), why="start")
    return store


async def portions_of(*sizes: int, divisor: int = 1) -> list[list[int]]:
    """Make one sync run over everything; return the sizes of the VIPs written in each of its portions."""
    store, portions, seen = vips_of(sizes), [], 0
    async with MemoryStore().session() as session:

        async def between() -> None:
            nonlocal seen
            held = [len(vip.servers) for _key, vip in sorted(store.state.dataplane.vips().items())]
            portions.append(held[seen:])
            seen = len(held)

        await SyncRun(store).run(session, SyncRequest("periodic"), between, divisor=divisor)
        await between()
    return portions


async def test_portions_of_a_sync_run_are_bounded_in_servers() -> None:
    portions = await portions_of(*(50,) * 100)
    assert [size for portion in portions for size in portion] == [50] * 100
    assert all(sum(portion) <= PORTION_SERVERS for portion in portions)
    assert len(portions) == 10


async def test_portions_of_a_sync_run_are_bounded_in_addresses() -> None:
    assert await portions_of(*(1,) * (2 * PORTION + 1)) == [[1] * PORTION, [1] * PORTION, [1]]


async def test_an_address_that_is_larger_than_a_portion_is_planned_whole_and_alone() -> None:
    assert await portions_of(1, 2 * PORTION_SERVERS, 1) == [[1], [2 * PORTION_SERVERS], [1]]


async def test_portions_can_be_had_smaller() -> None:
    assert await portions_of(*(1,) * 33, divisor=4) == [[1] * (PORTION // 4), [1] * (PORTION // 4), [1]]
    assert await portions_of(1, 1, divisor=10 * PORTION) == [[1], [1]]
