"""From the death of servers to the last word on them, under maglevd and under HAProxy with the same intervals."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from benchmarks.probes.cases import Case
from benchmarks.probes.daemon import daemon
from benchmarks.probes.haproxy import Servers, rival
from benchmarks.probes.stage import Stage, answer_echo

TARGETS = 200
_SETTLE_S = 2.5
_POLL_S = 0.01
_PATIENCE_S = 15.0


def detection(case: Case, stage: Stage) -> tuple[list[float], list[float]]:
    """Kill all servers at once, with an interval of a second and three failures to be down.

    Args:
        case: The case; only its kind counts.
        stage: The place of the measurement.

    Returns:
        Seconds until each backend was down, in order: under maglevd, and under HAProxy. Nothing where the servers
        cannot be killed (icmp without a namespace) or HAProxy has no such check.
    """
    small = attrs.evolve(case, targets=TARGETS, interval_s=1.0, netns=case.kind == "icmp")
    if small.kind == "icmp":
        return (_silent(small, stage, stage.netns), []) if stage.netns else ([], [])
    return _killed(small, stage), _killed_under_rival(small, stage)


def _killed(case: Case, stage: Stage) -> list[float]:
    servers = Servers(stage.folder, "mortal")
    with daemon(case, servers.port(case), stage.folder, stage.netns) as running:
        time.sleep(_SETTLE_S)
        killed_at = time.time()
        servers.stop()
        return _wait(killed_at, lambda: running.ask("down"))


def _silent(case: Case, stage: Stage, netns: str) -> list[float]:
    with daemon(case, 0, stage.folder, netns) as running:
        time.sleep(_SETTLE_S)
        killed_at = time.time()
        answer_echo(netns, answer=False)
        try:
            return _wait(killed_at, lambda: running.ask("down"))
        finally:
            answer_echo(netns, answer=True)


def _killed_under_rival(case: Case, stage: Stage) -> list[float]:
    servers = Servers(stage.folder, "mortal")
    with rival(case, servers.port(case), stage.folder, threads=0) as running:
        time.sleep(_SETTLE_S)
        killed_at = time.time()
        servers.stop()
        seen: list[float] = []

        def down() -> list[float]:
            seen.extend([time.time()] * (running.down() - len(seen)))
            return seen

        return _wait(killed_at, down)


def _wait(killed_at: float, down: Callable[[], list[float]]) -> list[float]:
    while time.time() < killed_at + _PATIENCE_S:
        times = down()
        if len(times) >= TARGETS:
            return sorted(at - killed_at for at in times)
        time.sleep(_POLL_S)
    raise RuntimeError("not all servers were found to be dead")
