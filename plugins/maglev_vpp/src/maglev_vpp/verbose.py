"""What only VPP's command line tells of a VIP: `show lb vips verbose`, read.

No message of the API has a VIP's sticky flag, its number in VPP (by which its counters are kept) or the number of
established flows of a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

import attrs

from maglev.api import VipKey
from maglev_vpp.addresses import Address, vip_key

COMMAND = "show lb vips verbose"
ALL_PROTOCOLS = 255
"""The protocol of a VIP for all ports, for which no line says it."""

_HEAD = re.compile(r"^ \S+ \[(?P<index>\d+)\] (?P<address>\S+)/(?P<length>\d+)(?P<flags>.*)$")
_LENGTH = re.compile(r"^\s+new_size:(\d+)$")
_PORT = re.compile(r"^\s+protocol:(\d+) port:(\d+)")
_SERVER = re.compile(r"^\s+(\S+) weight:\d+ buckets:\d+ flows:(\d+) dpo:\d+\s+(used|removed)")


@attrs.frozen
class VipText:
    """One VIP, as the command line tells of it.

    Args:
        key: What names it.
        index: Its number in VPP.
        sticky: Whether only the source address is hashed.
        table_length: Buckets of its new-flow table.
        flows: Established flows by server, of those that are in use.
    """

    key: VipKey
    index: int
    sticky: bool
    table_length: int
    flows: Mapping[Address, int]


def blocks(text: str) -> Iterator[str]:
    """Cut the output into what it says of each VIP."""
    return (block for block in text.split("\n\n") if block.strip())


def parse(block: str) -> VipText | None:
    """Read what the output says of one VIP.

    Returns:
        The VIP; `None` for one that was removed and waits for its collection, and for one that maglevd never makes.

    Raises:
        ValueError: It does not look as it should.
    """
    lines = block.lstrip("\n").splitlines()
    head = _HEAD.match(lines[0])
    if head is None:
        raise ValueError(f"VPP's {COMMAND!r} says {lines[0]!r}")
    flags = head["flags"].split()
    ports = next(filter(None, map(_PORT.match, lines)), None)
    protocol, port = (int(ports[1]), int(ports[2])) if ports else (ALL_PROTOCOLS, 0)
    key = vip_key(ip_address(head["address"]), int(head["length"]), protocol, port)
    if key is None or "removed" in flags:
        return None
    length = next(filter(None, map(_LENGTH.match, lines)), None)
    servers = filter(None, map(_SERVER.match, lines))
    return VipText(
        key=key,
        index=int(head["index"]),
        sticky="src_ip_sticky" in flags,
        table_length=int(length[1]) if length else 0,
        flows={ip_address(server[1]): int(server[2]) for server in servers if server[3] == "used"},
    )
