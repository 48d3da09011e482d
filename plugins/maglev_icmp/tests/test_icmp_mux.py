"""The mux against answers of every kind, good and forged, in a namespace where only the test answers."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from maglev.api import Code, ProbeResult, Target
from maglev_icmp import sockets
from maglev_icmp.mux import BOUND
from maglev_icmp.packet import V4
from plugins.maglev_icmp.tests.peer import EXCEEDED, HOST, REPLY, UNREACHABLE, MuxAndPeer

pytestmark = pytest.mark.netns


@pytest.fixture(params=["ipv4", "ipv6"])
def version(request: pytest.FixtureRequest) -> int:
    return {"ipv4": 4, "ipv6": 6}[request.param]


@pytest.fixture
def no_raw_sockets(namespace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a process without CAP_NET_RAW whose group may ping."""
    create = sockets._create

    def refuse_raw(family: Any, *, raw: bool) -> socket.socket:
        if raw:
            raise PermissionError(errno.EPERM, "not permitted")
        return create(family, raw=raw)

    namespace.allow_ping_sockets()
    monkeypatch.setattr(sockets, "_create", refuse_raw)


@pytest.fixture(params=["raw", "datagram"])
def pair(request: pytest.FixtureRequest, namespace: Any, version: int) -> Iterator[MuxAndPeer]:
    if request.param == "datagram":
        request.getfixturevalue("no_raw_sockets")
    made = MuxAndPeer(namespace, version)
    assert made.mux._sockets.raw == (request.param == "raw")
    yield made
    made.close()


@pytest.fixture
def raw(namespace: Any, version: int) -> Iterator[MuxAndPeer]:
    made = MuxAndPeer(namespace, version)
    yield made
    made.close()


def test_a_reply_is_a_pass(pair: MuxAndPeer) -> None:
    pair.answer(*pair.ask(7))
    assert pair.wait_for(7).code is Code.L4OK


def test_a_kernel_s_reply_is_a_pass(pair: MuxAndPeer) -> None:
    pair.namespace.answer_by_kernel()
    pair.mux.start(7, pair.target(1))
    assert pair.wait_for(7).code is Code.L4OK


def test_silence_is_a_time_out_and_a_late_reply_nothing(pair: MuxAndPeer) -> None:
    asked = pair.ask(7)
    assert pair.mux.expire(7).code is Code.L4TOUT
    pair.answer(*asked)
    assert pair.drain() == []


def test_a_reply_counts_once(pair: MuxAndPeer) -> None:
    asked = pair.ask(7)
    pair.answer(*asked)
    pair.answer(*asked)
    assert [token for token, _ in pair.drain()] == [7]


def test_many_at_once_are_told_apart(pair: MuxAndPeer) -> None:
    asked = [pair.ask(token) for token in range(200)]
    for request, address in reversed(asked[::2]):
        pair.answer(request, address)
    assert sorted(token for token, _ in pair.drain()) == list(range(0, 200, 2))


def test_a_reply_from_another_address_is_nothing(pair: MuxAndPeer) -> None:
    pair.answer(*pair.ask(7), pair.other)
    assert pair.drain() == []


@pytest.mark.parametrize(
    "forge",
    [
        lambda request: request[:6] + bytes([request[6] ^ 1]) + request[7:],
        lambda request: request[:8],
        lambda request: request[:-1],
        lambda request: request + b"\0",
        lambda request: request[:8] + bytes(len(request) - 8),
        lambda request: request[:-1] + bytes([request[-1] ^ 1]),
        lambda request: request[:8] + bytes([request[8] ^ 0x80]) + request[9:],
    ],
    ids=["sequence", "no-payload", "truncated", "longer", "other-payload", "other-token", "other-key"],
)
def test_a_forged_reply_is_nothing(pair: MuxAndPeer, forge: Callable[[bytes], bytes]) -> None:
    request, address = pair.ask(7)
    pair.answer(forge(request), address)
    assert pair.drain() == []


def test_a_reply_with_another_identifier_is_nothing(raw: MuxAndPeer) -> None:
    request, address = raw.ask(7)
    raw.answer(request[:4] + bytes([request[4] ^ 1]) + request[5:], address)
    assert raw.drain() == []


def test_a_reply_with_an_error_code_is_nothing(raw: MuxAndPeer) -> None:
    request, address = raw.ask(7)
    raw.peer.sendto(raw.packet(REPLY[raw.version], request[4:], code=1), address)
    assert raw.drain() == []


def test_the_token_itself_is_never_seen_on_the_wire(pair: MuxAndPeer) -> None:
    assert struct.pack("!I", 7) not in pair.ask(7)[0]


@pytest.mark.parametrize("kind", [UNREACHABLE, EXCEEDED], ids=["unreachable", "exceeded"])
def test_an_error_message_about_a_request_is_a_failure_at_once(pair: MuxAndPeer, kind: dict[int, int]) -> None:
    pair.send_error(kind[pair.version], *pair.ask(7))
    ((token, result),) = pair.drain()
    assert (token, result.code) == (7, Code.L4CON)
    assert HOST[pair.version].format(3) in result.detail


