"""Established flows: which server each known flow stays with, and what every VIP has carried.

As in VPP, a flow is known by the 32-bit hash of its packets (with `src-ip-sticky` that is one for all flows of a
client), kept in buckets of four, and a flow that finds its bucket full goes untracked. Unlike VPP there is one worker,
and flows do not grow old.
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
        """Remember a new flow.

        Returns:
            Whether there was room.
        """
        bucket = flow_hash & (self._buckets - 1)
        if self._fill[bucket] == _FLOWS_PER_BUCKET:
            return False
        self._fill[bucket] += 1
        self._servers[vip, flow_hash] = server
        return True

    def forget(self, vip: int, server: Address | None = None) -> None:
        """Forget the flows of a VIP, or only those that stay with one server."""
        gone = [known for known, pinned in self._servers.items() if known[0] == vip and server in (None, pinned)]
        for known in gone:
            del self._servers[known]
            self._fill[known[1] & (self._buckets - 1)] -= 1

    def count(self) -> Mapping[tuple[int, Address], int]:
        """Count the known flows by VIP index and server."""
        return Counter((vip, server) for (vip, _), server in self._servers.items())
