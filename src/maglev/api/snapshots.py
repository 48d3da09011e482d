"""Snapshots of the state at one moment: immutable values, cheap to keep, safe to share."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev.api.dataplane import DataplaneInfo, DataplaneState, VipKey
from maglev.api.events import BackendState, FrontendState, Transition
from maglev.api.results import ProbeResult


@attrs.frozen
class HealthCheckSnapshot:
    """One health check as configured; durations in seconds."""

    name: str
    type: str
    port: int | None
    interval_s: float
    fast_interval_s: float
    down_interval_s: float
    timeout_s: float
    rise: int
    fall: int
    source_ipv4: IPv4Address | None
    source_ipv6: IPv6Address | None
    params: Mapping[str, Any]
    """The checker's options as the file gives them, with `(secret)` for what `maglev.api.shown_options` leaves out."""
    backends: tuple[str, ...]
    """The names of the backends that it probes."""


@attrs.frozen
class BackendSnapshot:
    """One backend now."""

    name: str
    address: IPv4Address | IPv6Address
    healthcheck: str | None
    """The name of its health check; `None` for a static backend."""
    state: BackendState
    counter: int
    """Health counter, 0 to rise + fall - 1."""
    counter_top: int
    enabled: bool
    """Whether the file enables it."""
    overridden: bool
    """Whether a command changed its admin state from what the file says."""
    frontends: tuple[str, ...]
    history: tuple[Transition, ...]
    """The newest transitions, newest last."""
    last_result: ProbeResult | None
    """The newest verdict; void results leave it alone."""
    last_result_at_s: float | None
    stale_since_s: float | None
    """Since when there have been only void results, in seconds since the epoch; `None` if the last was a verdict."""
    void_code: str
    """The code of the newest void result while stale; else empty."""
    probes: int
    """Probes that ended, void ones included."""
    certificate_not_after_s: float | None = None
    """When the TLS certificate that it showed last ends, in seconds since the epoch; `None` if none was seen."""


@attrs.frozen
class MemberSnapshot:
    """One backend's place in one pool of one frontend."""

    pool: str
    backend: str
    address: IPv4Address | IPv6Address
    state: BackendState
    configured_weight: int
    """What the file says, 0 to 100."""
    weight: int
    """What is wanted: the file's, or what a command put in its place."""
    overridden: bool
    effective_weight: int
    """What it comes to now, 0 to 100, on the scale of the file."""
    table_weight: int
    """What stands for it in the new-flow table: effective weight / step."""
    reason: str
    """Why the effective weight is what it is."""
    dataplane_weight: int | None
    """What the dataplane holds, on the scale of the table; `None` if it has no such server, or is not connected."""
    buckets: int | None
    """What the dataplane says of its buckets, if it does."""
    entries: int | None
    """Its entries in the tables of established flows, when last asked: an upper bound of its flows."""


@attrs.frozen
class FrontendSnapshot:
    """One frontend now."""

    name: str
    description: str
    vip: VipKey
    state: FrontendState
    active_pool: str
    why: str
    """Why it is in this state and on this pool."""
    pools: tuple[str, ...]
    """Names of its pools, in order of preference."""
    members: tuple[MemberSnapshot, ...]
    """In the order of the file, pool by pool."""
    table_length: int
    weight_step: int
    sticky: bool
    flush_on_down: bool
    when_none_up: str
    holding: bool
    """Whether `when-none-up: hold` keeps the last weights because no server is left."""
    released: bool
    """Whether the warm-up is over for it: nothing is written for a frontend before."""
    in_sync: bool | None
    """Whether the dataplane held what was wanted at the last look; `None` while there is no dataplane connection."""
    drift: tuple[str, ...]
    """What differs in the dataplane and is not put right by itself, in words."""


@attrs.frozen
class MessageCount:
    """The number of messages of one kind between maglevd and the dataplane.

    Args:
        message: The message's name in the dataplane's own API, as `lb_as_set_weight`.
        direction: `tx` to the dataplane, `rx` from it.
        result: `ok`, or `error` for a reply that reports an error or did not arrive in time.
        count: Messages since maglevd started, over all connections.
    """

    message: str
    direction: str
    result: str
    count: int


@attrs.frozen
class DataplaneSnapshot:
    """The connection to the dataplane now."""

    name: str
    connected: bool
    observing: bool
    """Whether `--observe` keeps everything from being written."""
    info: DataplaneInfo | None
    state: DataplaneState | None
    """What it held at the last read, and the acknowledged writes since; `None` while not connected."""
    unmanaged: tuple[VipKey, ...]
    """VIPs it holds that were never configured."""
    detail: str
    """Why it is not connected, or empty."""
    api_messages: tuple[MessageCount, ...] = ()
    """Messages to and from it since maglevd started, sorted; empty for a dataplane that does not count them."""
    drift: tuple[str, ...] = ()
    """What differs in the values for the whole dataplane and is not put right by itself, in words."""
    unrouted: tuple[IPv4Address | IPv6Address, ...] = ()
    """Servers in use that it has no route to, in order: it drops packets for them."""
    lost_bytes: int | None = None
    """Memory that it never gives back, of VIPs removed or made anew, in bytes; `None` if that is not known."""


@attrs.frozen
class Snapshot:
    """Everything at one moment; immutable, and cheap to keep.

    Args:
        sequence: The number of the last event that it contains.
        at_s: When it was taken, in seconds since the epoch.
        version: maglevd's own version.
        started_at_s: When the daemon started, seconds since the epoch.
    """

    sequence: int
    at_s: float
    version: str
    started_at_s: float
    config_loaded_at_s: float
    warm: bool
    """Whether the warm-up is over."""
    frontends: Mapping[str, FrontendSnapshot]
    backends: Mapping[str, BackendSnapshot]
    healthchecks: Mapping[str, HealthCheckSnapshot]
    dataplane: DataplaneSnapshot
