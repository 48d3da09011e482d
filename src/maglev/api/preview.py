"""Previews of commands and traces of flows: exact, because they use the dataplane's tables and hashes."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

import attrs

from maglev.api.dataplane import FlowHash, IPProtocol
from maglev.api.events import BackendState, FrontendState


@attrs.frozen
class Shares:
    """The weights and buckets of a frontend's servers, before or after.

    Args:
        weights: Effective weight by backend.
        table_weights: Weight in the table by server address.
        buckets: Buckets of the new-flow table by server address.
        state: The frontend's state; `None` if there is no such frontend.
        active_pool: The pool that serves; empty if there is no such frontend.
    """

    weights: Mapping[str, int]
    table_weights: Mapping[IPv4Address | IPv6Address, int]
    buckets: Mapping[IPv4Address | IPv6Address, int]
    state: FrontendState | None = None
    active_pool: str = ""


@attrs.frozen
class FrontendPreview:
    """The predicted change of a frontend.

    Args:
        frontend: Its name.
        before: The present shares.
        after: The predicted shares.
        moved: Share of new flows that would go to another server, 0 to 1.
        moved_avoidable: Share of the surviving servers' buckets that would move as well, 0 to 1.
        operations: The operations, in order, in words.
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
class BackendPreview:
    """The predicted change of a backend's state.

    Args:
        backend: Its name.
        before: Its state now; `None` if there is no such backend.
        after: Its state then; `None` if there is no such backend.
    """

    backend: str
    before: BackendState | None
    after: BackendState | None


@attrs.frozen
class Preview:
    """The predicted effect of a command, bucket for bucket; nothing was changed.

    Args:
        frontends: The frontends that would change.
        messages: The messages of the command.
        backends: The backends whose state would change.
        operations: All operations, in order, in words, including those that concern no frontend.
    """

    frontends: tuple[FrontendPreview, ...]
    messages: tuple[str, ...] = ()
    backends: tuple[BackendPreview, ...] = ()
    operations: tuple[str, ...] = ()


@attrs.frozen
class Flow:
    """One flow, for tracing.

    Args:
        source: The client's address, of the VIP's family.
        source_port: The client's port.
        protocol: Its protocol; `None` for the VIP's own.
        destination_port: For VIPs of all ports; `None` for the VIP's own.
    """

    source: IPv4Address | IPv6Address
    source_port: int = 0
    protocol: IPProtocol | None = None
    destination_port: int | None = None


@attrs.frozen
class FlowTrace:
    """The server of a new flow.

    Args:
        frontend: The frontend.
        bucket: Its bucket in the new-flow table.
        server: The server it gets; `None` if no server has weight.
        backend: That server's backend name; empty if none.
        if_down: The server it would get if that one went down.
        backend_if_down: Its backend name; empty if none.
        flow_hash: The hash that was used.
        from_dataplane: Whether the weights are those in the dataplane, or the wanted ones (not connected).
    """

    frontend: str
    bucket: int
    server: IPv4Address | IPv6Address | None
    backend: str
    if_down: IPv4Address | IPv6Address | None
    backend_if_down: str
    flow_hash: FlowHash
    from_dataplane: bool
