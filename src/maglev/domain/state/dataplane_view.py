"""Keeps what is known of the dataplane, and what is due there: reads, acknowledged writes, flushes, rebuilds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev.api import (
    AddServer,
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


@attrs.define(eq=False)
class DataplaneView:
    """The dataplane's state, as far as known. All values in its collections are immutable."""

    known: bool = False
    """Whether this is what the dataplane holds: false before a read, after an error, and while not connected."""
    connected_at_ns: int | None = None
    """When the connection was made, on a monotonic clock; `None` while there is none."""
    conf: DataplaneConf | None = None
    owned: set[VipKey] = attrs.field(factory=set)
    """VIPs configured at some time in this process's life: these may be deleted when they are no longer wanted."""
    rebuild: set[VipKey] = attrs.field(factory=set)
    """VIPs whose lasting attributes a reload changed: these may be made anew."""
    rebuild_conf: bool = False
    """Whether a reload changed what makes the whole dataplane forget its established flows."""
    drift: dict[Address, tuple[Drift, ...]] = attrs.field(factory=dict)
    conf_drift: str = ""
    """What differs in the values for the whole dataplane and is left as it is, in words; empty: nothing."""
    foreign: str = ""
    """What somebody else had written to our VIPs at the last read, in words; empty: nothing."""
    steps: dict[VipKey, int] = attrs.field(factory=dict)
    """The weight step that each VIP in the dataplane stands on, inferred at the first look at it."""
    unsynced: set[Address] = attrs.field(factory=set)
    """Addresses that were not as wanted when last looked at."""
    _vips: dict[Address, Mapping[VipKey, VipState]] = attrs.field(factory=dict)
    _flushes: dict[VipKey, frozenset[Address]] = attrs.field(factory=dict)
    _carrying: dict[VipKey, tuple[VipState, frozenset[Address]]] = attrs.field(factory=dict)
    """What `carrying` made of each VIP as it stands: every transition asks, and to hash an address is not cheap."""

    def fork(self) -> DataplaneView:
        """Return a copy that changes on its own; only the collections are copied, not what they hold."""
        values: list[Any] = [getattr(self, field.name) for field in attrs.fields(DataplaneView)]
        return DataplaneView(*[_copied(value) for value in values])

    def read(self, state: DataplaneState) -> None:
        """Take a fresh read."""
        vips: defaultdict[Address, dict[VipKey, VipState]] = defaultdict(dict)
        for key, vip in state.vips.items():
            vips[key.address][key] = vip
        self._vips = dict(vips)
        self._carrying.clear()
        self.conf = state.conf
        self.known = True

    def expects(self, operation: Operation) -> bool:
        """Tell whether an operation can be done: one on a server of a VIP that is not there cannot, as far as we know.

        Where it is acknowledged all the same, somebody else has made that VIP.
        """
        return not isinstance(operation, AddServer | DeleteServer | SetWeight) or self.vip(operation.vip) is not None

    def acknowledged(self, operation: Operation) -> None:
        """Take what the dataplane says it has done; one operation that `expects` is true of."""
        if isinstance(operation, SetConf):
            self.conf = operation.conf
            return
        at = operation.vip.address
        vips = applied(self._vips.get(at, {}), operation)
        if vips:
            self._vips[at] = vips
        else:
            self._vips.pop(at, None)
        if isinstance(operation, SetWeight | DeleteServer) and operation.flush:
            self.unflush(operation.vip, operation.server)
        elif isinstance(operation, AddVip | DeleteVip):
            # Neither a new VIP nor one that is gone has established flows.
            self._flushes.pop(operation.vip, None)

    def at(self, address: Address) -> Mapping[VipKey, VipState]:
        """The VIPs of one address, as the dataplane holds them."""
        return self._vips.get(address, {})

    def vip(self, key: VipKey) -> VipState | None:
        """One VIP as the dataplane holds it."""
        return self.at(key.address).get(key)

    def known_vip(self, key: VipKey) -> VipState | None:
        """One VIP as the dataplane holds it; `None` also where that is not known."""
        return self.vip(key) if self.known else None

    def vips(self) -> dict[VipKey, VipState]:
        """All VIPs, as the dataplane holds them."""
        return {key: vip for vips in self._vips.values() for key, vip in vips.items()}

    def size(self, address: Address) -> int:
        """Return how many servers all VIPs of an address have together."""
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

    def flushes(self, key: VipKey) -> frozenset[Address]:
        """The servers of a VIP whose established flows are to be flushed, once."""
        return self._flushes.get(key, frozenset())

    def flush(self, key: VipKey, server: Address) -> None:
        """Note that a flush is due."""
        self._flushes[key] = self.flushes(key) | {server}

    def unflush(self, key: VipKey, server: Address) -> None:
        """Note that a flush was done, or is no longer wanted."""
        left = self.flushes(key) - {server}
        if left:
            self._flushes[key] = left
        else:
            self._flushes.pop(key, None)

    def restarted(self) -> None:
        """The dataplane restarted: there are no established flows to flush, and nothing to make anew."""
        self.steps.clear()
        self._flushes.clear()
        self.rebuild.clear()
        self.rebuild_conf = False

    def lost(self) -> None:
        """The connection is gone: what the dataplane holds is not known until it is read again."""
        self.known = False
        self.foreign = ""
        self.connected_at_ns = None
        self.unsynced.clear()

    def state(self) -> DataplaneState | None:
        """Everything as one value; `None` while not known."""
        return DataplaneState(self.vips(), self.conf or DataplaneConf()) if self.known else None

    def unmanaged(self) -> Iterable[VipKey]:
        """VIPs that were never configured, sorted."""
        return sorted(self.vips().keys() - self.owned)


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, dict | set) else value
