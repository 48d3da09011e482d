"""The parser: what it takes, and that no bytes raise."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev_icmp.packet import V4, V6, Family, Kind, checksum, echo_request, parse, parse_quoted, token_of

KEY = bytes(range(20))
TOKEN = 0xDEADBEEF
TARGET4, TARGET6 = ip_address("192.0.2.1").packed, ip_address("2001:db8::1").packed
families = st.sampled_from([V4, V6])


def ipv4(
    inner: bytes, protocol: int = 1, options: bytes = b"", fragment: int = 0, destination: bytes = TARGET4
) -> bytes:
    length = 20 + len(options)
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x40 | length // 4, 0, length + len(inner), 1, fragment, 64, protocol, 0, bytes(4), TARGET4,
    )  # fmt: skip
    return header + options + inner


def ipv6(inner: bytes, following: int = 58, destination: bytes = TARGET6) -> bytes:
    return struct.pack("!IHBB16s16s", 6 << 28, len(inner), following, 64, bytes(16), destination) + inner


def message(type_: int, code: int, rest: bytes) -> bytes:
    return struct.pack("!BBHI", type_, code, 0, 0) + rest


def reply(family: Family, token: int = TOKEN) -> bytes:
    request = echo_request(family, token, KEY)
    return bytes([{4: 0, 6: 129}[family.version]]) + request[1:]


def error(family: Family, type_: int, quoted: int | None = None) -> bytes:
    request = echo_request(family, TOKEN, KEY)[:quoted]
    return message(type_, 1, ipv4(request) if family is V4 else ipv6(request))


def test_checksum_is_the_complement_of_the_sum() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D  # the example of RFC 1071, section 3


@given(st.integers(0, 2**32 - 1))
def test_a_request_has_a_right_checksum(token: int) -> None:
    assert checksum(echo_request(V4, token, KEY)) == 0


@given(families, st.integers(0, 2**32 - 1))
def test_the_reply_to_a_request_brings_its_token_back(family: Family, token: int) -> None:
    packet = parse(family, reply(family, token), with_ip_header=False)
    assert packet is not None
    assert packet.kind is Kind.REPLY
    assert packet.identifier << 16 | packet.sequence == token_of(packet.payload, KEY) == token


@pytest.mark.parametrize("options", [b"", bytes(4), bytes(40)])
def test_an_ip_header_is_skipped_with_its_options(options: bytes) -> None:
    packet = parse(V4, ipv4(reply(V4), options=options), with_ip_header=True)
    assert packet == parse(V4, reply(V4), with_ip_header=False)
    assert packet is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ipv4(reply(V4))[:19],
        ipv4(reply(V4))[:27],
        ipv4(reply(V4), protocol=17),
        ipv4(reply(V4), fragment=1),
        b"\x60" + ipv4(reply(V4))[1:],
        b"\x44" + ipv4(reply(V4))[1:],
        b"\x4f" + ipv4(reply(V4))[1:30],
    ],
)
def test_what_is_no_icmp_in_ipv4_is_nothing(data: bytes) -> None:
    assert parse(V4, data, with_ip_header=True) is None


@pytest.mark.parametrize(
    "family,type_,kind",
    [(V4, 3, Kind.UNREACHABLE), (V4, 11, Kind.EXCEEDED), (V6, 1, Kind.UNREACHABLE), (V6, 3, Kind.EXCEEDED)],
)
@pytest.mark.parametrize("quoted", [8, 20, None])
def test_an_error_is_matched_to_what_it_quotes(family: Family, type_: int, kind: Kind, quoted: int | None) -> None:
    packet = parse(family, error(family, type_, quoted), with_ip_header=False)
    assert packet is not None
    assert (packet.kind, packet.type, packet.code) == (kind, type_, 1)
    assert packet.identifier << 16 | packet.sequence == TOKEN
    assert packet.destination == (TARGET4 if family is V4 else TARGET6)
    assert (KEY + struct.pack("!I", TOKEN)).startswith(packet.payload)


@pytest.mark.parametrize(
    "family,data",
    [
        (V4, error(V4, 3, 7)),
        (V6, error(V6, 1, 7)),
        (V4, error(V4, 3)[:20]),
        (V6, error(V6, 1)[:40]),
        (V4, message(3, 1, ipv4(reply(V4)))),
        (V6, message(1, 1, ipv6(reply(V6)))),
        (V4, message(3, 1, ipv4(echo_request(V4, 1, KEY), protocol=6))),
        (V6, message(1, 1, ipv6(echo_request(V6, 1, KEY), following=6))),
        (V6, message(1, 1, ipv4(echo_request(V4, 1, KEY)))),
        (V4, message(5, 1, ipv4(echo_request(V4, 1, KEY)))),
        (V6, message(2, 1, ipv6(echo_request(V6, 1, KEY)))),
        (V4, echo_request(V4, 1, KEY)),
        (V6, echo_request(V6, 1, KEY)),
        (V4, b"\0\1" + reply(V4)[2:]),
    ],
)
def test_what_speaks_of_no_request_of_ours_is_nothing(family: Family, data: bytes) -> None:
    assert parse(family, data, with_ip_header=False) is None


@given(families, st.binary(max_size=120), st.booleans())
def test_no_bytes_raise(family: Family, data: bytes, with_ip_header: bool) -> None:
    parse(family, data, with_ip_header=with_ip_header)
    parse_quoted(family, data, Kind.UNREACHABLE, 3, 1, b"")
    token_of(data, KEY)


@given(st.data())
def test_no_damage_raises_or_brings_another_token(data: st.DataObject) -> None:
    family = data.draw(families)
    whole = data.draw(st.sampled_from([reply(family), error(family, 3), error(family, 1), ipv4(reply(family))]))
    at = data.draw(st.integers(0, len(whole)))
    damaged = whole[:at] + data.draw(st.binary(max_size=4)) + whole[data.draw(st.integers(at, len(whole))) :]
    packet = parse(family, damaged, with_ip_header=data.draw(st.booleans()))
    if packet is not None and packet.kind is Kind.REPLY and len(packet.payload) < len(KEY) + 4:
        assert token_of(packet.payload, KEY) is None
