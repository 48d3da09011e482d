"""Computes how many flows of the *other* servers move when one is drained, for several table lengths and weight steps.

It connects to nothing: the tables are computed, bucket for bucket as VPP builds them.

    python examples/simulate.py
    python examples/simulate.py --servers 4 --weight 100
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from ipaddress import IPv4Address

from maglev.domain.disruption import Disruption, disruption
from maglev.domain.table import Address, new_flow_table
from maglev.domain.weights import table_weight

LENGTHS = (1024, 4096, 16384, 65536)
STEPS = (100, 10, 1)


def drain(servers: int, weight: int, step: int, length: int) -> Disruption:
    """Drain the first of some servers of equal weight.

    Args:
        servers: How many there are.
        weight: Configured weight of each, 0 to 100.
        step: Granularity of weights in the table: what goes into it is weight / step.
        length: Buckets of the table.
    """
    addresses: list[Address] = [IPv4Address("192.0.2.1") + index for index in range(servers)]
    all_serve = dict.fromkeys(addresses, table_weight(weight, step).value)
    one_drained = {**all_serve, addresses[0]: 0}
    return disruption(new_flow_table(all_serve, length), new_flow_table(one_drained, length))


def row(length: int, servers: int, weight: int) -> str:
    """Return one line of the table: the share of the other servers' flows that moves."""
    shares = (drain(servers, weight, step, length).moved_avoidable for step in STEPS)
    return f"{length:>7} buckets" + "".join(f"{share:>12.2%}" for share in shares)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table for the servers that the command line asks for."""
    parser = argparse.ArgumentParser(description="What a drain does to the flows of the servers that stay.")
    parser.add_argument("--servers", type=int, default=10, help="servers of equal weight (default: 10)")
    parser.add_argument("--weight", type=int, default=100, help="configured weight of each (default: 100)")
    options = parser.parse_args(arguments)
    print(f"One of {options.servers} servers of weight {options.weight} is drained.")
    print("Share of the other servers' new flows that move as well (ideal: none):\n")
    print(f"{'weight-step':>15}" + "".join(f"{step:>12}" for step in STEPS))
    for length in LENGTHS:
        print(row(length, options.servers, options.weight))


if __name__ == "__main__":
    main()
