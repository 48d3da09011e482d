"""Windows of time in which a subject is watched, subjects that take turns, and what is made of them."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import attrs

from benchmarks.probes import machine
from benchmarks.probes.cases import Case
from benchmarks.probes.daemon import daemon
from benchmarks.probes.haproxy import Servers, rival
from benchmarks.probes.stage import Stage

_WARM_UP_S = 1.5
_RIVAL_WINDOW_S = 10.0


@attrs.frozen
class Window:
    """What one subject did in one window.

    Args:
        cpu_us: CPU time a probe.
        core_percent: CPU time by the time that passed.
        rate: Probes a second.
        rss_kb: Resident memory at the end.
        more: What only our own subject tells.
    """

    cpu_us: float
    core_percent: float
    rate: float
    rss_kb: int
    more: dict[str, Any]


@attrs.frozen
class Turns:
    """The windows of each subject, which took turns.

    Args:
        ours: maglevd's.
        theirs: HAProxy's, as it is delivered: with a thread for each core.
        theirs_alone: HAProxy's with a single thread.
    """

    ours: list[Window]
    theirs: list[Window]
    theirs_alone: list[Window]


def measure(case: Case, stage: Stage) -> Turns:
    """Let the subjects take turns."""
    servers = stage.servers(case)
    turns = Turns([], [], [])
    for _ in range(case.rounds):
        turns.ours.append(_watch_daemon(case, servers, stage))
        if case.rival:
            turns.theirs.append(_watch_rival(case, servers, stage, threads=0))
        if case.rival and case.alone:
            turns.theirs_alone.append(_watch_rival(case, servers, stage, threads=1))
    return turns


def _watch_daemon(case: Case, servers: Servers, stage: Stage) -> Window:
    with daemon(case, servers.port(case), stage.folder, stage.netns) as running:
        time.sleep(_WARM_UP_S)
        running.ask("reset")
        began_ns, cpu_ns = time.monotonic_ns(), machine.cpu_ns(running.pid)
        time.sleep(case.window_s)
        passed_ns, cpu_ns = time.monotonic_ns() - began_ns, machine.cpu_ns(running.pid) - cpu_ns
        report = running.ask("report")
        return _window(cpu_ns, passed_ns, report["probes"], report["rss_kb"], {**report, "start": running.start})


def _watch_rival(case: Case, servers: Servers, stage: Stage, threads: int) -> Window:
    with rival(case, servers.port(case), stage.folder, threads) as running:
        time.sleep(case.interval_s + _WARM_UP_S)
        before = servers.connections()
        began_ns, cpu_ns = time.monotonic_ns(), machine.cpu_ns(running.pid)
        time.sleep(min(case.window_s, _RIVAL_WINDOW_S))
        passed_ns, cpu_ns = time.monotonic_ns() - began_ns, machine.cpu_ns(running.pid) - cpu_ns
        # A bare connect is called off before the server has it whole, by both of us alike, and is not counted there.
        probes = servers.connections() - before - 1 if case.kind != "tcp" else round(case.rate * passed_ns / 1e9)
        if down := running.down():
            raise RuntimeError(f"{case.name}: HAProxy holds {down} of its servers for down")
        return _window(cpu_ns, passed_ns, probes, machine.rss_kb(running.pid), {})


def _window(cpu_ns: int, passed_ns: int, probes: int, rss_kb: int, more: dict[str, Any]) -> Window:
    return Window(
        cpu_us=cpu_ns / 1e3 / max(probes, 1),
        core_percent=100 * cpu_ns / passed_ns,
        rate=probes * 1e9 / passed_ns,
        rss_kb=rss_kb,
        more=more,
    )


def middle(windows: list[Window], what: str) -> float:
    """The median over some windows of one of their figures, or of one of their own reports."""
    return float(median(getattr(window, what) if hasattr(window, what) else window.more[what] for window in windows))
