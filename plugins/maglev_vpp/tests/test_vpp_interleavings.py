"""Whatever somebody else writes between any two of our messages: no crash, nothing written to theirs, and no lie.

The stand-in does the other's writes itself, so that they fall between messages that we pipeline too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneConf,
    Encap,
    Failed,
    IPProtocol,
    Ok,
    Operation,
    OperationResult,
    VipAttributes,
    VipKey,
    VipState,
)
from maglev.domain import warmup
from maglev.domain.model import Backend, Frontend, Member, Pool, ResolvedConfig
from maglev.domain.state import State, sync, take_config
from maglev.domain.state.sync import SyncRequest
from maglev.runtime.state_store import ForkStore
from maglev.runtime.sync_run import SyncRun
from maglev_vpp import VppDataplane
from plugins.maglev_vpp.tests.standin.harness import Standin

Address = IPv4Address | IPv6Address

V4, V6 = IPv4Address("192.0.2.80"), IPv6Address("2001:db8::80")
WEB, TLS, ALL = VipKey(V4, IPProtocol.TCP, 80), VipKey(V4, IPProtocol.TCP, 443), VipKey(V6, IPProtocol.ANY, 0)
OURS = (WEB, TLS, ALL)
THEIRS = (
    VipKey(V4, IPProtocol.ANY, 0),
    VipKey(V4, IPProtocol.UDP, 53),
    VipKey(V6, IPProtocol.TCP, 80),
    VipKey(V4 + 1, IPProtocol.TCP, 80),
)
SERVERS = tuple(IPv4Address("198.51.100.1") + n for n in range(3))
OTHER_SERVERS: tuple[Address, ...] = (SERVERS[0], IPv4Address("198.51.100.99"), IPv6Address("2001:db8:1::1"))
ATTRIBUTES = VipAttributes(Encap.GRE4, 64)
CONF = DataplaneConf(IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1"), 1024, 40)

Deeds = Mapping[int, list[list[Any]]]


def wide(address: Address) -> str:
    """An address as the stand-in's `Lb` keeps it, in hexadecimal."""
    return (bytes(16 - len(address.packed)) + address.packed).hex()


def name_of(vip: VipKey) -> list[Any]:
    return [wide(vip.address), vip.protocol.number, vip.port]


def deeds() -> st.SearchStrategy[list[list[Any]]]:
    """What somebody else does at once, mostly to VIPs with our names: a whole VIP made anew, or any write alone.

    VPP collects nothing meanwhile: what it collects was removed ten seconds ago.
    """
    vip = (st.sampled_from(OURS) | st.sampled_from(OURS + THEIRS)).map(name_of)
    server, weight = st.sampled_from(OTHER_SERVERS).map(wide), st.integers(0, 10)
    attributes = st.tuples(st.sampled_from([0, 0, 1, 2]), st.sampled_from([64, 128]), st.booleans())
    add_vip = st.builds(lambda name, more: ["add_vip", *name, *more], vip, attributes)
    delete_vip = vip.map(lambda name: ["delete_vip", *name])
    anew = st.builds(
        lambda name, more, servers: [
            ["delete_vip", *name],
            ["add_vip", *name, *more],
            *(["add_server", *name, each, weight] for each, weight in servers.items()),
        ],
        vip,
        attributes,
        st.dictionaries(server, weight),
    )
    single = (
        add_vip
        | delete_vip
        | st.builds(lambda name, *more: ["add_server", *name, *more], vip, server, weight)
        | st.builds(lambda name, *more: ["delete_server", *name, *more], vip, server)
        | st.builds(lambda name, *more: ["set_weight", *name, *more], vip, server, weight)
        | st.tuples(st.just("conf"), st.sampled_from([1024, 2048]), st.integers(30, 50)).map(list)
    )
    return anew | st.lists(single, min_size=1, max_size=3)


INTERLEAVINGS = st.dictionaries(st.integers(0, 30), deeds(), max_size=6)
RUNS = st.lists(
    st.sampled_from(
        [
            SyncRequest("periodic", reread=True),
            SyncRequest("transition", (V4,)),
            SyncRequest("operator", (V4, V6), recreate=True, reread=True),
        ]
    ),
    max_size=3,
)


def store_of_ours() -> ForkStore:
    """A State that wants three VIPs of three servers, all of which are up."""
    backends = {f"b{n}": Backend(f"b{n}", server) for n, server in enumerate(SERVERS)}
    pool = Pool("primary", tuple(Member(name, backend.address) for name, backend in backends.items()))
    frontends = {str(key): Frontend(str(key), key, (pool,), ATTRIBUTES) for key in OURS}
    store = ForkStore(State(warmup.start(0, min_ns=0, max_ns=0)))
    store.step(take_config, ResolvedConfig(backends, frontends, conf=CONF), why="start")
    return store


