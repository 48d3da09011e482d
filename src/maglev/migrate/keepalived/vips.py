"""Reads the VIPs of virtual servers and of their groups: addresses, ranges and ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import islice
from typing import Literal

from maglev.migrate.bounds import MAX_VIPS
from maglev.migrate.findings import Findings
from maglev.migrate.keepalived.statements import Statement
from maglev.migrate.model import Address, Vip
from maglev.migrate.values import port_number

_NO_MARK = "a VIP is an address: give the addresses and ports that the mark stands for"


def vips_of(
    service: Statement, groups: Mapping[str, Statement], protocol: Literal["tcp", "udp"], findings: Findings
) -> tuple[Vip, ...]:
    """Give the VIPs of a `virtual_server`; those that maglevd cannot have are reported.

    Args:
        service: The statement.
        groups: Each `virtual_server_group` by its name.
        protocol: Of the service.
        findings: Takes what could not be read.
    """
    if service.argument == "fwmark":
        findings.left_out(service.place, "virtual_server fwmark", _NO_MARK)
        return ()
    members = [Statement(service.words[1:] or ("",), service.place)]
    if service.argument == "group":
        name = service.words[2] if len(service.words) > 2 else ""
        if (group := groups.get(name)) is None:
            findings.left_out(service.place, f"virtual_server group {name}", "there is no such virtual_server_group")
            return ()
        members = group.block
    vips = (vip for one in members for vip in _vips(one, protocol, findings))
    found = tuple(islice(vips, MAX_VIPS + 1))
    if len(found) > MAX_VIPS:
        findings.left_out(service.place, " ".join(service.words), f"at most {MAX_VIPS} VIPs are taken")
    return found[:MAX_VIPS]


def _vips(said: Statement, protocol: Literal["tcp", "udp"], findings: Findings) -> Iterator[Vip]:
    """Read one address or range, with a port behind it or not: without one, all ports of all protocols."""
    if said.keyword == "fwmark":
        findings.left_out(said.place, "fwmark", _NO_MARK)
        return
    port = port_number(said.argument) if said.argument and said.argument != "0" else 0
    if port is None:
        findings.left_out(said.place, " ".join(said.words), "this is no port")
        return
    addresses = _range(said.keyword)
    if not addresses:
        findings.left_out(said.place, " ".join(said.words), "this is no address, and no range of them")
        return
    if not port:
        message = "without a port the VIP takes all ports of all protocols"
        findings.changed(said.place, said.keyword, message)
    for address in _each(*addresses):
        yield Vip(address, port, said.place, protocol if port else "any")


def _range(text: str) -> tuple[Address, Address] | None:
    """Read `192.0.2.1`, `192.0.2.1-9`, `192.0.2.1-192.0.2.9` or `192.0.2.0/28`: its first and last address."""
    try:
        if "/" in text:
            network = ip_network(text, strict=False)
            return ip_address(text.split("/", maxsplit=1)[0]), network[-1]
        first_text, dash, last_text = text.partition("-")
        first = ip_address(first_text)
        if not dash:
            return first, first
        last = ip_address(_end(first, last_text))
    except ValueError:
        return None
    return (first, last) if type(first) is type(last) and int(first) <= int(last) else None


def _end(first: Address, text: str) -> str:
    """Complete the end of a range that is only its last part."""
    separator, whole = (".", str(first)) if isinstance(first, IPv4Address) else (":", first.exploded)
    return text if separator in text else whole.rpartition(separator)[0] + separator + text


def _each(first: Address, last: Address) -> Iterator[Address]:
    kind: type[IPv4Address | IPv6Address] = type(first)
    for number in range(int(first), int(last) + 1):
        yield kind(number)
