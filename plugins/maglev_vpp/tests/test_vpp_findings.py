"""Findings that only VPP's operator can correct: servers without a route, and lost memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneError,
    DataplaneFindings,
    DeleteServer,
    DeleteVip,
    Encap,
    IPProtocol,
    Ok,
    Operation,
    Session,
    VipAttributes,
    VipKey,
)
from maglev_vpp import VppDataplane
from maglev_vpp.addresses import pack_prefix
from maglev_vpp.routes import DEEPEST, LOOKUP, MOST_A_LOOK, due, is_reachable, route_of
from maglev_vpp.session import VppSession
from plugins.maglev_vpp.tests.controller_setup import config, controller_of, settled, until
from plugins.maglev_vpp.tests.standin.harness import Process, Standin

WEB, DNS = (VipKey(IPv4Address("192.0.2.80"), IPProtocol.TCP, port) for port in (80, 53))
GRE4 = VipAttributes(Encap.GRE4, 1024)
SERVER, OTHER = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")


@pytest.fixture
async def session(vpp: Process) -> AsyncIterator[VppSession]:
    """A session with an empty VPP of each kind."""
    async with VppDataplane(vpp.options).connect() as session:
        assert isinstance(session, VppSession)
        yield session
        await session.apply([DeleteVip(key) for key in (await session.read()).vips])


async def write(session: Session, *operations: Operation) -> None:
    assert [*await session.apply(operations)] == [Ok()] * len(operations)


# ------------------------------------------------------------------------------------------- servers without a route


async def test_a_server_that_vpp_has_no_route_to_is_found(session: VppSession, vpp: Process) -> None:
    if isinstance(vpp, Standin):  # the real one of the tests has no routes at all
        await vpp.do("route", prefix="0.0.0.0/0", way="drop")
    await write(session, AddVip(WEB, GRE4), AddServer(WEB, OTHER, 1), AddServer(WEB, SERVER, 1))
    await session.read(details=True)
    assert list(session.findings.unrouted) == [SERVER, OTHER]
    await write(session, DeleteVip(WEB))
    await session.read()
    assert list(session.findings.unrouted) == []


@pytest.mark.parametrize(
    "routes, unrouted",
    [
        ([("198.51.100.1/32", "drop", "::")], True),
        ([("198.51.100.0/24", "local", "::")], True),
        ([("198.51.100.0/24", "drop", "::"), ("198.51.100.1/32", "interface", "::")], False),
        ([("198.51.100.0/24", "via", "203.0.113.1")], False),
        ([("198.51.100.0/24", "via", "203.0.113.1"), ("203.0.113.0/24", "drop", "::")], True),
        ([("198.51.100.0/24", "via", "203.0.113.1"), ("203.0.113.0/24", "via", "0.0.0.0")], False),
        ([("198.51.100.0/24", "via", "198.51.100.1")], False),
    ],
    ids=[
        "dropped",
        "VPP's own address",
        "a more exact route",
        "by way of another",
        "by way of one without a route",
        "to another object of VPP",
        "a route to itself, which cannot be told",
    ],
)
async def test_a_route_is_followed_to_its_end(
    dataplane: VppDataplane, standin: Standin, routes: list[tuple[str, str, str]], unrouted: bool
) -> None:
    for prefix, way, via in routes:
        await standin.do("route", prefix=prefix, way=way, via=via)
    async with dataplane.connect() as session:
        assert isinstance(session, VppSession)
        await write(session, AddVip(WEB, GRE4), AddServer(WEB, SERVER, 1))
        await session.read(details=True)
        assert session.findings.unrouted == ((SERVER,) if unrouted else ())


async def test_servers_of_both_families_are_looked_up(dataplane: VppDataplane, standin: Standin) -> None:
    six = IPv6Address("2001:db8:51::1")
    await standin.do("route", prefix="2001:db8:51::/48", way="via", via="2001:db8::9")
    await standin.do("route", prefix="2001:db8::9/128", way="drop")
    async with dataplane.connect() as session:
        assert isinstance(session, VppSession)
        await write(session, AddVip(WEB, VipAttributes(Encap.GRE6, 1024)), AddServer(WEB, six, 1))
        await session.read(details=True)
        assert session.findings.unrouted == (six,)


async def test_a_vpp_that_waits_to_be_filled_is_not_kept_waiting(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await write(session, AddVip(WEB, GRE4), AddServer(WEB, SERVER, 1))
    async with dataplane.connect() as session:
        assert isinstance(session, VppSession)
        await session.read()
        assert session.api_counts["ip_route_lookup", "tx", "ok"] == 0
        await session.read()
        assert session.api_counts["ip_route_lookup", "tx", "ok"] == 1


def test_new_servers_are_looked_up_first_then_those_without_a_route_and_all_in_turn() -> None:
    servers = {IPv4Address(0x0A000000 + number) for number in range(3 * MOST_A_LOOK)}
    looked_up: dict[IPv4Address | IPv6Address, int] = {}
    for look in range(1, 4):
        chosen = due(servers, looked_up, ())
        assert len(chosen) == MOST_A_LOOK
        assert not looked_up.keys() & chosen
        looked_up |= dict.fromkeys(chosen, look)
    assert looked_up.keys() == servers
    latest = next(server for server, look in looked_up.items() if look == 3)
    new = IPv4Address("192.0.2.1")
    chosen = due({*servers, new}, looked_up, {latest})
    assert chosen[:2] == [new, latest]
    assert {looked_up[server] for server in chosen[2:] if server != new} == {1}


async def test_one_that_is_not_due_stays_without_a_route_until_it_is_looked_up_or_gone(
    dataplane: VppDataplane, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maglev_vpp.routes.MOST_A_LOOK", 1)
    await standin.do("route", prefix="198.51.100.0/24", way="drop")
    async with dataplane.connect() as session:
        assert isinstance(session, VppSession)
        await write(session, AddVip(WEB, GRE4), AddServer(WEB, SERVER, 1), AddServer(WEB, OTHER, 1))
        counts = []
        for _ in range(4):
            await session.read()
            counts.append(len(session.findings.unrouted))
        assert counts == [0, 1, 2, 2]
        await write(session, DeleteServer(WEB, SERVER))
        await session.read()
        assert list(session.findings.unrouted) == [OTHER]


async def test_routes_are_decoded_as_vpp_defines_them(session: VppSession) -> None:
    await write(session, AddVip(WEB, GRE4), AddServer(WEB, SERVER, 1))
    connection = session._connection
    for address in (WEB.address, SERVER, ip_address("2001:db8::9")):
        reply = await connection.send(LOOKUP, {"table_id": 0, "exact": 0, "prefix": pack_prefix(address)}).reply()
        decoded, ours = connection.codec.decode(f"{LOOKUP}_reply", reply).route, route_of(reply)
        assert ours is not None
        assert ours.counter == decoded.stats_index
        assert len(ours.paths) == decoded.n_paths == 1
        for path, theirs in zip(ours.paths, decoded.paths, strict=True):
            assert (path.interface, path.kind) == (theirs.sw_if_index, int(theirs.type))
            assert path.hop.packed == theirs.nh.address.ip6[: len(path.hop.packed)]


def test_a_reply_that_is_too_short_is_refused() -> None:
    for length in range(10 + 27 + 167):
        with pytest.raises(DataplaneError, match="too short"):
            route_of((bytes(10 + 26) + b"\1" + bytes(167))[:length])


def test_routes_that_go_round_are_not_followed_for_ever() -> None:
    one, two = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    assert is_reachable(one, {one: frozenset({two}), two: frozenset({one})})
    assert not is_reachable(one, {one: frozenset({two}), two: False}, DEEPEST)


async def test_the_log_names_a_server_without_a_route_once(
    dataplane: VppDataplane, standin: Standin, caplog: pytest.LogCaptureFixture
) -> None:
    await standin.do("route", prefix="198.51.100.1/32", way="drop")
    with caplog.at_level(logging.WARNING, "maglev.vpp"):
        async with dataplane.connect() as session:
            await write(session, AddVip(WEB, GRE4), AddServer(WEB, SERVER, 1), AddServer(WEB, OTHER, 1))
            await session.read(details=True)
            await session.read(details=True)
    said = [record.getMessage() for record in caplog.records if "no route" in record.getMessage()]
    assert said == ["VPP has no route to 198.51.100.1: VPP drops packets for these servers"]


async def test_frontend_and_dataplane_tell_of_a_server_without_a_route(
    dataplane: VppDataplane, standin: Standin
) -> None:
    await standin.do("route", prefix="198.51.100.2/32", way="drop")
    async with controller_of(dataplane, config()) as control:
        await settled(control)
        await control.read_dataplane(details=True)
        assert control.dataplane_snapshot().unrouted == (OTHER,)
        assert control.metrics().status.dataplane.findings.unrouted == (OTHER,)
        told = "the dataplane has no route to 198.51.100.2: it drops packets for this server"
        assert told in control.frontend("web").drift
        assert control.frontend("all").drift == ()
        await standin.kill()
        await until(lambda: not control.dataplane_snapshot().connected, "the loss is noticed")
        assert control.dataplane_snapshot().unrouted == ()


# -------------------------------------------------------------------------------------------------- memory that is lost


async def test_each_vip_that_is_removed_loses_its_table(session: VppSession) -> None:
    before = session.findings.lost_bytes
    assert before is not None
    await write(session, AddVip(WEB, GRE4), AddVip(DNS, VipAttributes(Encap.GRE4, 4096)))
    await session.read()
    await write(session, DeleteVip(WEB), AddVip(WEB, GRE4), DeleteVip(DNS))
    await session.read()
    assert session.findings.lost_bytes == before + 4 * (1024 + 4096)


async def test_what_others_remove_or_make_anew_is_lost_too(dataplane: VppDataplane, standin: Standin) -> None:
    stranger = VppDataplane(standin.options)
    async with dataplane.connect() as session, stranger.connect() as other:
        assert isinstance(session, VppSession)
        await write(session, AddVip(WEB, GRE4), AddVip(DNS, GRE4))
        await session.read()
        await write(other, DeleteVip(WEB), DeleteVip(DNS), AddVip(DNS, VipAttributes(Encap.GRE4, 2048)))
        await session.read()
        assert session.findings.lost_bytes == 4 * (1024 + 1024)


async def test_what_was_lost_is_kept_over_connections_and_forgotten_with_vpp(
    dataplane: VppDataplane, standin: Standin
) -> None:
    async with dataplane.connect() as session:
        await write(session, AddVip(WEB, GRE4), DeleteVip(WEB))
    async with dataplane.connect() as session:
        assert isinstance(session, VppSession)
        assert session.findings == DataplaneFindings((), 4096)
    await standin.restart()
    async with dataplane.connect() as session:
        assert isinstance(session, VppSession)
        assert session.findings == DataplaneFindings((), 0)
