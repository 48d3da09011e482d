"""VPP's new-flow table, bucket for bucket: which server a new flow gets is decided here before VPP decides it.

The algorithm is Maglev's, as VPP's `lb` plugin builds it: every unit of weight is one *entry* with a permutation of
the buckets of its own, and the entries take turns at claiming their next free bucket until none is free.

1. A server of weight w has the entries (replica 0 … w − 1, server). They take turns in the order of (replica,
   16-byte address), so that servers alternate and the order in which they were added does not count.
2. seed = `xxhash64`(low half of the address XOR high half XOR replica), both halves read little-endian; an IPv4
   address stands in the last four of sixteen bytes.
3. An entry walks start, start + skip, start + 2·skip, … modulo the length, where start is the seed's upper half and
   skip its lower half made odd: coprime to a power of two, so it meets every bucket.
4. Without any weight every bucket is "no server".

It follows that an entry has either ⌊length / entries⌋ buckets or one more, the first in order one more: what
`bucket_counts` tells without building a table. It also follows that weights mean little when there are about as many
entries as buckets, and nothing when there are more: the entries at the end of the order then get no bucket at all.
"""

from __future__ import annotations

import array
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import cycle, islice
from typing import TypeAlias, cast, overload

import attrs

from maglev.domain.hashes import xxhash64

Address: TypeAlias = IPv4Address | IPv6Address

MIN_LENGTH = 16
MAX_LENGTH = 65536
MAX_WEIGHT = 100

_NO_SERVER = 0xFFFF
_STEPS_PER_HASH = 10
"""One hash takes as long as looking at some ten buckets."""


@attrs.frozen
class Table(Sequence[Address | None]):
    """A new-flow table; as a sequence, the server of each bucket (`None`: no server).

    Equal tables send every flow to the same server. Two bytes a bucket.

    Args:
        servers: All servers, those of weight 0 too, in numeric order.
        packed_owners: For each bucket an unsigned 16-bit integer in the machine's own byte order: the index of its
            server in `servers`, or 65535 for "no server".
    """

    servers: tuple[Address, ...]
    packed_owners: bytes = attrs.field(repr=False)

    @property
    def owners(self) -> memoryview:
        """The index of each bucket's server in `servers`, 65535 for "no server"; made for counting and comparing."""
        return memoryview(self.packed_owners).cast("H")

    def counts(self) -> Mapping[Address, int]:
        """Return how many buckets each server has, those with none included."""
        found = Counter(self.owners)
        return {server: found[index] for index, server in enumerate(self.servers)}

    def server_at(self, owner: int) -> Address | None:
        """Return the server that an element of `owners` stands for."""
        return None if owner == _NO_SERVER else self.servers[owner]

    def __len__(self) -> int:
        return len(self.packed_owners) // 2

    @overload
    def __getitem__(self, bucket: int) -> Address | None: ...
    @overload
    def __getitem__(self, bucket: slice) -> Sequence[Address | None]: ...
    def __getitem__(self, bucket: int | slice) -> Address | Sequence[Address | None] | None:
        if isinstance(bucket, slice):
            return tuple(self.server_at(owner) for owner in self.owners[bucket])
        return self.server_at(self.owners[bucket])

    def __iter__(self) -> Iterator[Address | None]:
        return map(self.server_at, self.owners)


def numeric_order(address: Address) -> tuple[int, int]:
    """The order in which addresses are planned and shown: IPv4 first."""
    return address.version, int(address)


def new_flow_table(servers: Mapping[Address, int], length: int) -> Table:
    """Build the table that VPP builds from the same weights.

    Args:
        servers: Weight *in the table* by server address, 0 to 100 (`maglev.domain.weights` makes it from the
            configured one); one address family; in any order.
        length: Number of buckets, a power of two from 16 to 65536.

    Raises:
        ValueError: A weight or the length is none of these, or the families are mixed.
    """
    building = new_flow_table_in_slices(servers, length, steps=length)
    while True:
        try:
            next(building)
        except StopIteration as built:
            table: Table = built.value
            return table


def new_flow_table_in_slices(
    servers: Mapping[Address, int], length: int, *, steps: int = 10_000
) -> Generator[None, None, Table]:
    """Build the same table a little at a time, for a caller that owes its event loop a prompt return.

    Each `next()` works for about `steps` looks at a bucket (the default takes a millisecond or two) and yields; the
    table is the value that the generator returns: `table = yield from …`, or `StopIteration.value`.

    Args:
        servers: As for `new_flow_table`.
        length: The number of buckets, as for `new_flow_table`.
        steps: Work in one slice, at least 1. An average: a walk's length is known only once it is walked.

    Raises:
        ValueError: At once, not at the first `next()`: as `new_flow_table`, or `steps` is not positive.
    """
    _check(servers, length)
    if steps < 1:
        raise ValueError(f"steps is {steps}: at least 1 is allowed")
    return _build(sorted(servers.items()), length, steps)


