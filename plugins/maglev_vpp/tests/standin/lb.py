"""The lb plugin as seen from outside: what it accepts, refuses, keeps and shows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

OK, NO_SUCH_ENTRY, INVALID_MEMORY_SIZE, INVALID_ARGUMENT, VALUE_EXIST, WRONG_FAMILY = 0, -6, -70, -73, -81, -97
GRE4, GRE6, L3DSR, NAT4, NAT6 = range(5)
ENCAP_NAMES = ("gre4", "gre6", "l3dsr", "nat4", "nat6")
ALL_PROTOCOLS = 255
UNCHANGED = 0xFFFFFFFF
MIN_REMOVED_S = 10.0
FIRST_ROUTE = 30
GROWTH = 256
"""Counters grow by so many, not by one: their memory is laid out anew each time."""
Prefix = tuple[bytes, int]
KINDS = ("packet from existing sessions", "first session packet", "untracked packet", "no server configured")


WORKERS = 1
TABLE_OVERFLOW = 1 << 26
"""From so many sticky buckets on, the size of their table is cut to 32 bits, and VPP writes past what it has."""
VIP_BYTES, SERVER_BYTES, ADDRESS_BYTES, BUCKET_BYTES, STICKY_BYTES = 640, 110, 390, 4, 64
"""What was measured of a VPP's main heap."""
ROW_BYTES = 175
"""What a row of a dump takes while it waits to be sent: all rows are made at once, in a vector that grows by half."""
BASE_BYTES = 32 << 20
"""What an empty VPP has allocated."""


class Abort(Exception):
    """VPP aborts."""


class Heap:
    """VPP's main heap. What is told of it is as old as the last heartbeat."""

    def __init__(self) -> None:
        self.total, self.used, self.told = 1 << 30, BASE_BYTES, BASE_BYTES

    def take(self, size: int) -> None:
        """Allocate."""
        if self.used + size > self.total:
            raise Abort
        self.used += size

    def hold(self, size: int) -> None:
        """Allocate for a moment."""
        self.take(size)
        self.used -= size


@dataclass
class Server:
    """An application server. `address` has 16 bytes, an IPv4 address the last four of them."""

    address: bytes
    weight: int
    used: bool = True
    removed_s: float = 0.0
    flows: int = 0
    dpo: int = 0


@dataclass(eq=False)
class Vip:
    """A VIP. `prefix` is 16 bytes and a length of up to 128."""

    prefix: Prefix
    protocol: int
    port: int
    encap: int
    length: int
    sticky: bool
    dscp: int = 0
    used: bool = True
    removed_s: float = 0.0
    servers: list[Server] = field(default_factory=list)

    @property
    def is_ip4(self) -> bool:
        """VPP keeps IPv4 in the last four bytes, and treats every address with zeros before them as IPv4."""
        return not any(self.prefix[0][:12])

    def buckets(self) -> dict[bytes, int]:
        """How many buckets of the new-flow table each server has.

        Every unit of weight claims its next free bucket in turn, in the order of (replica, address), until none is
        free: so all have the same number, and the first in order one more.
        """
        live = sorted((s for s in self.servers if s.used), key=lambda s: s.address)
        entries = sum(s.weight for s in live)
        if not entries:
            return {}
        each, over = divmod(self.length, entries)
        found = {s.address: s.weight * each for s in live}
        for replica in range(max(s.weight for s in live)):
            turn = [s for s in live if s.weight > replica][:over]
            for server in turn:
                found[server.address] += 1
            over -= len(turn)
            if not over:
                break
        return found


def looks_like_ip4(address: bytes) -> bool:
    """Whether VPP treats sixteen bytes as an IPv4 address."""
    return not any(address[:12])


