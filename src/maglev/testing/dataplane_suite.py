"""The conformance kit for dataplanes: derive a class from `DataplaneSuite` in a test module and fill it in.

The same suite runs against the memory dataplane, against stand-ins and against real ones, so it asks only what all of
them do, and it changes what is beneath a session through a second session. It writes to the dataplane and leaves it
empty: never point it at one that carries traffic.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address

import pytest

from maglev.api import (
    AddServer,
    AddVip,
    Dataplane,
    DataplaneConf,
    DataplaneError,
    DeleteServer,
    DeleteVip,
    Encap,
    Failed,
    IPProtocol,
    NotSent,
    Ok,
    Operation,
    Session,
    SetConf,
    SetWeight,
    Unknown,
    VipAttributes,
    VipKey,
)
from maglev.testing.dataplane_cases import (
    ALL_PORTS,
    DNS,
    GRE4,
    GRE6,
    REFUSED,
    S1,
    S2,
    S3,
    T1,
    T2,
    TLS,
    VIP4,
    VIP6,
    WEB,
    WEB_OF_TWO,
    Address,
    Refused,
)


class DataplaneSuite:
    """Tests for one kind of dataplane.

    Override `dataplane` and `lose`; override `predict` as well where the dataplane tells how many buckets a server has.
    """

    reports_buckets = True
    """Whether reading gives the buckets of each server."""

    @pytest.fixture
    def dataplane(self) -> Dataplane:
        """Give a dataplane that can be reached. What it holds is removed before each test."""
        raise NotImplementedError

    def predict(self, servers: Mapping[Address, int], table_length: int) -> Mapping[Address, int]:
        """Tell how many buckets each server has in a table of that length, from the weights in the table."""
        raise NotImplementedError

    async def lose(self, dataplane: Dataplane) -> None:
        """Break the connection from the dataplane's side, in such a way that it can be reached again afterwards."""
        raise NotImplementedError

    @asynccontextmanager
    async def emptied(self, dataplane: Dataplane, *operations: Operation) -> AsyncIterator[Session]:
        """Connect, remove all that is held, and write these operations, which must succeed."""
        async with dataplane.connect() as session:
            held = (await session.read()).vips
            await self.write(session, *map(DeleteVip, held), *operations)
            yield session
            left = [] if isinstance(await self.try_read(session), DataplaneError) else (await session.read()).vips
            await session.apply([DeleteVip(key) for key in left])

    async def try_read(self, session: Session) -> DataplaneError | None:
        """Return why a session cannot be read; `None` if it can."""
        try:
            await session.read()
        except DataplaneError as error:
            return error
        return None

    async def write(self, session: Session, *operations: Operation) -> None:
        """Write operations of which none may fail."""
        results = await session.apply(operations)
        assert dict(zip(operations, results, strict=True)) == dict.fromkeys(operations, Ok())

    async def weights(self, session: Session, key: VipKey) -> Mapping[Address, int]:
        """Read the weights of a VIP's servers."""
        return {server: state.weight for server, state in (await session.read()).vips[key].servers.items()}

    async def test_says_which_dataplane_it_is(self, dataplane: Dataplane) -> None:
        async with dataplane.connect() as session, dataplane.connect() as other:
            assert session.info.name == dataplane.name
            assert session.info.version
            assert session.info.boot_id == other.info.boot_id != ""

    @pytest.mark.parametrize("address", [VIP4, VIP6], ids=str)
    @pytest.mark.parametrize("encap", [Encap.GRE4, Encap.GRE6])
    @pytest.mark.parametrize("sticky", [False, True], ids=["per flow", "per source"])
    @pytest.mark.parametrize("length", [16, 1024, 16384, 65536])
    async def test_a_vip_is_read_back_as_it_was_made(
        self, dataplane: Dataplane, address: Address, encap: Encap, *, sticky: bool, length: int
    ) -> None:
        key, attributes = VipKey(address, IPProtocol.TCP, 443), VipAttributes(encap, length, sticky)
        async with self.emptied(dataplane, AddVip(key, attributes)) as session:
            vips = (await session.read()).vips
            assert set(vips) == {key}
            assert vips[key].attributes == attributes
            assert vips[key].servers == {}

    @pytest.mark.parametrize("address", [VIP4, VIP6], ids=str)
    @pytest.mark.parametrize("servers", [(S1, S2), (T1, T2)], ids=["IPv4 servers", "IPv6 servers"])
    async def test_servers_may_be_of_another_family_than_their_vip(
        self, dataplane: Dataplane, address: Address, servers: Sequence[Address]
    ) -> None:
        key, attributes = VipKey(address, IPProtocol.UDP, 53), GRE4 if servers[0].version == 4 else GRE6
        added = [AddServer(key, server, 10) for server in servers]
        async with self.emptied(dataplane, AddVip(key, attributes), *added) as session:
            assert await self.weights(session, key) == dict.fromkeys(servers, 10)

    async def test_a_vip_of_all_ports_holds_servers_like_any_other(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane, AddVip(ALL_PORTS, GRE4), AddServer(ALL_PORTS, S1, 7)) as session:
            assert await self.weights(session, ALL_PORTS) == {S1: 7}
            await self.write(session, SetWeight(ALL_PORTS, S1, 0, flush=True), DeleteServer(ALL_PORTS, S1))
            assert await self.weights(session, ALL_PORTS) == {}
            await self.write(session, DeleteVip(ALL_PORTS))
            assert (await session.read()).vips == {}

    async def test_vips_of_one_address_are_apart(self, dataplane: Dataplane) -> None:
        made = [AddVip(key, GRE4) for key in (WEB, TLS, DNS)]
        async with self.emptied(dataplane, *made, AddServer(TLS, S1, 3)) as session:
            await self.write(session, AddServer(DNS, S1, 4), DeleteVip(WEB))
            assert set((await session.read()).vips) == {TLS, DNS}
            assert await self.weights(session, TLS) == {S1: 3}
            assert await self.weights(session, DNS) == {S1: 4}

    async def test_weights_and_buckets_are_as_predicted_after_each_step(self, dataplane: Dataplane) -> None:
        steps: tuple[tuple[Operation, Mapping[Address, int]], ...] = (
            (AddServer(WEB, S1, 10), {S1: 10}),
            (AddServer(WEB, S3, 0), {S1: 10, S3: 0}),
            (AddServer(WEB, S2, 100), {S1: 10, S2: 100, S3: 0}),
            (SetWeight(WEB, S3, 1), {S1: 10, S2: 100, S3: 1}),
            (SetWeight(WEB, S2, 33), {S1: 10, S2: 33, S3: 1}),
            (DeleteServer(WEB, S1), {S2: 33, S3: 1}),
            (SetWeight(WEB, S2, 0), {S2: 0, S3: 1}),
            (SetWeight(WEB, S3, 0), {S2: 0, S3: 0}),
            (AddServer(WEB, S1, 5), {S1: 5, S2: 0, S3: 0}),
        )
        async with self.emptied(dataplane, AddVip(WEB, GRE4)) as session:
            for operation, weights in steps:
                await self.write(session, operation)
                assert await self.weights(session, WEB) == weights
                await self.check_buckets(session)

    async def check_buckets(self, session: Session) -> None:
        """Compare what the dataplane says of its buckets with what is predicted."""
        for vip in (await session.read()).vips.values():
            weights = {server: state.weight for server, state in vip.servers.items()}
            buckets = {server: state.buckets for server, state in vip.servers.items()}
            predicted = self.predict(weights, vip.attributes.table_length) if self.reports_buckets else {}
            assert buckets == {server: predicted.get(server) for server in weights}

    @pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
    async def test_refuses(self, dataplane: Dataplane, case: Refused) -> None:
        before, operation, error = case
        async with self.emptied(dataplane, *before) as session:
            held = await session.read()
            assert list(await session.apply([operation])) == [Failed(error)]
            assert await session.read() == held

    async def test_each_operation_has_its_result_in_order_and_a_refusal_stops_no_other(
        self, dataplane: Dataplane
    ) -> None:
        phase = (SetWeight(WEB, S1, 1), SetWeight(WEB, S3, 1), SetWeight(WEB, S2, 2), AddVip(WEB, GRE4))
        async with self.emptied(dataplane, *WEB_OF_TWO) as session:
            results = list(await session.apply(phase))
            assert results == [Ok(), Failed("NO_SUCH_ENTRY"), Ok(), Failed("VALUE_EXIST")]
            assert await self.weights(session, WEB) == {S1: 1, S2: 2}

    async def test_a_phase_may_be_long_or_empty(self, dataplane: Dataplane) -> None:
        keys = [VipKey(VIP6 + index, IPProtocol.TCP, 80) for index in range(100)]
        made = [AddVip(key, GRE4) for key in keys]
        filled = [AddServer(key, server, 10) for key in keys for server in (S1, S2, S3)]
        async with self.emptied(dataplane, *made, *filled) as session:
            assert list(await session.apply(())) == []
            vips = (await session.read()).vips
            assert {key: set(vip.servers) for key, vip in vips.items()} == {key: {S1, S2, S3} for key in keys}

    async def test_a_flush_is_accepted_at_any_weight(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane, *WEB_OF_TWO) as session:
            await self.write(session, SetWeight(WEB, S1, 0, flush=True))
            await self.write(session, SetWeight(WEB, S1, 0, flush=True))
            await self.write(session, SetWeight(WEB, S2, 9, flush=True))
            assert await self.weights(session, WEB) == {S1: 0, S2: 9}
            await self.write(session, DeleteServer(WEB, S1, flush=True))
            assert await self.weights(session, WEB) == {S2: 9}

    async def test_a_vip_goes_with_its_servers_and_comes_back_without(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane, *WEB_OF_TWO) as session:
            await self.write(session, DeleteVip(WEB))
            assert (await session.read()).vips == {}
            await self.write(session, AddVip(WEB, GRE6), AddServer(WEB, T1, 10))
            assert await self.weights(session, WEB) == {T1: 10}
            await self.check_buckets(session)

    async def test_a_server_that_comes_back_has_its_new_weight(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane, *WEB_OF_TWO) as session:
            await self.write(session, DeleteServer(WEB, S1), AddServer(WEB, S1, 3))
            assert await self.weights(session, WEB) == {S1: 3, S2: 5}
            await self.check_buckets(session)

    async def test_the_configuration_is_read_back(self, dataplane: Dataplane) -> None:
        source4, source6 = IPv4Address("192.0.2.254"), IPv6Address("2001:db8::254")
        async with self.emptied(dataplane) as session:
            for conf in (DataplaneConf(source4, source6, 1024, 60), DataplaneConf(source4, source6)):
                await self.write(session, SetConf(conf))
                assert (await session.read()).conf == conf

    async def test_what_another_session_changes_is_read(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane, *WEB_OF_TWO) as session:
            async with dataplane.connect() as other:
                await self.write(other, DeleteServer(WEB, S1), SetWeight(WEB, S2, 77), AddVip(TLS, GRE4))
            assert set((await session.read()).vips) == {WEB, TLS}
            assert await self.weights(session, WEB) == {S2: 77}

    async def test_details_tell_the_entries_of_each_server_where_the_dataplane_can(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane, *WEB_OF_TWO) as session:
            servers = (await session.read(details=True)).vips[WEB].servers
            expected = 0 if "entries" in session.info.capabilities else None
            assert {state.entries for state in servers.values()} == {expected}

    async def test_counters_tell_of_every_vip_where_the_dataplane_can(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane, *WEB_OF_TWO, AddVip(TLS, GRE4)) as session:
            counted = {counters.vip for counters in await session.counters()}
            assert counted == ({WEB, TLS} if "counters" in session.info.capabilities else set())

    async def test_closing_changes_nothing_in_the_dataplane(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane) as cleaning:
            async with dataplane.connect() as session:
                await self.write(session, *WEB_OF_TWO)
            assert await self.weights(cleaning, WEB) == {S1: 10, S2: 5}
            with pytest.raises(DataplaneError):
                await session.read()

    async def test_a_loss_is_told_and_ends_the_session(self, dataplane: Dataplane) -> None:
        async with self.emptied(dataplane, *WEB_OF_TWO) as session:
            await self.lose(dataplane)
            assert (await session.lost()).detail
            with pytest.raises(DataplaneError):
                await session.read()
            with pytest.raises(DataplaneError):
                await session.counters()
            results = await session.apply([SetWeight(WEB, S1, 1), SetWeight(WEB, S2, 1)])
            assert len(results) == 2
            assert all(isinstance(result, Unknown | NotSent) for result in results)
