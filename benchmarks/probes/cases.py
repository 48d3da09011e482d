"""Lists the cases to measure: which check, on how many targets, how often."""

from __future__ import annotations

from typing import Literal

import attrs

Kind = Literal["http", "https", "tcp", "icmp"]


@attrs.frozen
class Case:
    """One row of the table.

    Args:
        name: What it is called.
        kind: The checker.
        targets: The number of targets.
        interval_s: How often each is probed.
        resume: Whether TLS sessions may be resumed.
        netns: Whether targets are probed in another network namespace, where the servers then are too.
        window_s: How long each subject is watched a round, after it has warmed up.
        rounds: How often the subjects take turns.
        rival: Whether HAProxy has such a check.
        alone: Whether HAProxy is measured with a single thread too.
    """

    name: str
    kind: Kind
    targets: int
    interval_s: float = 1.0
    resume: bool = False
    netns: bool = False
    window_s: float = 8.0
    rounds: int = 3
    rival: bool = True
    alone: bool = True

    @property
    def rate(self) -> float:
        """Probes a second, all targets together."""
        return self.targets / self.interval_s


FULL = (
    Case("http", "http", 2_000),
    Case("tcp", "tcp", 2_000),
    # A full handshake costs a millisecond on either side of it: 2 000 a second are beyond one core, whoever makes them.
    Case("https", "https", 2_000, interval_s=5.0, window_s=10.0),
    Case("https-resumed", "https", 2_000, interval_s=5.0, resume=True, window_s=10.0),
    Case("icmp", "icmp", 2_000, rival=False),
    Case("http-netns", "http", 2_000, netns=True, rival=False, rounds=5),
    Case("http", "http", 10_000, window_s=60.0, rounds=1),
    Case("tcp", "tcp", 10_000, window_s=15.0, rounds=1),
    Case("icmp", "icmp", 10_000, window_s=30.0, rounds=1, rival=False),
)
"""Some seventeen minutes."""

QUICK = tuple(
    attrs.evolve(case, window_s=3.0, rounds=1, alone=False)
    for case in FULL
    if (case.name, case.targets) in {("http", 2_000), ("tcp", 2_000), ("https", 2_000), ("icmp", 10_000)}
)
"""A minute or so, for a first look: one short window each."""
