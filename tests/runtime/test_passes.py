"""A pass over everything is made in portions, so that the loop turns between them whatever the VIPs' size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv4Address

import attrs

from maglev.api import DataplaneConf, Encap, IPProtocol, VipAttributes, VipKey
from maglev.dataplanes.memory import MemoryStore
from maglev.domain.desired import DesiredServer, DesiredVip
from maglev.runtime.ledger import Address, Ledger
from maglev.runtime.passes import SLICE, SLICE_SERVERS, Passes, Scope

VIP = IPv4Address("198.51.100.0")
SERVER = IPv4Address("10.0.0.0")
ATTRIBUTES = VipAttributes(Encap.GRE4, 1024)


@attrs.define
class Many:
    """VIPs of so many servers each, all of weight 1."""

    sizes: tuple[int, ...]
    asked: list[Address] = attrs.field(factory=list)

    def addresses(self) -> Collection[Address]:
        return [VIP + index for index in range(len(self.sizes))]

    def size(self, address: Address) -> int:
        return self.sizes[int(address) - int(VIP)]

    def desired(self, address: Address, *, recreate: bool = False) -> Mapping[VipKey, DesiredVip]:
        del recreate
        self.asked.append(address)
        servers: dict[Address, DesiredServer] = {SERVER + n: DesiredServer(1) for n in range(self.size(address))}
        return {VipKey(address, IPProtocol.TCP, 80): DesiredVip(ATTRIBUTES, 1, servers)}

    def conf(self) -> DataplaneConf:
        return DataplaneConf()

    def names(self, addresses: Collection[Address]) -> tuple[str, ...]:
        return tuple(map(str, addresses))

    def released(self, address: Address) -> bool:
        del address
        return True

    def release_all(self) -> None:
        """Nothing is held back."""

    async def dataplane_changed(self) -> None:
        """Nothing depends on it."""


async def portions_of(wanted: Many) -> list[list[int]]:
    """Make one pass over everything; return the sizes of the addresses planned in each of its portions."""
    portions: list[list[Address]] = []

    async def between() -> None:
        portions.append(wanted.asked.copy())
        wanted.asked.clear()

    async with MemoryStore().session() as session:
        await Passes(Ledger(), wanted, observe=True).run(session, Scope("periodic"), between)
    await between()
    return [[wanted.size(address) for address in portion] for portion in portions]


async def test_portions_of_a_pass_are_bounded_in_servers() -> None:
    portions = await portions_of(Many((50,) * 100))
    assert [size for portion in portions for size in portion] == [50] * 100
    assert all(sum(portion) <= SLICE_SERVERS for portion in portions)
    assert len(portions) == 10


async def test_portions_of_a_pass_are_bounded_in_addresses() -> None:
    assert await portions_of(Many((1,) * (2 * SLICE + 1))) == [[1] * SLICE, [1] * SLICE, [1]]


async def test_an_address_that_is_larger_than_a_portion_is_planned_whole_and_alone() -> None:
    assert await portions_of(Many((1, 2 * SLICE_SERVERS, 1))) == [[1], [2 * SLICE_SERVERS], [1]]
