"""The contract of a dataplane, which holds the VIPs and forwards the packets.

A dataplane decides nothing. `maglev.domain.plan` computes phases of operations; a session applies them and says of
each what became of it. Ambiguity is a value: an operation whose reply never came is `Unknown`, and the dataplane is
read again before anything else is written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import attrs

from maglev.api.options import NoOptions

FlowHash = Literal["crc32c", "xxhash"]
"""How a dataplane hashes a flow to a bucket: VPP on a CPU with CRC instructions, or without."""


class IPProtocol(StrEnum):
    """The protocol of a VIP."""

    TCP = "tcp"
    UDP = "udp"
    ANY = "any"
    """All protocols and all ports; only with port 0."""

    @property
    def number(self) -> int:
        """The number in the IP header; 255 for `ANY`, as VPP has it."""
        return {"tcp": 6, "udp": 17, "any": 255}[self.value]


class Encap(StrEnum):
    """The encapsulation of packets to the servers, which the servers' address family decides."""

    GRE4 = "gre4"
    GRE6 = "gre6"
    OTHER = "other"
    """An encapsulation that we never configure (L3DSR, NAT): read back, left alone."""


@attrs.frozen(order=True, cache_hash=True)  # a sync hashes one for each server
class VipKey:
    """The key of a VIP in a dataplane.

    Args:
        address: The host address that clients connect to.
        protocol: TCP, UDP or any.
        port: 1 to 65535; 0 means all ports, and then the protocol is `ANY`.
    """

    address: IPv4Address | IPv6Address = attrs.field(order=lambda a: (a.version, int(a)))
    protocol: IPProtocol
    port: int

    def __str__(self) -> str:
        if self.port == 0:
            return f"{self.address}/{self.protocol}"
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}/{self.protocol}"


@attrs.frozen
class ServerState:
    """One application server of a VIP, as a dataplane holds it.

    Args:
        weight: Its weight in the new-flow table, 0 to 100.
        buckets: The number of its buckets in the table; `None` if the dataplane does not say.
        entries: Its entries in the tables of established flows: an upper bound of its flows, since an entry stays after
            its flow ends, until another flow needs its place. `None` if not asked or not known.
        since_s: Time of its addition or last change, in seconds since the epoch; `None` if the dataplane does not say.
    """

    weight: int
    buckets: int | None = None
    entries: int | None = None
    since_s: int | None = None


@attrs.frozen
class VipAttributes:
    """The fixed attributes of a VIP: changing them recreates it, which ends established flows.

    Args:
        encap: GRE over IPv4 or IPv6.
        table_length: Buckets of the new-flow table, a power of two.
        sticky: Hash the source address only (`src-ip-sticky`); `None` if the dataplane did not say. What is wanted is
            never `None`.
    """

    encap: Encap
    table_length: int
    sticky: bool | None = False


@attrs.frozen
class VipState:
    """One VIP as a dataplane holds it.

    Args:
        attributes: Its fixed attributes.
        servers: Its live servers by address.
        index: The dataplane's own number for it, which counters are kept under; `None` if it has none.
    """

    attributes: VipAttributes
    servers: Mapping[IPv4Address | IPv6Address, ServerState]
    index: int | None = None


@attrs.frozen
class DataplaneConf:
    """Settings of the whole dataplane.

    Args:
        ipv4_source: Outer source address of GRE over IPv4; `None` if the dataplane has no use for one.
        ipv6_source: Outer source address of GRE over IPv6, likewise.
        sticky_buckets_per_core: Size of each worker's table of established flows, a power of two up to 33 554 432.
        flow_timeout_s: How long an idle flow is remembered, 1 to 120 seconds.
    """

    ipv4_source: IPv4Address | None = None
    ipv6_source: IPv6Address | None = None
    sticky_buckets_per_core: int = 65536
    flow_timeout_s: int = 40


@attrs.frozen
class DataplaneState:
    """Everything a dataplane holds, as last read."""

    vips: Mapping[VipKey, VipState]
    conf: DataplaneConf


@attrs.frozen
class DataplaneInfo:
    """The properties of a dataplane, constant during a session.

    Args:
        name: The plugin's name, `vpp` or `memory`.
        version: The dataplane's own version.
        boot_id: An identifier that changes with every restart of the dataplane.
        flow_hash: Its hash of flows to buckets.
        capabilities: Its optional abilities: `entries` (of established flows, by server), `counters`.
        missing: Abilities that it lacks and maglevd would use, in words.
        build_date: The time of its build; empty if it does not say.
        pid: Its process id; `None` if it has none.
        boot_time_s: When it started, seconds since the epoch; `None` if it does not say.
        connected_at_s: When this session was made, seconds since the epoch.
    """

    name: str
    version: str
    boot_id: str
    flow_hash: FlowHash = "crc32c"
    capabilities: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    build_date: str = ""
    pid: int | None = None
    boot_time_s: float | None = None
    connected_at_s: float | None = None


@attrs.frozen
class AddVip:
    """Make a VIP, without servers."""

    vip: VipKey
    attributes: VipAttributes


@attrs.frozen
class DeleteVip:
    """Remove a VIP and all its servers."""

    vip: VipKey


@attrs.frozen
class AddServer:
    """Add a server to a VIP with a weight of 0 to 100."""

    vip: VipKey
    server: IPv4Address | IPv6Address
    weight: int


