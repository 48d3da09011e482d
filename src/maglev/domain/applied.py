"""Computes what a dataplane holds after an acknowledged write, without reading it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from maglev.api import (
    AddServer,
    AddVip,
    DeleteServer,
    DeleteVip,
    Operation,
    ServerState,
    SetConf,
    SetWeight,
    VipKey,
    VipState,
)
from maglev.domain.table import Address


def applied(vips: Mapping[VipKey, VipState], operation: Operation) -> Mapping[VipKey, VipState]:
    """Return what the VIPs are after one acknowledged operation; see `applied_all`."""
    return applied_all(vips, (operation,))


def applied_all(vips: Mapping[VipKey, VipState], operations: Iterable[Operation]) -> Mapping[VipKey, VipState]:
    """Return what the VIPs are after acknowledged operations, in their order.

    What a write makes unknown becomes `None`: the buckets of all servers of its VIP, and when a server was last
    changed; a flushed server has no entries.

    Args:
        vips: What the dataplane held before; not changed.
        operations: What it acknowledged. `SetConf` changes no VIP.

    Raises:
        KeyError: A server of a VIP that is not there: that was not acknowledged by the dataplane that was read.
    """
    after = dict(vips)
    servers: dict[VipKey, dict[Address, ServerState]] = {}
    for operation in operations:
        if isinstance(operation, SetConf):
            continue
        key = operation.vip
        match operation:
            case AddVip():
                after[key] = VipState(operation.attributes, {})
                servers[key] = {}
            case DeleteVip():
                after.pop(key, None)
                servers.pop(key, None)
            case _:
                if key not in servers:
                    servers[key] = _uncounted(after[key])
                _change(servers[key], operation)
    return after | {key: attrs.evolve(after[key], servers=changed) for key, changed in servers.items()}


def _uncounted(vip: VipState) -> dict[Address, ServerState]:
    if all(state.buckets is None for state in vip.servers.values()):
        # After the first change there is nothing left to forget, and changes come by the thousand at the start. To copy
        # a dict as it is spares hashing every address.
        return dict(vip.servers)
    return {server: attrs.evolve(state, buckets=None) for server, state in vip.servers.items()}


def _change(servers: dict[Address, ServerState], operation: AddServer | DeleteServer | SetWeight) -> None:
    if isinstance(operation, DeleteServer):
        servers.pop(operation.server, None)
        return
    before = servers.get(operation.server)
    entries = before.entries if before else None
    if isinstance(operation, SetWeight) and operation.flush and entries is not None:
        entries = 0
    servers[operation.server] = ServerState(operation.weight, entries=entries)
