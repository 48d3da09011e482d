"""Failures of VPP and of the connection to it."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import Counter
from ipaddress import IPv4Address
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneError,
    Encap,
    Failed,
    IPProtocol,
    LostKind,
    NotSent,
    Ok,
    Operation,
    SetWeight,
    Unknown,
    VipAttributes,
    VipKey,
)
from maglev_vpp import Timings, VppDataplane, VppOptions
from maglev_vpp.session import VppSession
from plugins.maglev_vpp.tests.conftest import SHORT_TIMINGS
from plugins.maglev_vpp.tests.standin.harness import Standin

VIP = VipKey(IPv4Address("192.0.2.80"), IPProtocol.TCP, 80)
S1, S2, S3 = (IPv4Address("198.51.100.1") + number for number in range(3))
THREE_SERVERS: list[Operation] = [
    AddVip(VIP, VipAttributes(Encap.GRE4, 1024)),
    *(AddServer(VIP, server, 10) for server in (S1, S2, S3)),
]
LOWER = [SetWeight(VIP, server, 1) for server in (S1, S2, S3)]


async def fill(dataplane: VppDataplane) -> None:
    async with dataplane.connect() as session:
        assert set(await session.apply(THREE_SERVERS)) == {Ok()}


async def test_a_hanging_vpp_is_lost_and_what_was_asked_is_unknown(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await standin.do("hang", on=True)
        results = await session.apply(LOWER)
        assert {type(result) for result in results} == {Unknown}
        assert (await session.lost()).kind is LostKind.SILENT
        assert list(await session.apply(LOWER)) == [NotSent()] * 3
        with pytest.raises(DataplaneError, match="has not answered"):
            await session.read()


async def test_a_vpp_that_hangs_while_nothing_is_asked_is_noticed(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await standin.do("hang", on=True)
        reason = await session.lost()
        assert reason.kind is LostKind.SILENT
        assert str(standin.folder) in reason.detail


async def test_a_vpp_that_hangs_does_not_keep_us_from_leaving(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect():
        await standin.do("hang", on=True)


async def test_a_vpp_that_hangs_before_it_says_anything_is_given_up(dataplane: VppDataplane, standin: Standin) -> None:
    await standin.do("hang", on=True)
    with pytest.raises(DataplaneError, match="has not answered"):
        async with dataplane.connect():
            pytest.fail("nobody answered")
    await standin.do("hang", on=False)
    async with dataplane.connect() as session:
        assert session.info.pid == standin.pid


async def test_a_slow_vpp_is_waited_for(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await standin.do("delay", seconds=0.03)
        assert set(await session.apply(THREE_SERVERS)) == {Ok()}
        assert set((await session.read()).vips[VIP].servers) == {S1, S2, S3}


async def test_a_reply_that_never_comes_leaves_its_operation_unknown_and_no_other(
    dataplane: VppDataplane, standin: Standin
) -> None:
    await fill(dataplane)
    async with dataplane.connect() as session:
        await standin.do("drop", message="lb_as_set_weight")
        lost, *kept = await session.apply(LOWER)
        assert isinstance(lost, Unknown)
        assert kept == [Ok(), Ok()]
        assert {s.weight for s in (await session.read()).vips[VIP].servers.values()} == {1}


async def test_a_vpp_that_dies_in_mid_message_is_lost_at_once(dataplane: VppDataplane, standin: Standin) -> None:
    await fill(dataplane)
    async with dataplane.connect() as session:
        await standin.do("die_in", message="lb_as_set_weight")
        results = await session.apply(LOWER)
        assert {type(result) for result in results} == {Unknown}
        assert (await session.lost()).kind is LostKind.CLOSED
        before = session.info.boot_id
    await standin.restart()
    async with dataplane.connect() as session:
        assert session.info.boot_id != before
        assert (await session.read()).vips == {}


async def test_a_refusal_has_vpps_own_name(dataplane: VppDataplane, standin: Standin) -> None:
    await fill(dataplane)
    async with dataplane.connect() as session:
        await standin.do("refuse", message="lb_as_set_weight", retvals=[-99, 0, -4242])
        assert list(await session.apply(LOWER)) == [Failed("TABLE_TOO_BIG"), Ok(), Failed("retval -4242")]


@pytest.mark.parametrize(
    "message",
    {
        "of an unknown number": struct.pack(">HII", 60000, 1, 2),
        "too short to have a context": b"\0\x14",
        "empty": b"",
        "a reply to nothing": struct.pack(">HIi", 21, 999999, 0),
        "a keepalive that ends too early": struct.pack(">HI", 18, 1),
        "an event without a context": struct.pack(">HI", 24, 1) + bytes(7),
    }.items(),
    ids=lambda item: item[0],
)
async def test_a_message_that_nobody_asked_for_is_survived(
    dataplane: VppDataplane, standin: Standin, message: tuple[str, bytes]
) -> None:
    async with dataplane.connect() as session:
        await standin.do("send", hexadecimal=message[1].hex())
        assert set(await session.apply(THREE_SERVERS)) == {Ok()}


async def test_bytes_that_are_no_messages_end_the_session(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await standin.do("send", hexadecimal="ff" * 64, raw=True)
        assert (await session.lost()).kind is LostKind.PROTOCOL


async def test_a_reply_that_cannot_be_read_fails_its_call_only(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        assert isinstance(session, VppSession)
        connection = session._connection
        call = connection.send("lb_conf_get", {})
        number = connection.codec.numbers["lb_conf_get_reply"]
        connection._on_message(struct.pack(">HIi", number, next(iter(connection._calls)), 0))
        with pytest.raises(DataplaneError, match="cannot be decoded"):
            connection.codec.decode("lb_conf_get_reply", await call.reply())
        assert (await session.read()).vips == {}


async def test_keepalives_are_answered(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await standin.do("keepalive")
        await session.read()
        assert await standin.do("keepalive") == 1


async def test_vpp_is_told_who_we_are(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect():
        assert (await standin.do("report"))["clients"] == ["vpp-maglev"]


@pytest.mark.parametrize(
    "kind, complaint",
    [
        (
            "old",
            r"VPP 26\.10-standin cannot be used: it lacks lb_conf_get, lb_add_del_as_v2, lb_as_set_weight",
        ),
        ("without-lb", r"its lb plugin is not loaded"),
        ("changed", r"it has another layout of lb_as_v2_details"),
    ],
    ids=["too old for weights", "without the plugin", "with another layout"],
)
async def test_a_vpp_that_cannot_be_worked_with_is_told_in_one_error(folder: Path, kind: str, complaint: str) -> None:
    standin = Standin(folder, kind)
    await standin.start()
    try:
        with pytest.raises(DataplaneError, match=complaint):
            async with VppDataplane(standin.options, SHORT_TIMINGS).connect():
                pytest.fail("connected")
    finally:
        await standin.kill()


async def test_nobody_there_is_told_with_the_path(folder: Path) -> None:
    options = VppOptions(api_addr=f"{folder}/api.sock", stats_addr="")
    short = Timings(wait_s=0.1, poll_s=0.01)
    with pytest.raises(DataplaneError, match=rf"VPP is not there: {folder}/api\.sock: No such file"):
        async with VppDataplane(options, short).connect():
            pytest.fail("connected")


async def test_sockets_of_a_dead_vpp_are_nobody(dataplane: VppDataplane, standin: Standin) -> None:
    await standin.kill()
    short = VppDataplane(standin.options, Timings(wait_s=0.1, poll_s=0.01))
    with pytest.raises(DataplaneError, match="Connection refused"):
        async with short.connect():
            pytest.fail("connected")


async def test_a_vpp_that_comes_back_while_we_wait_is_found(dataplane: VppDataplane, standin: Standin) -> None:
    await standin.kill()
    async with anyio.create_task_group() as group:
        group.start_soon(standin.start)
        async with dataplane.connect() as session:
            assert session.info.pid == standin.pid


async def test_a_vpp_that_is_known_to_be_away_is_waited_for_without_another_word(standin: Standin) -> None:
    await standin.kill()
    dataplane = VppDataplane(standin.options, Timings(wait_s=0.1, poll_s=0.01))
    with pytest.raises(DataplaneError, match="is not there"):
        async with dataplane.connect():
            pytest.fail("connected")
    async with anyio.create_task_group() as group:
        group.start_soon(standin.start)
        async with dataplane.connect() as session:
            assert session.info.pid == standin.pid


async def test_without_an_address_vpp_is_switched_off() -> None:
    dataplane = VppDataplane(VppOptions(api_addr=""))
    assert not dataplane.enabled
    with pytest.raises(DataplaneError, match="switched off"):
        async with dataplane.connect():
            pytest.fail("connected")


async def test_a_socket_that_is_no_vpp_is_told(folder: Path) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n" * 10)
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(babble, f"{folder}/api.sock")
    async with server:
        with pytest.raises(DataplaneError, match="a message of"):
            async with VppDataplane(VppOptions(f"{folder}/api.sock", ""), SHORT_TIMINGS).connect():
                pytest.fail("connected")


def read_descriptors() -> Counter[str]:
    """What this process has open that could be ours: files, memory, and unix sockets.

    Libraries that other tests loaded keep threads, which open and close pollers and TCP sockets when they like.
    """
    unix = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    found: Counter[str] = Counter()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it went while we looked
            link = str(path.readlink())
            inode = link.removeprefix("socket:[").removesuffix("]")
            if not link.startswith("anon_inode:") and (inode == link or inode in unix):
                found[link] += 1
    return found


async def descriptors() -> Counter[str]:
    return await anyio.to_thread.run_sync(read_descriptors)


async def test_a_hundred_connections_leave_nothing_behind(dataplane: VppDataplane, standin: Standin) -> None:
    async with dataplane.connect() as session:
        await session.apply(THREE_SERVERS)
    before, tasks = await descriptors(), asyncio.all_tasks()
    for number in range(100):
        async with dataplane.connect() as session:
            await session.read(details=True)
            await session.counters()
            if number % 10 == 0:
                await standin.do("send", hexadecimal="ff" * 64, raw=True)
                await session.lost()
    assert await descriptors() - before == Counter()
    assert asyncio.all_tasks() == tasks
    assert (await standin.do("report"))["connections"] == 0


async def test_a_connection_that_fails_halfway_leaves_nothing_behind(dataplane: VppDataplane, standin: Standin) -> None:
    before = await descriptors()
    await (anyio.Path(standin.folder) / "stats.sock").unlink()
    short = VppDataplane(standin.options, Timings(wait_s=0.1, wait_again_s=0.1, poll_s=0.01))
    with pytest.raises(DataplaneError, match=r"stats\.sock"):
        async with short.connect():
            pytest.fail("connected")
    await (anyio.Path(standin.folder) / "stats.sock").write_text("no socket")
    with pytest.raises(DataplaneError, match=r"stats\.sock"):
        async with short.connect():
            pytest.fail("connected")
    assert await descriptors() - before == Counter()
    assert (await standin.do("report"))["connections"] == 0