@attrs.frozen
class DeleteServer:
    """Remove a server from a VIP; `flush` also makes its established flows choose anew."""

    vip: VipKey
    server: IPv4Address | IPv6Address
    flush: bool = False


@attrs.frozen
class SetWeight:
    """Give a server another weight of 0 to 100; `flush` also makes its established flows choose anew."""

    vip: VipKey
    server: IPv4Address | IPv6Address
    weight: int
    flush: bool = False


@attrs.frozen
class SetConf:
    """Write the settings of the whole dataplane."""

    conf: DataplaneConf


Operation = AddVip | DeleteVip | AddServer | DeleteServer | SetWeight | SetConf
"""One write to a dataplane."""


@attrs.frozen
class Ok:
    """The dataplane reported success."""


@attrs.frozen
class Failed:
    """The dataplane refused, or could not do all of it.

    Args:
        error: The dataplane's own name of the error (`NO_SUCH_ENTRY`), or what was wrong in words.
    """

    error: str


@attrs.frozen
class Unknown:
    """No reply arrived (a deadline passed, the connection broke): the dataplane may or may not have done it."""

    why: str


@attrs.frozen
class NotSent:
    """The operation was not sent, since one before it failed or the connection was lost."""


OperationResult = Ok | Failed | Unknown | NotSent
"""The outcome of one operation."""


@attrs.frozen
class VipCounters:
    """The counters of one VIP since the dataplane started; `None` if a dataplane does not count it.

    Args:
        vip: The VIP.
        packets: Packets by kind: `existing` (of known flows), `first` (of new flows), `untracked`, `no_server`.
        route_packets: Packets that the route of its address matched: all VIPs of the address have the same figure.
        route_bytes: Bytes that the route of its address matched, likewise.
    """

    vip: VipKey
    packets: Mapping[str, int]
    route_packets: int | None = None
    route_bytes: int | None = None


class LostKind(Enum):
    """The ways in which a connection to a dataplane ends."""

    CLOSED = "closed"
    """End of file or a reset: the dataplane stopped or dropped us."""
    SILENT = "silent"
    """It did not answer within its deadline."""
    PROTOCOL = "protocol"
    """What it said could not be understood."""


@attrs.frozen
class LostReason:
    """The cause of a session's end."""

    kind: LostKind
    detail: str


class DataplaneError(Exception):
    """A dataplane could not be reached, was lost, or answered in a way that cannot be worked with.

    Args:
        message: What happened, for people: it names the dataplane and the step.
    """


class Session(Protocol):
    """One connection to a dataplane. When it is lost, calls raise `DataplaneError` and `lost` returns."""

    info: DataplaneInfo

    async def read(self, *, details: bool = False) -> DataplaneState:
        """Read everything the dataplane holds.

        Args:
            details: Also what is costly to ask (the entries of each server); never set by a periodic sync.

        Raises:
            DataplaneError: It could not be read within its deadline.
        """
        ...

    async def apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        """Apply one phase, in its order; pipelined where the dataplane can.

        Args:
            phase: Operations none of which does harm where one before it was refused.

        Returns:
            One result for each operation, in the same order. Does not raise: a loss gives `Unknown` and `NotSent`.
        """
        ...

    async def counters(self) -> Sequence[VipCounters]:
        """Read what each VIP carried; empty where the dataplane does not count.

        Raises:
            DataplaneError: They could not be read within their deadline.
        """
        ...

    async def lost(self) -> LostReason:
        """Wait until the connection is gone, and tell why."""
        ...


@runtime_checkable
class CountsMessages(Protocol):
    """An optional part of a session: counts the messages that it exchanges with the dataplane."""

    @property
    def api_counts(self) -> Mapping[tuple[str, str, str], int]:
        """Messages of this session so far, by (message, `tx` or `rx`, `ok` or `error`); these only grow."""
        ...


class Dataplane(ABC):
    """A kind of dataplane, with its options. The core connects, and connects again with back-off when it is lost."""

    name: ClassVar[str]
    """What stands behind `dataplane:` in the configuration, and the name of its own section."""
    Options: ClassVar[type[Any]] = NoOptions
    """An attrs class made of `maglev.api.option` fields."""
    needs_source_addresses: ClassVar[bool] = False
    """Whether `ipv4-src-address` and `ipv6-src-address` must be configured."""
    carries_probes: ClassVar[bool] = False
    """Whether probes in a configured `netns` travel through it, so that they prove nothing while it is lost."""

    needs_routed_servers: ClassVar[bool] = False
    """Whether servers must be routed to: one with a zone (`fe80::1%eth0`), and `::1`, is then refused in a pool."""

    def __init__(self, options: Any) -> None:
        """Take the options, an instance of `Options`. Must not touch the outside world."""
        self.options = options

    def needs(self, wanted: DataplaneState) -> str:
        """Say what the dataplane needs, such as memory, to hold what is wanted; empty if that is no matter.

        Args:
            wanted: All VIPs of a configuration, with all servers of all their pools. Nothing was asked or read.
        """
        del wanted
        return ""

    @property
    def enabled(self) -> bool:
        """Whether there is anything to connect to: an empty socket path switches a dataplane off."""
        return True

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Session]:
        """Connect; leaving the context closes the connection and changes nothing in the dataplane.

        Raises:
            DataplaneError: It cannot be reached or cannot be worked with; tried again later.
        """