def bare(vip: VipState) -> tuple[VipAttributes, Mapping[Address, int]]:
    return vip.attributes, {address: server.weight for address, server in vip.servers.items()}


async def keep_in_sync(standin: Standin, there: list[list[Any]], meanwhile: Deeds, runs: Iterable[SyncRequest]) -> None:
    """Keep a stand-in in sync while somebody else writes; at last undisturbed. Then check what is held for true."""
    await standin.do("reset")
    async with VppDataplane(standin.options).connect() as session:
        await standin.do("meddle", deeds={0: there})
        await session.read()
        await standin.do("meddle", deeds=meanwhile)
        store = store_of_ours()
        run = SyncRun(store)
        for request in (SyncRequest("fill"), *runs):
            await run.run(session, request)
            await session.counters()
        check_conversation(await standin.do("conversation"))
        await standin.do("meddle", deeds={})
        await run.run(session, SyncRequest("periodic", reread=True))
        progress = await run.run(session, SyncRequest("periodic", reread=True))
        assert progress.errors == []
        assert progress.written == []
        check_conversation(await standin.do("conversation"))
        found = (await session.read(details=True)).vips
        view = store.state.dataplane
        assert {key: bare(vip) for key, vip in view.vips().items()} == {key: bare(vip) for key, vip in found.items()}
        for address in (V4, V6):
            drifting = {drift.vip for drift in view.drift.get(address, ())}
            for key, wanted in sync.desired(store.state, address).items():
                weights = {server: each.weight for server, each in wanted.servers.items()}
                in_sync = key in found and bare(found[key]) == (wanted.attributes, weights)
                assert (in_sync and wanted.step == wanted.wanted_step) == (key not in drifting)


def check_conversation(said: Iterable[tuple[str, str, int]]) -> None:
    """Check that nothing but our VIPs was written to, and none that is not known to be ours.

    It is not known after VPP refused to make or to remove it, until it is read again, or made after all.
    """
    ours = {(bytes([key.address.version == 6]) + key.address.packed.ljust(16, b"\0")).hex() for key in OURS}
    refused: set[str] = set()
    for message, vip, retval in said:
        if message == "lb_vip_dump":
            refused.clear()
        elif vip:
            assert vip[:34] in ours
            assert (int(vip[36:38], 16), int(vip[38:42], 16)) in {(key.protocol.number, key.port) for key in OURS}
            if message == "lb_add_vip" and not retval:
                refused.discard(vip)
            elif message in ("lb_add_vip", "lb_del_vip") and retval:
                refused.add(vip)
            else:
                assert vip not in refused, "written to a VIP that is not known to be ours"


async def test_whatever_another_writes_between_two_messages_ends_in_sync_or_in_drift(standin: Standin) -> None:
    @settings(max_examples=50)  # 30 ms each, most of it the stand-in's
    @given(there=st.lists(deeds(), max_size=2), meanwhile=INTERLEAVINGS, runs=RUNS)
    def check(there: list[list[list[Any]]], meanwhile: Deeds, runs: list[SyncRequest]) -> None:
        before = [deed for each in there for deed in each]
        anyio.from_thread.run(keep_in_sync, standin, before, meanwhile, runs)

    await anyio.to_thread.run_sync(check)


async def test_a_vip_that_another_makes_just_before_ours_gets_none_of_our_servers(standin: Standin) -> None:
    theirs = [["add_vip", *name_of(WEB), 0, 128, True], ["add_server", *name_of(WEB), wide(SERVERS[1]), 3]]
    # Four messages of reading (the command line is not asked, where there is no VIP), and one of configuration.
    await keep_in_sync(standin, [], {4: theirs}, [])


async def test_an_empty_vip_that_another_made_anew_with_another_encapsulation_is_looked_at_again(
    standin: Standin,
) -> None:
    def anew(encap: int, sticky: bool) -> list[list[Any]]:
        return [["delete_vip", *name_of(ALL)], ["add_vip", *name_of(ALL), encap, 64, sticky]]

    await keep_in_sync(standin, [], {0: anew(0, False), 4: anew(1, True)}, [])


async def test_an_acknowledgement_of_what_is_not_known_leads_to_a_reading() -> None:
    class Careless:
        """A dataplane on which another makes each VIP before us, and takes our servers all the same."""

        async def read(self) -> Any:
            raise NotImplementedError

        async def apply(self, phase: list[Operation]) -> list[OperationResult]:
            store.state.dataplane._vips.clear()
            return [Failed("VALUE_EXIST") if isinstance(each, AddVip) and failing else Ok() for each in phase]

    for failing in (True, False):
        store = store_of_ours()
        store.state.dataplane.known = True
        progress = await SyncRun(store).run(Careless(), SyncRequest("transition", (V4,)))  # type: ignore[arg-type]
        assert progress.failed == {V4}
        assert not store.state.dataplane.known
        assert any(isinstance(each, AddServer) for each in progress.written) != failing
