"""Computes the effect of a new table on new flows: how many buckets move, and how many of them needlessly.

Hashing to N servers ideally moves only what must move: when a server is drained, its own buckets. Maglev is not quite
ideal, since the entries compete for buckets and a newcomer or leaver upsets what comes after; how far it is from ideal
depends on the length of the table and on the number of entries in it (see `maglev.domain.weights`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs

from maglev.domain.table import Address, Table


@attrs.frozen
class Disruption:
    """The difference between two tables of one length.

    A server's buckets can become fewer only by moving: these moves are *unavoidable*, and any table with the counts
    of the second makes them. All other moves are *avoidable*: a server that is still there gave a bucket away and got
    another one in return.

    Args:
        buckets: Length of the longer table.
        changed: Buckets with another server than before.
        avoidable: Those of them that need not have changed; the rest is unavoidable.
        surviving: Buckets that belonged, before, to servers that still have some after.
        before: Buckets by server in the first table.
        after: Buckets by server in the second table.
    """

    buckets: int
    changed: int
    avoidable: int
    surviving: int
    before: Mapping[Address, int]
    after: Mapping[Address, int]

    @property
    def unavoidable(self) -> int:
        """Buckets that changed because their server left or lost part of its share."""
        return self.changed - self.avoidable

    @property
    def moved(self) -> float:
        """Share of all buckets, and so of new flows, that changed server: 0 to 1."""
        return self.changed / self.buckets

    @property
    def moved_avoidable(self) -> float:
        """Share of the surviving servers' buckets that changed server without need: 0 to 1, ideally 0."""
        return self.avoidable / self.surviving if self.surviving else 0.0


def disruption(before: Table, after: Table) -> Disruption:
    """Compare two tables bucket for bucket.

    A flow's bucket is the lower bits of its hash, so of two tables of different length the shorter one says the same
    as if it were repeated to the length of the other.

    Args:
        before: The table that is.
        after: The table that would be; its servers may be others, its length another power of two.
    """
    length = max(len(before), len(after))
    before, after = _repeated(before, length), _repeated(after, length)
    lost: Counter[Address | None] = Counter()
    gained: Counter[Address | None] = Counter()
    for (old, new), buckets in Counter(zip(before.owners, after.owners, strict=True)).items():
        giver, taker = before.server_at(old), after.server_at(new)
        if giver != taker:
            lost[giver] += buckets
            gained[taker] += buckets
    counts, counts_after = before.counts(), after.counts()
    return Disruption(
        buckets=len(before),
        changed=lost.total(),
        avoidable=sum(min(lost[server], gained[server]) for server in lost),
        surviving=sum(count for server, count in counts.items() if counts_after.get(server)),
        before=counts,
        after=counts_after,
    )


def _repeated(table: Table, length: int) -> Table:
    if len(table) == length:
        return table
    return attrs.evolve(table, packed_owners=table.packed_owners * (length // len(table)))
