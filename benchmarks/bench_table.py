"""Measures how long building a new-flow table takes, in CPU time of this process.

Prints milliseconds for some lengths, servers and weights, each the best of a few interleaved runs, and how they
compare with the default (16 384 buckets, ten servers of ten entries): the ratios travel from machine to machine, the
milliseconds do not.

    python benchmarks/bench_table.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from itertools import product

from maglev.domain.disruption import disruption
from maglev.domain.flow import TCP, flow_hash
from maglev.domain.table import Address, bucket_counts, new_flow_table, new_flow_table_in_slices

RUNS = 5
DEFAULT = (16384, 10, 10)
CASES = list(product((1024, 16384, 65536), (2, 10, 16, 100), (1, 10, 100)))


def servers(count: int, weight: int) -> dict[Address, int]:
    """Return `count` servers of one weight."""
    return {IPv4Address("192.0.2.1") + index: weight for index in range(count)}


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of one call."""
    started_ns = time.process_time_ns()
    work()
    return (time.process_time_ns() - started_ns) / 1e6


def builds() -> dict[tuple[int, int, int], float]:
    """Return the best of `RUNS` builds for each case; the cases take turns, so that all meet the same machine."""
    best = dict.fromkeys(CASES, float("inf"))
    for _ in range(RUNS):
        for case in CASES:
            length, count, weight = case
            pool = servers(count, weight)
            best[case] = min(best[case], cpu_ms(lambda: new_flow_table(pool, length)))  # noqa: B023 - called at once
    return best


def slices(length: int, count: int, weight: int) -> Iterator[float]:
    """Yield the CPU time of each slice of one build."""
    building = new_flow_table_in_slices(servers(count, weight), length)
    done = object()
    last: object = None
    while last is not done:
        started_ns = time.process_time_ns()
        last = next(building, done)
        yield (time.process_time_ns() - started_ns) / 1e6


def main() -> None:
    """Measure and print."""
    measured = builds()
    print(f"{'buckets':>8} {'servers':>8} {'weight':>7} {'ms':>8} {'of default':>11}")
    for (length, count, weight), ms in measured.items():
        print(f"{length:>8} {count:>8} {weight:>7} {ms:>8.2f} {ms / measured[DEFAULT]:>10.2f}×")
    for case in (DEFAULT, (65536, 16, 100)):
        took = list(slices(*case))
        print(f"\nin slices, {case}: {len(took)} slices, longest {max(took):.2f} ms, together {sum(took):.2f} ms")
    pool = servers(16, 100)
    before, after = new_flow_table(pool, 65536), new_flow_table({**pool, IPv4Address("192.0.2.1"): 0}, 65536)
    pair = IPv4Address("198.51.100.1"), IPv4Address("203.0.113.1")
    print(f"\nbucket_counts, 65536 buckets, 16 × 100: {cpu_ms(lambda: bucket_counts(pool, 65536)):.3f} ms")
    print(f"disruption, 65536 buckets: {cpu_ms(lambda: disruption(before, after)):.2f} ms")
    hashing = cpu_ms(lambda: [before[flow_hash(*pair, 40000, 443, TCP) & 65535] for _ in range(1000)])
    print(f"a flow's server: {hashing:.2f} µs a flow")


if __name__ == "__main__":
    main()