class Lb:
    """The plugin's state. Every method that writes returns VPP's return value."""

    def __init__(self) -> None:
        self.born_s = time.monotonic()
        self.ip4_source, self.ip6_source = b"\xff" * 4, b"\xff" * 16
        self.sticky_buckets, self.flow_timeout_s = 1024, 40
        self.pool: list[Vip | None] = [None]  # number 0 is a placeholder
        self.free: list[int] = []
        self.counters: list[list[int]] = []  # by kind and number; not there before the first VIP
        self.by_prefix: dict[Prefix, list[Vip]] = {}  # those in use
        self.routes: dict[Prefix, int] = {}
        self.next_route = FIRST_ROUTE
        self.fib: dict[Prefix, tuple[str, bytes]] = {}  # what a test said of other addresses; else: by an interface
        self.dpos: dict[bytes, int] = {}
        self.heap = Heap()
        self.sticky_tables: dict[int, int] = {}  # by thread, each made with a packet

    def packet(self, thread: int) -> None:
        """A thread carries a packet: it makes its table of established flows if there is none of the right size."""
        if self.sticky_tables.get(thread) == self.sticky_buckets:
            return
        if not 0 < self.sticky_buckets < TABLE_OVERFLOW:
            raise Abort
        self.heap.used -= STICKY_BYTES * self.sticky_tables.pop(thread, 0)
        self.heap.take(STICKY_BYTES * self.sticky_buckets)
        self.sticky_tables[thread] = self.sticky_buckets

    def way_to(self, address: bytes) -> tuple[str, bytes]:
        """How an address is reached: `interface`, `local`, `drop`, or `via` another, by the longest prefix."""
        wanted = int.from_bytes(address, "big")
        fitting = [p for p in self.fib if not (wanted ^ int.from_bytes(p[0], "big")) >> (128 - p[1])]
        return self.fib[max(fitting, key=lambda p: p[1])] if fitting else ("interface", bytes(16))

    def uptime_s(self) -> float:
        """Seconds since VPP started."""
        return time.monotonic() - self.born_s

    def conf(self, ip4: bytes, ip6: bytes, buckets: int, timeout_s: int) -> int:
        """lb_conf."""
        if buckets != UNCHANGED and buckets & (buckets - 1):
            return INVALID_MEMORY_SIZE
        self.ip4_source, self.ip6_source = ip4, ip6
        if buckets != UNCHANGED:
            if buckets != self.sticky_buckets:
                self._forget_flows()
            self.sticky_buckets = buckets
        if timeout_s != UNCHANGED:
            self.flow_timeout_s = timeout_s
        return OK

    def _forget_flows(self) -> None:
        for _number, vip in self.numbered():
            for server in vip.servers:
                server.flows = 0

    def numbered(self) -> Iterator[tuple[int, Vip]]:
        """All VIPs by number, the removed ones too."""
        return ((number, vip) for number, vip in enumerate(self.pool) if vip is not None)

    def live(self) -> Iterator[tuple[int, Vip]]:
        """All VIPs that are in use, by number."""
        return ((number, vip) for number, vip in self.numbered() if vip.used)

    def find(self, prefix: Prefix, protocol: int, port: int) -> Vip | None:
        """The VIP of that name."""
        wanted = ALL_PROTOCOLS if port == 0 else protocol
        neighbours = self.by_prefix.get(prefix, ())
        return next((vip for vip in neighbours if vip.port == port and vip.protocol == wanted), None)

    def add_vip(self, vip: Vip) -> int:
        """lb_add_del_vip_v2."""
        if vip.length == 0:
            raise Abort
        if vip.length & (vip.length - 1):
            return INVALID_MEMORY_SIZE
        if vip.port == 0:
            vip.protocol = ALL_PROTOCOLS
        neighbours = self.by_prefix.get(vip.prefix, [])
        if any(not o.port or not vip.port or (o.port, o.protocol) == (vip.port, vip.protocol) for o in neighbours):
            return VALUE_EXIST
        if vip.is_ip4 and vip.encap >= NAT6:
            return WRONG_FAMILY
        if not vip.is_ip4 and vip.encap not in (GRE4, GRE6):
            vip.encap = GRE6
        if any(other.encap != vip.encap for other in neighbours):
            return INVALID_ARGUMENT
        self._insert(vip)
        return OK

    def _insert(self, vip: Vip) -> None:
        self.heap.take(VIP_BYTES + BUCKET_BYTES * vip.length)  # never freed
        number = self.free.pop() if self.free else len(self.pool)
        if number == len(self.pool):
            self.pool.append(None)
        self.pool[number] = vip
        self.by_prefix.setdefault(vip.prefix, []).append(vip)
        if not self.counters:
            self.counters = [[] for _ in KINDS]
        for column in self.counters:
            while len(column) < len(self.pool):
                column.extend([0] * GROWTH)
            column[number] = 0
        if vip.prefix not in self.routes:
            self.routes[vip.prefix] = self.next_route
            self.next_route += 1

    def delete_vip(self, prefix: Prefix, protocol: int, port: int) -> int:
        """lb_add_del_vip_v2 with is_del: the VIP and its servers stay in the dump until they are collected."""
        vip = self.find(prefix, protocol, port)
        if vip is None:
            return NO_SUCH_ENTRY
        vip.used, vip.removed_s = False, self.uptime_s()
        for server in vip.servers:
            if server.used:
                server.used, server.removed_s = False, self.uptime_s()
        self.by_prefix[prefix].remove(vip)
        if not self.by_prefix[prefix]:
            del self.by_prefix[prefix], self.routes[prefix]
        return OK

    def add_server(self, vip: Vip | None, address: bytes, weight: int) -> int:
        """lb_add_del_as_v2."""
        if vip is None:
            return NO_SUCH_ENTRY
        server = next((s for s in vip.servers if s.address == address), None)
        if server is not None and server.used:
            return VALUE_EXIST
        if looks_like_ip4(address) != (vip.encap in (GRE4, L3DSR, NAT4)):
            return WRONG_FAMILY
        if server is None:
            self.heap.take(SERVER_BYTES + (0 if address in self.dpos else ADDRESS_BYTES))
            dpo = self.dpos.setdefault(address, 9 + len(self.dpos))
            vip.servers.append(Server(address, weight, dpo=dpo))
        else:
            server.used, server.weight = True, weight
        return OK

    def delete_server(self, vip: Vip | None, address: bytes, *, flush: bool) -> int:
        """lb_add_del_as_v2 with is_del. One that is removed already can be removed again."""
        server = next((s for s in vip.servers if s.address == address), None) if vip else None
        if server is None:
            return NO_SUCH_ENTRY
        server.used, server.removed_s = False, self.uptime_s()
        if flush:
            server.flows = 0
        return OK

    def set_weight(self, vip: Vip | None, address: bytes, weight: int, *, flush: bool) -> int:
        """lb_as_set_weight."""
        server = next((s for s in vip.servers if s.address == address and s.used), None) if vip else None
        if server is None:
            return NO_SUCH_ENTRY
        server.weight = weight
        if flush:
            server.flows = 0
        return OK

    def collect(self, min_removed_s: float = MIN_REMOVED_S) -> None:
        """Collect what was removed a while ago and has no established flows."""
        before = self.uptime_s() - min_removed_s
        for number, vip in list(self.numbered()):
            vip.servers = [s for s in vip.servers if s.used or s.flows or s.removed_s > before]
            if not vip.used and not vip.servers and vip.removed_s <= before:
                self.pool[number] = None
                self.free.append(number)