def test_eight_quoted_bytes_are_enough(raw: MuxAndPeer) -> None:
    raw.send_error(UNREACHABLE[raw.version], *raw.ask(7), quoted=8)
    ((token, result),) = raw.drain()
    assert (token, result.code) == (7, Code.L4CON)


def test_an_error_message_about_another_host_is_nothing(raw: MuxAndPeer) -> None:
    raw.send_error(UNREACHABLE[raw.version], *raw.ask(7), destination=1)
    assert raw.drain() == []


def test_an_error_message_with_a_guessed_token_is_nothing(raw: MuxAndPeer) -> None:
    request, address = raw.ask(7)
    raw.send_error(UNREACHABLE[raw.version], request[:4] + struct.pack("!I", 7) + request[8:], address, quoted=8)
    assert raw.drain() == []


def test_an_error_message_that_quotes_another_payload_is_nothing(raw: MuxAndPeer) -> None:
    request, address = raw.ask(7)
    raw.send_error(UNREACHABLE[raw.version], request[:8] + bytes(24), address)
    assert raw.drain() == []


def test_an_error_of_an_earlier_packet_spoils_no_later_one(pair: MuxAndPeer) -> None:
    pair.send_error(UNREACHABLE[pair.version], *pair.ask(7))
    assert pair.ask(8)  # must not raise what became of 7
    assert [token for token, _ in pair.drain()] == [7]


def test_a_turn_reads_a_bounded_amount(pair: MuxAndPeer) -> None:
    for token in range(BOUND + 1):
        pair.answer(*pair.ask(token))
    (fd,) = pair.mux.fds()
    select.select([fd], [], [], 20)
    assert pair.mux.readable(fd)
    assert 0 < len(pair.reports) <= BOUND
    pair.drain()


def test_the_source_address_is_kept_or_the_result_is_void(pair: MuxAndPeer) -> None:
    source = ip_address(HOST[pair.version].format(3))
    pair.mux.start(7, pair.target(source=source))
    if not pair.mux._sockets.keeps_source:
        assert pair.reports == [(7, ProbeResult(Code.NOPORT, "a source address over IPv6 needs CAP_NET_RAW"))]
        return
    request, address = pair.request()
    assert address[0] == str(source)
    pair.answer(request, address)
    assert pair.wait_for(7).code is Code.L4OK


def test_a_source_address_that_is_not_ours_is_our_own_fault(raw: MuxAndPeer) -> None:
    source = ip_address({4: "192.0.2.99", 6: "2001:db8::99"}[raw.version])
    with pytest.raises(OSError, match="Cannot assign requested address"):
        raw.mux.start(7, raw.target(source=source))


def test_no_route_is_told_when_sending(pair: MuxAndPeer) -> None:
    nowhere = ip_address({4: "192.0.2.1", 6: "2001:db8::1"}[pair.version])
    with pytest.raises(OSError, match="Network is unreachable"):
        pair.mux.start(7, Target("a", nowhere))
    if pair.mux._sockets.keeps_source:
        with pytest.raises(OSError, match="Network is unreachable"):
            pair.mux.start(7, Target("a", nowhere, source=pair.target(3).address))
    assert pair.drain() == []


def test_a_link_local_address_is_reached_through_its_interface(namespace: Any) -> None:
    namespace.answer_by_kernel()
    namespace.ip("link", "add", "near", "type", "veth", "peer", "name", "far")
    for name, address in (("near", "fe80::1/64"), ("far", "fe80::2/64")):
        namespace.ip("link", "set", name, "addrgenmode", "none", "up")
        namespace.ip("addr", "add", address, "dev", name, "nodad")
    pair = MuxAndPeer(namespace, 6)
    pair.mux.start(7, Target("a", ip_address("fe80::2%near")))
    assert pair.wait_for(7).code is Code.L4OK
    with pytest.raises(OSError, match="No such device"):
        pair.mux.start(8, Target("a", ip_address("fe80::2%nowhere")))
    pair.close()


def test_without_any_permission_the_message_says_what_is_missing(
    namespace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(family: Any, *, raw: bool) -> socket.socket:
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(sockets, "_create", refuse)
    with pytest.raises(PermissionError, match="CAP_NET_RAW"):
        namespace.run(sockets.open_sockets, socket.AF_INET)


def test_ping_sockets_are_refused_by_a_kernel_that_allows_them_to_nobody(namespace: Any) -> None:
    with pytest.raises(PermissionError):
        namespace.run(lambda: sockets._create(V4, raw=False))


def test_the_buffers_hold_a_burst(pair: MuxAndPeer) -> None:
    for sock in pair.mux._sockets.receivers:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= sockets.RECEIVE_BUFFER
    for sock in pair.mux._sockets.senders:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= sockets.SEND_BUFFER
