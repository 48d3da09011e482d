"""The operations that turn one VIP as it is found into that VIP as it is wanted."""

from __future__ import annotations

from collections.abc import Iterator

from maglev.api import AddServer, DeleteServer, Operation, SetWeight, VipKey, VipState
from maglev.domain.desired import DesiredVip
from maglev.domain.table import numeric_order


def filling(vip: VipKey, desired: DesiredVip) -> Iterator[Operation]:
    """Yield the servers of a VIP that was just made, those that carry weight first.

    A flush needs no operation: nothing is established yet.
    """
    for server in sorted(desired.servers, key=lambda a: (desired.servers[a].weight == 0, numeric_order(a))):
        yield AddServer(vip, server, desired.servers[server].weight)


def raising(vip: VipKey, desired: DesiredVip, found: VipState) -> list[AddServer | SetWeight]:
    """Return what gives a VIP more: servers that it lacks, and weights that are too low."""
    operations: list[AddServer | SetWeight] = []
    for server, wanted in desired.servers.items():
        if server not in found.servers:
            operations.append(AddServer(vip, server, wanted.weight))
        elif wanted.weight > found.servers[server].weight:
            operations.append(SetWeight(vip, server, wanted.weight, wanted.flush))
    return sorted(operations, key=lambda operation: numeric_order(operation.server))


def lowering(vip: VipKey, desired: DesiredVip, found: VipState) -> list[SetWeight | DeleteServer]:
    """Return what takes from a VIP: weights that are too high, servers that are not wanted, established flows.

    What flushes comes last: a flushed flow chooses anew at once, and should not choose a server that the next
    operation drains.
    """
    operations: list[SetWeight | DeleteServer] = []
    for server, wanted in desired.servers.items():
        # A server that was added just now may have flows of an earlier life; one that was raised is flushed already.
        weight = found.servers[server].weight if server in found.servers else wanted.weight
        if wanted.weight < weight or (wanted.flush and wanted.weight == weight):
            operations.append(SetWeight(vip, server, wanted.weight, wanted.flush))
    unwanted = found.servers.keys() - desired.servers.keys()
    operations += [DeleteServer(vip, server, server in desired.flushed) for server in unwanted]
    return sorted(operations, key=lambda operation: (operation.flush, *numeric_order(operation.server)))
