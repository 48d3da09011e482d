"""Parses `show lb vips verbose`, for what only VPP's command line tells of a VIP.

No message of the API has a VIP's sticky flag, its index in VPP (which its counters are kept by) or a server's number of
entries in the tables of established flows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

import attrs

from maglev.api import VipKey
from maglev_vpp.addresses import Address, vip_key

COMMAND = "show lb vips verbose"
SUMMARY_COMMAND = "show lb"
SERVERS_IN_SUMMARY = re.compile(r"#ass: (\d+)")
"""The number of servers of all VIPs, those that were removed included. VPP counts all established flows for it."""
BLOCK_BYTES, LINE_BYTES = 360, 64
"""Bytes of the output for one VIP without its servers, and for one server beside its address: at most, while no server
has more than ten million entries in VPP's tables of flows."""
ALL_PROTOCOLS = 255
"""The protocol of a VIP of all ports, for which the output has no line."""

_HEAD = re.compile(r"^ \S+ \[(?P<index>\d+)\] (?P<address>\S+)/(?P<length>\d+)(?P<flags>.*)$")
_LENGTH = re.compile(r"^\s+new_size:(\d+)$", re.MULTILINE)
_PORT = re.compile(r"^\s+protocol:(\d+) port:(\d+)", re.MULTILINE)
_SERVER = re.compile(r"^\s+(\S+) weight:\d+ buckets:\d+ flows:(\d+) dpo:\d+\s+used", re.MULTILINE)


@attrs.frozen
class VipDetails:
    """The details of one VIP from the command line.

    Args:
        key: The VIP.
        index: Its index in VPP.
        sticky: Whether only the source address is hashed.
        table_length: Buckets of its new-flow table.
        entries: Entries in the workers' tables of established flows by server, of the servers in use. VPP calls them
            flows, but one stays there when its flow has ended or moved, until another flow takes its place or it is
            flushed. So this is an upper bound of the flows.
    """

    key: VipKey
    index: int
    sticky: bool
    table_length: int
    entries: Mapping[Address, int]


def longest_output(vips: int, servers: Iterable[Address]) -> int:
    """Return how long the output can become, in bytes.

    Args:
        vips: How many VIPs there are, the removed ones included.
        servers: The addresses of their servers, the removed ones included.
    """
    return vips * BLOCK_BYTES + sum(LINE_BYTES + (15 if server.version == 4 else 39) for server in servers)


def split_vips(text: str) -> Iterator[str]:
    """Split the output into one block of text for each VIP."""
    return (block for block in text.split("\n\n") if block.strip())


def parse_vip(block: str) -> VipDetails | None:
    """Parse the output for one VIP.

    Returns:
        The VIP; `None` for a removed one that is not collected yet, and for one that maglevd never makes.

    Raises:
        ValueError: It does not have the expected form.
    """
    first, _, rest = block.lstrip("\n").partition("\n")
    head = _HEAD.match(first)
    if head is None:
        raise ValueError(f"VPP's {COMMAND!r} says {first!r}")
    flags = head["flags"].split()
    port = _PORT.search(rest)
    protocol_number, port_number = (int(port[1]), int(port[2])) if port else (ALL_PROTOCOLS, 0)
    key = vip_key(ip_address(head["address"]), int(head["length"]), protocol_number, port_number)
    if key is None or "removed" in flags:
        return None
    length = _LENGTH.search(rest)
    return VipDetails(
        key=key,
        index=int(head["index"]),
        sticky="src_ip_sticky" in flags,
        table_length=int(length[1]) if length else 0,
        entries={ip_address(address): int(entries) for address, entries in _SERVER.findall(rest)},
    )
