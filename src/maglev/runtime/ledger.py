"""What is known of the dataplane, and what is due there: the last read, acknowledged writes, flushes, rebuilds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv6Address

from maglev.api import (
    AddVip,
    DataplaneConf,
    DataplaneState,
    DeleteServer,
    DeleteVip,
    Operation,
    SetConf,
    SetWeight,
    VipKey,
    VipState,
)
from maglev.domain.applied import applied
from maglev.domain.drift import Drift

Address = IPv4Address | IPv6Address


class Ledger:
    """The reconciler's book. Only the reconciler writes what concerns the dataplane; transitions note their flushes."""

    def __init__(self) -> None:
        self.known = False
        """Whether this is what the dataplane holds, as far as can be known: false before a read and after an error."""
        self.conf: DataplaneConf | None = None
        self.owned: set[VipKey] = set()
        """VIPs configured at some time in this process's life: these may be deleted when they are no longer wanted."""
        self.rebuild: set[VipKey] = set()
        """VIPs whose lasting attributes a reload changed: these may be made anew."""
        self.rebuild_conf = False
        """Whether a reload changed what makes the whole dataplane forget its established flows."""
        self.drift: dict[Address, tuple[Drift, ...]] = {}
        self.conf_drift = ""
        """What differs in the values for the whole dataplane and is left as it is, in words; empty: nothing."""
        self.steps: dict[VipKey, int] = {}
        """The weight step that each VIP in the dataplane stands on, inferred at the first look at it."""
        self._vips: dict[Address, dict[VipKey, VipState]] = {}
        self._carrying: dict[VipKey, tuple[VipState, frozenset[Address]]] = {}
        """What `carrying` made of each VIP as it stands: every transition asks, and to hash an address is not cheap."""
        self._flushes: defaultdict[VipKey, set[Address]] = defaultdict(set)

    def took(self, state: DataplaneState) -> None:
        """Write down a fresh read."""
        vips: defaultdict[Address, dict[VipKey, VipState]] = defaultdict(dict)
        for key, vip in state.vips.items():
            vips[key.address][key] = vip
        self._vips = dict(vips)
        self._carrying.clear()
        self.conf = state.conf
        self.known = True

    def acknowledged(self, operation: Operation) -> None:
        """Write down what the dataplane says it has done."""
        if isinstance(operation, SetConf):
            self.conf = operation.conf
            return
        at = operation.vip.address
        self._vips[at] = dict(applied(self._vips.get(at, {}), operation))
        if not self._vips[at]:
            del self._vips[at]
        if isinstance(operation, SetWeight | DeleteServer) and operation.flush:
            self.unflush(operation.vip, operation.server)
        elif isinstance(operation, AddVip):
            # A new VIP has no established flows.
            self._flushes.pop(operation.vip, None)
        elif isinstance(operation, DeleteVip):
            self._flushes.pop(operation.vip, None)

    def at(self, address: Address) -> Mapping[VipKey, VipState]:
        """The VIPs of one address, as the dataplane holds them."""
        return self._vips.get(address, {})

    def vip(self, key: VipKey) -> VipState | None:
        """One VIP as the dataplane holds it."""
        return self.at(key.address).get(key)

    def vips(self) -> dict[VipKey, VipState]:
        """All VIPs, as the dataplane holds them."""
        return {key: vip for vips in self._vips.values() for key, vip in vips.items()}

    def size(self, address: Address) -> int:
        """How many servers one address has, those of all its VIPs together."""
        return sum(len(vip.servers) for vip in self.at(address).values())

    def addresses(self) -> Collection[Address]:
        """The addresses that the dataplane holds VIPs of."""
        return self._vips.keys()

    def carrying(self, key: VipKey) -> frozenset[Address]:
        """The servers that the dataplane gives weight to."""
        vip = self.vip(key)
        if vip is None:
            return frozenset()
        seen, carrying = self._carrying.get(key, (None, frozenset()))
        if seen is not vip:
            carrying = frozenset(address for address, server in vip.servers.items() if server.weight)
            self._carrying[key] = vip, carrying
        return carrying

    def flushes(self, key: VipKey) -> Collection[Address]:
        """The servers of a VIP whose established flows are to be flushed, once."""
        return self._flushes.get(key, ())

    def flush(self, key: VipKey, server: Address) -> None:
        """Note that a flush is due."""
        self._flushes[key].add(server)

    def unflush(self, key: VipKey, server: Address) -> None:
        """Note that a flush was done, or is no longer wanted."""
        if key in self._flushes:
            self._flushes[key].discard(server)
            if not self._flushes[key]:
                del self._flushes[key]

    def restarted(self) -> None:
        """The dataplane restarted: there are no established flows to flush, and nothing to make anew."""
        self.steps.clear()
        self._flushes.clear()
        self.rebuild.clear()
        self.rebuild_conf = False

    def state(self) -> DataplaneState | None:
        """Everything as one value; `None` while not known."""
        return DataplaneState(self.vips(), self.conf or DataplaneConf()) if self.known else None