def bucket_counts(servers: Mapping[Address, int], length: int) -> Mapping[Address, int]:
    """Tell how many buckets each server has in the table of that length, without building it.

    Equal to `new_flow_table(servers, length).counts()` in a hundredth of the time.

    Args:
        servers: As for `new_flow_table`.
        length: The number of buckets, as for `new_flow_table`.

    Raises:
        ValueError: As `new_flow_table`.
    """
    _check(servers, length)
    ordered = sorted(servers.items())
    entries = sum(servers.values())
    if not entries:
        return dict.fromkeys((address for address, _ in ordered), 0)
    every, left_over = divmod(length, entries)
    one_more = Counter(server for server, _ in islice(_entry_order([weight for _, weight in ordered]), left_over))
    return {address: weight * every + one_more[server] for server, (address, weight) in enumerate(ordered)}


def _check(servers: Mapping[Address, int], length: int) -> None:
    if not MIN_LENGTH <= length <= MAX_LENGTH or length & (length - 1):
        raise ValueError(f"table length is {length}: a power of two from {MIN_LENGTH} to {MAX_LENGTH} is allowed")
    for server, weight in servers.items():
        if not 0 <= weight <= MAX_WEIGHT:
            raise ValueError(f"weight of {server} is {weight}: 0 to {MAX_WEIGHT} is allowed")
    if len({server.version for server in servers}) > 1:
        raise ValueError("servers are IPv4 and IPv6: one family for all servers of a table is allowed")
    if len(servers) > _NO_SERVER:
        raise ValueError(f"{len(servers)} servers: at most {_NO_SERVER} are allowed")


def _build(ordered: Sequence[tuple[Address, int]], length: int, steps: int) -> Generator[None, None, Table]:
    addresses = tuple(address for address, _ in ordered)
    if not any(weight for _, weight in ordered):
        return Table(addresses, array.array("H", [_NO_SERVER]).tobytes() * length)
    starts: list[int] = []
    walks: list[tuple[int, int, int]] = []
    yield from _lay_out(ordered, length, steps, starts, walks)
    owners: list[int | None] = [None] * length
    yield from _fill(owners, cycle(walks), starts, steps)
    return Table(addresses, array.array("H", cast("list[int]", owners)).tobytes())  # no bucket is free any more


def _lay_out(
    ordered: Sequence[tuple[Address, int]],
    length: int,
    steps: int,
    starts: list[int],
    walks: list[tuple[int, int, int]],
) -> Iterator[None]:
    """Append each entry's first bucket to `starts`, and (its index, skip, index of its server) to `walks`."""
    folded = [_folded(address) for address, _ in ordered]
    # More entries than buckets: the last in order never get a turn.
    order = islice(_entry_order([weight for _, weight in ordered]), length)
    while batch := tuple(islice(order, max(1, steps // _STEPS_PER_HASH))):
        for server, replica in batch:
            seed = xxhash64(folded[server] ^ replica)
            walks.append((len(starts), (seed | 1) & (length - 1), server))
            starts.append(seed >> 32 & (length - 1))
        yield


def _fill(
    owners: list[int | None], turns: Iterator[tuple[int, int, int]], positions: list[int], steps: int
) -> Iterator[None]:
    """Let the entries take turns until no bucket is free, about `steps` looks at a bucket at a time."""
    length = free = len(owners)
    while free:
        # Where `free` of `length` buckets are free, a walk meets a free one at its (length / free)th look on average.
        now = min(free, max(1, steps * free // length))
        _claim(islice(turns, now), positions, owners)
        free -= now
        yield


def _entry_order(weights: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (index of the server, replica) in the order in which the entries take turns."""
    for replica in range(max(weights)):
        for server, weight in enumerate(weights):
            if weight > replica:
                yield server, replica


def _folded(address: Address) -> int:
    """Return low XOR high half of the sixteen bytes of an address, each read little-endian."""
    packed = address.packed.rjust(16, b"\0")
    return int.from_bytes(packed[:8], "little") ^ int.from_bytes(packed[8:], "little")


def _claim(turns: Iterable[tuple[int, int, int]], positions: list[int], owners: list[int | None]) -> None:
    """Let each entry that has a turn walk to its next free bucket and take it.

    Nearly all the time of building a table goes by here, most of it in the two lines of the inner loop, and `None`
    in a plain list is what the interpreter tests fastest.

    Args:
        turns: (index of the entry, skip, index of its server), one for each turn.
        positions: Where each entry goes on walking; changed.
        owners: The table, `None` where a bucket is free; changed.
    """
    mask = len(owners) - 1
    for entry, skip, server in turns:
        bucket = positions[entry]
        while owners[bucket] is not None:
            bucket = bucket + skip & mask
        owners[bucket] = server
        positions[entry] = bucket  # its own by now: the next turn steps on from it
