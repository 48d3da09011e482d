"""Converts addresses and VIPs to and from the fields of VPP's messages."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from maglev.api import Encap, IPProtocol, VipKey

Address = IPv4Address | IPv6Address

ALL_ONES_4, ALL_ONES_6 = b"\xff" * 4, b"\xff" * 16
"""An outer source address that was never set."""
NEVER_SET = (IPv4Address(ALL_ONES_4), IPv6Address(ALL_ONES_6))
MAX_PORT = 65535

ENCAPS = (Encap.GRE4, Encap.GRE6)
"""By VPP's numbers; it has others, which maglevd never makes."""

_PROTOCOLS = {protocol.number: protocol for protocol in IPProtocol}


def pack_address(address: Address) -> dict[str, Any]:
    """Return an address as the fields of `vl_api_address_t`."""
    family = "ip4" if address.version == 4 else "ip6"
    return {"af": 0 if address.version == 4 else 1, "un": {family: address.packed}}


def pack_vip(vip: VipKey) -> dict[str, Any]:
    """Return a VIP as the fields that all messages have for it."""
    return {"pfx": pack_prefix(vip.address), "protocol": vip.protocol.number, "port": vip.port}


def pack_prefix(address: Address) -> dict[str, Any]:
    """Return a host address as the fields of `vl_api_prefix_t`."""
    return {"address": pack_address(address), "len": address.max_prefixlen}


def vip_objection(vip: VipKey) -> str:
    """Say why VPP would take a VIP for another one; empty if it would not."""
    if not 0 <= vip.port <= MAX_PORT:
        return f"port {vip.port}, allowed are 0 to {MAX_PORT}"
    if (vip.protocol is IPProtocol.ANY) != (vip.port == 0):
        return f"protocol {vip.protocol} and port {vip.port}: all protocols go with all ports, and only with them"
    return address_objection(vip.address)


def address_objection(address: Address) -> str:
    """Say why VPP would take an address for another one; empty if it would not.

    VPP keeps an IPv4 address in the last four of sixteen bytes, zeros before it: `::192.0.2.1` is 192.0.2.1 to it, and
    a VIP of the one is a VIP of the other. No message has a zone.
    """
    if not isinstance(address, IPv6Address):
        return ""
    if address.scope_id is not None:
        return f"address {address}, whose zone would get lost"
    return f"address {address}, which VPP takes for {IPv4Address(int(address))}" if int(address) < 1 << 32 else ""


def unpack_address(field: Any) -> Address:
    """Convert `vl_api_address_t`, whose union has the bytes of both families."""
    return IPv6Address(field.un.ip6) if int(field.af) else IPv4Address(field.un.ip4)


def unpack_vip(field: Any) -> VipKey | None:
    """Convert `vl_api_lb_vip_t`.

    Returns:
        The key; `None` for what maglevd never makes: a prefix that is no host address, a protocol other than TCP, UDP
        or any, all protocols on one port.
    """
    return vip_key(unpack_address(field.pfx.address), field.pfx.len, int(field.protocol), field.port)


def vip_key(address: Address, prefix_length: int, protocol_number: int, port: int) -> VipKey | None:
    """Build the key of a VIP; returns as `unpack_vip`."""
    protocol = _PROTOCOLS.get(protocol_number)
    if prefix_length != address.max_prefixlen or protocol is None or (protocol is IPProtocol.ANY) != (port == 0):
        return None
    return VipKey(address, protocol, port)
