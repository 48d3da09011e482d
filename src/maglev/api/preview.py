"""What would happen: previews of commands and traces of flows, exact because tables and hashes are."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

import attrs

from maglev.api.dataplane import FlowHash, IPProtocol


@attrs.frozen
class Shares:
    """What the servers of one frontend have, before or after.

    Args:
        weights: Effective weight by backend.
        table_weights: Weight in the table by server address.
        buckets: Buckets of the new-flow table by server address.
    """

    weights: Mapping[str, int]
    table_weights: Mapping[IPv4Address | IPv6Address, int]
    buckets: Mapping[IPv4Address | IPv6Address, int]


@attrs.frozen
class FrontendPreview:
    """What a command would do to one frontend.

    Args:
        frontend: Its name.
        before: What is now.
        after: What would be.
        moved: Share of new flows that would go to another server, 0 to 1.
        moved_avoidable: Share of the surviving servers' buckets that would move as well, 0 to 1.
        operations: What would be written, in order, in words.
        flushed: Servers whose established flows would be flushed.
    """

    frontend: str
    before: Shares
    after: Shares
    moved: float
    moved_avoidable: float
    operations: tuple[str, ...]
    flushed: tuple[IPv4Address | IPv6Address, ...] = ()


@attrs.frozen
class Preview:
    """What a command would do, bucket for bucket; nothing was changed."""

    frontends: tuple[FrontendPreview, ...]
    messages: tuple[str, ...] = ()


@attrs.frozen
class Flow:
    """One flow, for tracing.

    Args:
        source: The client's address, of the VIP's family.
        source_port: The client's port.
        protocol: What it speaks; the VIP's own where `None`.
        destination_port: For VIPs of all ports; the VIP's own where `None`.
    """

    source: IPv4Address | IPv6Address
    source_port: int = 0
    protocol: IPProtocol | None = None
    destination_port: int | None = None


@attrs.frozen
class FlowTrace:
    """Which server a new flow gets.

    Args:
        frontend: The frontend that was asked about.
        bucket: Its bucket in the new-flow table.
        server: The server it gets; `None` if no server has weight.
        backend: That server's backend name; empty if none.
        if_down: The server it would get if that one went down.
        backend_if_down: Its backend name; empty if none.
        flow_hash: Which hash was used.
        from_dataplane: Whether the weights are the dataplane's own, or only what is wanted (not connected).
    """

    frontend: str
    bucket: int
    server: IPv4Address | IPv6Address | None
    backend: str
    if_down: IPv4Address | IPv6Address | None
    backend_if_down: str
    flow_hash: FlowHash
    from_dataplane: bool
