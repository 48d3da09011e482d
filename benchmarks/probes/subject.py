"""maglevd itself as the subject of a measurement: the real controller on a memory dataplane, in a process of its own.

It is given its task as JSON in its only argument, says `ready` when every backend has a state, and then answers each
line on its standard input in one line: `reset` begins a window, `report` ends it, `down` tells when backends went down.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from ipaddress import IPv4Address
from typing import Any

import anyio
import anyio.to_thread
import attrs

import maglev
from benchmarks.probes.haproxy import FIRST_TARGET, SERVER_NAME
from benchmarks.probes.machine import rss_kb
from maglev import BackendEvent, BackendState, EventFilter, EventKind, LiveControl
from maglev.domain.health import Health

SERVERS_A_FRONTEND = 50
_TICK_NS = 10_000_000
_SKIPPED_MS = 100
"""A start this late is not the one that was due any more: the schedule of that backend moves on from it."""


@attrs.frozen
class Task:
    """What to probe.

    Args:
        kind: The checker.
        targets: The number of targets.
        interval_s: The interval of each, in seconds.
        port: The port; `None` where there is none.
        ca_file: Whom to trust.
        resume: Whether TLS sessions may be resumed.
        netns: The network namespace to probe in; `None` is the current one.
    """

    kind: str
    targets: int
    interval_s: float
    port: int | None
    ca_file: str
    resume: bool
    netns: str | None


def config_of(task: Task) -> maglev.Config:
    """Build the configuration for a task: frontends of fifty backends each, and no warm-up."""
    params = {"host": SERVER_NAME, "ca-file": task.ca_file, "resume": task.resume} if task.kind == "https" else {}
    check = maglev.HealthCheckConfig(task.kind, task.port, params, interval=task.interval_s, timeout=1, rise=2, fall=3)
    names = [f"b{index}" for index in range(task.targets)]
    return maglev.Config(
        dataplane="memory",
        healthchecker=maglev.HealthCheckerConfig(netns=task.netns),
        lb=maglev.LbConfig(startup_min_delay=0, startup_max_delay=0),
        healthchecks={"check": check},
        backends={name: maglev.BackendConfig(FIRST_TARGET + index, "check") for index, name in enumerate(names)},
        frontends={f"f{first}": _frontend(first, names) for first in range(0, task.targets, SERVERS_A_FRONTEND)},
    )


def _frontend(first: int, names: list[str]) -> maglev.FrontendConfig:
    members = {name: maglev.MemberConfig() for name in names[first : first + SERVERS_A_FRONTEND]}
    return maglev.FrontendConfig(
        IPv4Address("10.0.0.0") + first, [maglev.PoolConfig("pool", members)], protocol="tcp", port=80
    )


class Subject:
    """Answers questions about a controller.

    Args:
        controller: The running controller.
        base_kb: Memory of this process before there was a controller, in KiB.
    """

    def __init__(self, controller: LiveControl, base_kb: int) -> None:
        self._controller = controller
        self._base_kb = base_kb
        self._down: list[float] = []
        self._wrong = 0

    async def watch(self) -> None:
        """Note when backends go down."""
        wanted = EventFilter(kinds=frozenset({EventKind.BACKEND}))
        async with self._controller.subscribe(wanted, buffer=20_000) as subscription:
            async for numbered in subscription.events:
                event = numbered.event
                if isinstance(event, BackendEvent) and event.transition.to_state is BackendState.DOWN:
                    self._down.append(event.transition.at_s)

    def answer(self, question: str) -> Any:
        """Answer one."""
        if question == "reset":
            self._controller.jobs.prober.stats.__init__(_TICK_NS)  # type: ignore[misc]
            self._wrong = sum(not _is_up(health) for health in self._controller.state.health.values())
            return "reset"
        if question == "down":
            return self._down
        return self._report()

    def _report(self) -> dict[str, Any]:
        stats, lag = self._controller.jobs.prober.stats, self._controller.jobs.prober.lag
        rss = rss_kb(os.getpid())
        return {
            "probes": stats.ended, "voided": stats.voided, "skipped": sum(stats.lateness[_SKIPPED_MS:]),
            "wrong": self._wrong + sum(not _is_up(health) for health in self._controller.state.health.values()),
            "lateness_p50_ms": stats.lateness_ms(0.5), "lateness_p99_ms": stats.lateness_ms(0.99),
            "lateness_max_ms": stats.lateness_ms(1.0), "stall_max_ms": lag.max_ns // 1_000_000, "rss_kb": rss,
            "kib_per_backend": round((rss - self._base_kb) / max(len(self._controller.state.health), 1), 2),
        }  # fmt: skip


def _is_up(health: Health) -> bool:
    return health.state is BackendState.UP


def _all_known(controller: LiveControl) -> bool:
    return all(health.state is not BackendState.UNKNOWN for health in controller.state.health.values())


async def main(task: Task) -> None:
    """Probe, and answer until standard input ends."""
    plugins = maglev.installed()
    base_kb = rss_kb(os.getpid())
    began, began_cpu = time.monotonic(), time.process_time()
    async with (
        maglev.open_controller(config_of(task), plugins=plugins) as controller,
        anyio.create_task_group() as tasks,
    ):
        subject = Subject(controller, base_kb)
        tasks.start_soon(subject.watch)
        opened = time.monotonic() - began
        while not _all_known(controller):  # noqa: ASYNC110 - looked at seldom, so as to cost the subject nothing
            await anyio.sleep(0.05)
        gc.collect()  # as the daemon does when it has started
        gc.freeze()
        print(json.dumps({
            "open_s": round(opened, 2), "known_s": round(time.monotonic() - began, 2),
            "start_cpu_s": round(time.process_time() - began_cpu, 2),
            "stall_max_ms": controller.jobs.prober.lag.max_ns // 1_000_000,
        }), flush=True)  # fmt: skip
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            print(json.dumps(subject.answer(line.strip())), flush=True)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    asyncio.run(main(Task(**json.loads(sys.argv[1]))))
