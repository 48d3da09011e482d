"""Keeps established flows: which server each of them stays with.

As in VPP, a flow is identified by the 32-bit hash of its packets (one for all flows of a client with `src-ip-sticky`)
and kept in buckets of four; a flow whose bucket is full is not tracked. Unlike in VPP there is one worker, and flows do
not time out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from maglev.domain.table import Address

EXISTING = "existing"
FIRST = "first"
UNTRACKED = "untracked"
NO_SERVER = "no_server"
KINDS = (EXISTING, FIRST, UNTRACKED, NO_SERVER)

_FLOWS_PER_BUCKET = 4


class FlowTable:
    """The established flows of a dataplane.

    Args:
        buckets: A power of two; each has room for four flows.
    """

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._servers: dict[tuple[int, int], Address] = {}
        self._fill: Counter[int] = Counter()

    def server(self, vip: int, flow_hash: int) -> Address | None:
        """Return the server that a flow of a VIP (by its index) stays with; `None` if the flow is not known."""
        return self._servers.get((vip, flow_hash))

    def establish(self, vip: int, flow_hash: int, server: Address) -> bool:
        """Add a new flow.

        Returns:
            Whether there was room.
        """
        bucket = flow_hash & (self._buckets - 1)
        if self._fill[bucket] == _FLOWS_PER_BUCKET:
            return False
        self._fill[bucket] += 1
        self._servers[vip, flow_hash] = server
        return True

    def drop(self, vip: int, server: Address | None = None) -> None:
        """Drop the flows of a VIP, or only those that stay with one server."""
        dropped = [flow for flow, pinned in self._servers.items() if flow[0] == vip and server in (None, pinned)]
        for flow in dropped:
            del self._servers[flow]
            self._fill[flow[1] & (self._buckets - 1)] -= 1

    def count(self) -> Mapping[tuple[int, Address], int]:
        """Count the flows by VIP index and server."""
        return Counter((vip, server) for (vip, _), server in self._servers.items())
