"""Hashes a flow as VPP does: the lower bits are its bucket in a new-flow table, and so tell the server it gets.

What VPP's `lb` plugin makes a hash of, read in its source and (TCP over IPv4) seen on the wire:

- **Addresses**: source *and* destination, whatever the kind of VIP.
- **Ports**: both, for TCP and for UDP, over IPv4 and IPv6 alike; for every other protocol 0. It is the packet that
  counts, not the VIP: under a VIP of all ports TCP and UDP packets are spread by their ports as well.
- **`src-ip-sticky`**: the same with both ports 0. The destination, the VIP, still counts: one client may get different
  servers on two VIPs, but gets the same one on all ports and protocols of a VIP of all ports. (Two VIPs on one address
  with equal tables, say ports 80 and 443, therefore agree as well.)
- VPP looks for ports right behind the fixed header: it takes IPv4 options, and in a later fragment the payload, for
  ports, and gives a packet with IPv6 extension headers ports 0. These are not modelled here.

A *new* flow is one whose 32-bit hash is not in the worker's table of established flows; those that are keep their
server until idle for the flow time-out, or flushed. With `src-ip-sticky` that is one entry for all flows of a client.
"""

from __future__ import annotations

import struct
from functools import reduce
from operator import xor
from typing import Literal

from maglev.api.dataplane import FlowHash
from maglev.domain.hashes import crc32c, xxhash64
from maglev.domain.table import Address

TCP: Literal[6] = 6
UDP: Literal[17] = 17

_WORDS = struct.Struct("<5Q")
_PORTS = struct.Struct("!HH4x")


def flow_hash(
    source: Address,
    destination: Address,
    source_port: int,
    destination_port: int,
    protocol: int,
    *,
    sticky: bool = False,
    kind: FlowHash = "crc32c",
) -> int:
    """Hash a flow as VPP does.

    The key is five 64-bit words, read little-endian from bytes in network order: the addresses (one word for IPv4,
    four for IPv6), then one of the ports, then zeros. `crc32c` runs over the words' bytes in order; `xxhash` hashes
    the XOR of the words.

    Args:
        source: The client.
        destination: The VIP, of the same family.
        source_port: 0 to 65535; counts for TCP and UDP only, and not with `sticky`.
        destination_port: 0 to 65535; counts as `source_port` does.
        protocol: The number in the IP header: 6 for TCP, 17 for UDP.
        sticky: Whether the VIP was made with `src-ip-sticky`.
        kind: `crc32c` for VPP on a CPU with CRC instructions (x86-64 and arm64 builds), else `xxhash`.

    Returns:
        0 to 2³² − 1.

    Raises:
        ValueError: The families differ, or a port or the protocol is out of range.
    """
    if source.version != destination.version:
        raise ValueError(f"flow from {source} to {destination}: one address family is allowed")
    for port in (source_port, destination_port):
        if not 0 <= port <= 0xFFFF:
            raise ValueError(f"port is {port}: 0 to 65535 is allowed")
    if not 0 <= protocol <= 0xFF:
        raise ValueError(f"protocol is {protocol}: 0 to 255 is allowed")
    # The source port is the upper half of a 32-bit word that is stored little-endian: its bytes come last.
    has_ports = protocol in (TCP, UDP) and not sticky
    ports = _PORTS.pack(destination_port, source_port) if has_ports else bytes(8)
    key = (source.packed + destination.packed + ports).ljust(_WORDS.size, b"\0")
    if kind == "crc32c":
        return crc32c(key)
    return xxhash64(reduce(xor, _WORDS.unpack(key))) & 0xFFFFFFFF
