"""Holds the state of the memory dataplane, and applies operations to it."""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping

import attrs

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneConf,
    DeleteServer,
    DeleteVip,
    Failed,
    FlowHash,
    IPProtocol,
    Ok,
    Operation,
    OperationResult,
    ServerState,
    SetConf,
    SetWeight,
    VipKey,
    VipState,
)
from maglev.dataplanes.memory.faults import Faults
from maglev.dataplanes.memory.flows import FlowTable
from maglev.dataplanes.memory.rules import refusal
from maglev.domain.table import Address


@attrs.frozen
class Written:
    """One operation that reached the dataplane.

    Args:
        session: The number of the session that wrote it, counted from 1; 0 if none did.
        operation: The operation.
        result: Its result.
    """

    session: int
    operation: Operation
    result: OperationResult


class Contents:
    """VIPs, servers and weights, established flows, counters, and a journal of operations; see `MemoryStore`."""

    def __init__(self, *, flow_hash: FlowHash, clock_s: Callable[[], float], journal_length: int) -> None:
        self.flow_hash: FlowHash = flow_hash
        self.clock_s = clock_s
        self.faults = Faults()
        self.journal: deque[Written] = deque(maxlen=journal_length)
        self.clear()

    def clear(self) -> None:
        """Remove everything but the journal and the faults, as a restart does."""
        self.boot_id = uuid.uuid4().hex
        self.boot_time_s = self.clock_s()
        self.conf = DataplaneConf()
        self.flows = FlowTable(self.conf.sticky_buckets_per_core)
        self.packets: dict[int, Counter[str]] = {}
        self._prefixes: dict[Address, dict[VipKey, VipState]] = {}
        self._next_index = 1  # VPP keeps 0 for itself

    @property
    def vips(self) -> Mapping[VipKey, VipState]:
        """All VIPs, their servers without buckets and entries."""
        return {key: vip for prefix in self._prefixes.values() for key, vip in prefix.items()}

    def vip(self, key: VipKey) -> VipState:
        """Return one VIP, its servers without buckets and entries.

        Raises:
            KeyError: There is no such VIP.
        """
        return self._prefixes[key.address][key]

    def write(self, operation: Operation, session: int = 0) -> OperationResult:
        """Apply one operation, or refuse it as VPP would or as `faults` say; either way the journal gets it."""
        operation = _as_stored(operation)
        neighbours: Mapping[VipKey, VipState] = {}
        if not isinstance(operation, SetConf):
            neighbours = self._prefixes.get(operation.vip.address, {})
        error = self.faults.refusal(operation) or refusal(operation, neighbours)
        if not error:
            self._apply(operation)
        result = Failed(error) if error else Ok()
        self.journal.append(Written(session, operation, result))
        return result

    def add_foreign_vip(self, key: VipKey, vip: VipState) -> None:
        """Add a VIP as another controller might, of any encapsulation, without any check."""
        self.packets[self._next_index] = Counter()
        self._prefixes.setdefault(key.address, {})[key] = attrs.evolve(vip, index=self._next_index)
        self._next_index += 1

    def _apply(self, operation: Operation) -> None:
        match operation:
            case SetConf(conf):
                if conf.sticky_buckets_per_core != self.conf.sticky_buckets_per_core:
                    self.flows = FlowTable(conf.sticky_buckets_per_core)
                self.conf = conf
            case AddVip(key, attributes):
                self.add_foreign_vip(key, VipState(attributes, {}))
            case DeleteVip(key):
                self._delete_vip(key)
            case AddServer(key, server, weight):
                self._set_server(key, server, weight, flush=False)
            case SetWeight(key, server, weight, flush):
                self._set_server(key, server, weight, flush=flush)
            case DeleteServer(key, server, flush):
                self._set_server(key, server, None, flush=flush)

    def _delete_vip(self, key: VipKey) -> None:
        prefix = self._prefixes[key.address]
        index = prefix.pop(key).index
        if not prefix:
            del self._prefixes[key.address]
        if index is not None:
            self.flows.drop(index)
            self.packets.pop(index, None)

    def _set_server(self, key: VipKey, server: Address, weight: int | None, *, flush: bool) -> None:
        vip = self.vip(key)
        servers = {**vip.servers}
        if weight is None:
            del servers[server]
        else:
            servers[server] = ServerState(weight, since_s=int(self.clock_s()))
        self._prefixes[key.address][key] = attrs.evolve(vip, servers=servers)
        if flush and vip.index is not None:
            self.flows.drop(vip.index, server)


def _as_stored(operation: Operation) -> Operation:
    """Return the operation with the VIP as VPP stores it: one of all ports has protocol `any`."""
    if isinstance(operation, SetConf) or operation.vip.port or operation.vip.protocol is IPProtocol.ANY:
        return operation
    return attrs.evolve(operation, vip=attrs.evolve(operation.vip, protocol=IPProtocol.ANY))
