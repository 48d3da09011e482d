"""Echo requests and what answers them, as bytes. Pure: no sockets here, and no bytes that raise.

Formats: RFC 792 (ICMP), RFC 4443 (ICMPv6), RFC 791 and RFC 8200 (the headers that an error message quotes).
"""

from __future__ import annotations

import struct
from enum import Enum

import attrs

_HEADER = struct.Struct("!BBHHH")
_TOKEN = struct.Struct("!I")
_IPV4_HEADER = 20
_IPV6_HEADER = 40
_ICMP, _ICMPV6 = 1, 58


class Kind(Enum):
    """The kinds of packets."""

    REPLY = "echo reply"
    UNREACHABLE = "destination unreachable"
    EXCEEDED = "time exceeded"


@attrs.frozen
class Family:
    """The numbers in which ICMP and ICMPv6 differ.

    Args:
        version: 4 or 6.
        request: The type of an echo request.
        kinds: What types mean, for those that matter here.
    """

    version: int
    request: int
    kinds: dict[int, Kind]


V4 = Family(4, 8, {0: Kind.REPLY, 3: Kind.UNREACHABLE, 11: Kind.EXCEEDED})
V6 = Family(6, 128, {129: Kind.REPLY, 1: Kind.UNREACHABLE, 3: Kind.EXCEEDED})


@attrs.frozen
class Packet:
    """An answer to an echo request.

    Args:
        kind: What it is.
        type: The ICMP type.
        code: The ICMP code.
        identifier: Of the reply, or of the request that an error message quotes.
        sequence: The sequence number of the same.
        payload: The payload of the same, as far as it is quoted.
        destination: For error messages: where the request was going, packed; empty for replies.
    """

    kind: Kind
    type: int
    code: int
    identifier: int
    sequence: int
    payload: bytes
    destination: bytes = b""


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of bytes of even length."""
    words: tuple[int, ...] = struct.unpack(f"!{len(data) // 2}H", data)
    total = sum(words)
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(family: Family, token: int, key: bytes) -> bytes:
    """Build an echo request. Its token stands in identifier and sequence, and again behind the key in the payload.

    Args:
        family: `V4` or `V6`. For the latter, and for datagram sockets, the kernel fills in the checksum.
        token: 32 bits.
        key: Comes first in the payload; an even number of bytes.
    """
    payload = key + _TOKEN.pack(token)
    identifier, sequence = token >> 16, token & 0xFFFF
    header = _HEADER.pack(family.request, 0, 0, identifier, sequence)
    return _HEADER.pack(family.request, 0, checksum(header + payload), identifier, sequence) + payload


def token_of(payload: bytes, key: bytes) -> int | None:
    """The token in a complete payload of ours; `None` if it is not ours or not complete."""
    if len(payload) != len(key) + _TOKEN.size or not payload.startswith(key):
        return None
    token: int = _TOKEN.unpack_from(payload, len(key))[0]
    return token


def parse(family: Family, data: bytes, *, with_ip_header: bool) -> Packet | None:
    """Read a received packet; `None` if it is of no interest, cut off or malformed.

    Raw IPv4 sockets give it with an IPv4 header before it (`with_ip_header`).
    """
    inner = _inside_ipv4(data) if with_ip_header else data
    if inner is None or len(inner) < _HEADER.size:
        return None
    data = inner
    type_, code, _, identifier, sequence = _HEADER.unpack_from(data)
    kind = family.kinds.get(type_)
    if kind is None:
        return None
    if kind is Kind.REPLY:
        return Packet(kind, type_, code, identifier, sequence, data[_HEADER.size :]) if code == 0 else None
    return _parse_error(family, kind, data)


def parse_quoted(family: Family, data: bytes, kind: Kind, type_: int, code: int, destination: bytes) -> Packet | None:
    """Read the echo request that an error quotes, from its ICMP header on, as far as it is quoted.

    Kind, type and code are the error's. Returns `None` if what is quoted is no echo request.
    """
    if len(data) < _HEADER.size:
        return None
    quoted_type, quoted_code, _, identifier, sequence = _HEADER.unpack_from(data)
    if quoted_type != family.request or quoted_code != 0:
        return None
    return Packet(kind, type_, code, identifier, sequence, data[_HEADER.size :], destination)


def _parse_error(family: Family, kind: Kind, data: bytes) -> Packet | None:
    type_, code = data[0], data[1]
    quoted = data[_HEADER.size :]
    if family.version == 4:
        inner = _inside_ipv4(quoted)
        destination = quoted[16:20]
    else:
        # An echo request of ours has no extension headers, so anything else is somebody else's.
        is_icmpv6 = len(quoted) >= _IPV6_HEADER and quoted[0] >> 4 == 6 and quoted[6] == _ICMPV6
        inner = quoted[_IPV6_HEADER:] if is_icmpv6 else None
        destination = quoted[24:40]
    return None if inner is None else parse_quoted(family, inner, kind, type_, code, destination)


def _inside_ipv4(data: bytes) -> bytes | None:
    """Return the payload of an IPv4 packet, if it is ICMP and not a later fragment."""
    if len(data) < _IPV4_HEADER or data[0] >> 4 != 4 or data[9] != _ICMP:
        return None
    length = (data[0] & 0x0F) * 4
    if length < _IPV4_HEADER or int.from_bytes(data[6:8], "big") & 0x1FFF:
        return None
    return data[length:]
