"""Measures a scrape, and its effect on probes: 10 000 backends in 500 frontends, scraped every few seconds.

The controller, its probes and the exporter run in one process of their own, as in the daemon; servers and the scraper
run in others. "CPU" is the operating system's account of that process over a scrape, sending included, with probes that
rest; a "turn" is one callback of the event loop, in CPU time too, so that neighbours do not count. What is there once
all have been probed and scraped is kept from the garbage collector, as the daemon does with what it has loaded.

    python benchmarks/bench_scrape.py [--backends 10000] [--frontends 500] [--seconds 30] [--every 5] [--interval 2]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import multiprocessing
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import anyio

from maglev.api import Code, Conversation, Done, ProbeResult, StreamChecker, Target
from maglev.config import (
    BackendConfig,
    Config,
    FrontendConfig,
    HealthCheckConfig,
    LbConfig,
    MemberConfig,
    PluginSet,
    PoolConfig,
)
from maglev.dataplanes.memory import MemoryDataplane
from maglev.probing.stats import ProberStats
from maglev.runtime import LiveControl, Settings, open_controller
from maglev_prometheus.exporter import PrometheusExporter
from maglev_prometheus.options import PrometheusOptions
from maglev_prometheus.probes import Probes

OUTPUT = Path(__file__).parents[1] / "build" / "bench-scrape.json"
RESTING_S = 3600.0
SETTLE_S = 8.0
CONNECTED = ProbeResult(Code.L4OK)


class Connect(Conversation):
    """Being connected is all."""

    def opening(self) -> Done:
        """Be content."""
        return Done(CONNECTED)


class TCPLike(StreamChecker):
    """A stand-in for a plain TCP check."""

    name = "tcp-like"

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        """Nothing to prepare."""
        return Connect


PLUGINS = PluginSet({"tcp-like": TCPLike}, {"memory": MemoryDataplane}, {"prometheus": PrometheusExporter})


def fleet(backends: int, frontends: int, port: int, interval_s: float) -> Config:
    """A fleet: each frontend with a primary pool and a fallback pool of its own backends."""
    base = int(IPv4Address("127.1.0.0"))
    names = [f"backend-{number:05}.example.net" for number in range(backends)]
    share = backends // frontends
    return Config(
        dataplane="memory",
        lb=LbConfig(startup_min_delay=0, startup_max_delay=0, sync_interval=RESTING_S),
        healthchecks={
            "tcp": HealthCheckConfig("tcp-like", port=port, interval=interval_s, fast_interval=min(1, interval_s))
        },
        backends={name: BackendConfig(IPv4Address(base + at), "tcp") for at, name in enumerate(names)},
        frontends={
            f"frontend-{number:03}": _frontend(number, names[number * share : (number + 1) * share])
            for number in range(frontends)
        },
    )


def _frontend(number: int, members: list[str]) -> FrontendConfig:
    half = len(members) // 2
    pools = [("primary", members[:half]), ("fallback", members[half:])]
    made = [PoolConfig(name, {member: MemberConfig(100) for member in part}) for name, part in pools]
    return FrontendConfig(IPv4Address(int(IPv4Address("10.9.0.0")) + number), made, protocol="tcp", port=443)


class Turns:
    """The longest callbacks of the loop."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch all callbacks."""
        run = asyncio.events.Handle._run  # noqa: SLF001 - there is no public place to stand

        def timed(handle: asyncio.events.Handle) -> None:
            began_s = time.thread_time()
            run(handle)
            self.longest_s = max(self.longest_s, time.thread_time() - began_s)

        asyncio.events.Handle._run = timed  # type: ignore[assignment,method-assign]  # noqa: SLF001
        try:
            yield
        finally:
            asyncio.events.Handle._run = run  # type: ignore[method-assign]  # noqa: SLF001


def serve(listener: socket.socket) -> None:
    """In a process of its own: let everybody in, and out again."""
    while True:
        listener.accept()[0].close()


def scrape(commands: Connection) -> None:
    """In a process of its own: scrape a port when told to, and tell when it is done and how long it took."""
    while (port := commands.recv()) is not None:
        began_s = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/metrics")
        body = connection.getresponse().read()
        connection.close()
        samples = sum(not line.startswith(b"#") for line in body.splitlines())
        commands.send((time.perf_counter() - began_s, len(body), samples))


@asynccontextmanager
async def exporting(config: Config, histogram: Any) -> AsyncIterator[tuple[LiveControl, PrometheusExporter]]:
    """Run a controller and an exporter."""
    settings = Settings(config, PLUGINS, MemoryDataplane())
    exporter = PrometheusExporter(PrometheusOptions(addr="127.0.0.1:0", probe_histogram=histogram))
    ready = anyio.Event()
    async with open_controller(settings) as controller, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(exporter.serve, controller, ready.set))
        await ready.wait()
        yield controller, exporter
        tasks.cancel_scope.cancel()


async def settle(exporter: PrometheusExporter, scraper: Connection) -> None:
    """Let everybody be probed and scraped once: the first scrape makes lines that later ones find made."""
    await anyio.sleep(SETTLE_S)
    scraper.send(exporter.port)
    await anyio.to_thread.run_sync(scraper.recv)
    gc.collect()
    gc.freeze()
    await anyio.sleep(0.1)  # or this turn would be the longest


async def cost(config: Config, histogram: str, scraper: Connection, rounds: int) -> dict[str, Any]:
    """Scrape while probes rest, and account for it."""
    turns = Turns()
    cpu, took, slices = [], [], []
    size = samples = 0
    with turns.watched():
        async with exporting(config, histogram) as (_controller, exporter):
            await settle(exporter, scraper)
            for _ in range(rounds):
                turns.longest_s = 0.0
                began_s = time.process_time()
                scraper.send(exporter.port)
                took_s, size, samples = await anyio.to_thread.run_sync(scraper.recv)
                cpu.append(time.process_time() - began_s)
                took.append(took_s)
                slices.append(turns.longest_s)
                await anyio.sleep(0.5)
            made = exporter.scrapes.cost if exporter.scrapes else None
    if made is None:
        raise RuntimeError("nothing was scraped")
    return {
        "histogram": histogram,
        "samples": samples,
        "megabytes": round(size / 1e6, 1),
        "cpu_ms": round(statistics.median(cpu) * 1e3, 1),
        "rendering_ms": round(made.busy_s * 1e3, 1),
        "took_ms": round(statistics.median(took) * 1e3, 1),
        "longest_turn_ms": round(max(slices) * 1e3, 1),
        "longest_slice_ms": round(made.longest_s * 1e3, 1),
    }


async def cadence(
    config: Config, histogram: str, scraper: Connection, seconds: float, every_s: float
) -> dict[str, Any]:
    """Probe, without and with scrapes, and compare how late probes start."""
    turns = Turns()
    found: dict[str, Any] = {"histogram": histogram}
    with turns.watched():
        async with exporting(config, histogram) as (controller, exporter):
            await settle(exporter, scraper)
            for name, port in (("alone", None), ("scraped", exporter.port)):
                controller.jobs.prober.stats = ProberStats(10_000_000)
                turns.longest_s = 0.0
                began_s, cpu_s = time.monotonic(), time.process_time()
                while time.monotonic() - began_s < seconds:
                    if port is not None:
                        scraper.send(port)
                        await anyio.to_thread.run_sync(scraper.recv)
                    await anyio.sleep(every_s)
                found[name] = _figures(controller, turns, time.monotonic() - began_s, time.process_time() - cpu_s)
    return found


def _figures(controller: LiveControl, turns: Turns, elapsed_s: float, cpu_s: float) -> dict[str, Any]:
    stats = controller.jobs.prober.stats
    return {
        "probes_per_s": round(stats.started / elapsed_s),
        "late_p50_ms": stats.lateness_ms(0.5),
        "late_p99_ms": stats.lateness_ms(0.99),
        "late_max_ms": round(stats.max_late_ns / 1e6, 1),
        "voided": stats.voided,
        "cpu_percent": round(cpu_s / elapsed_s * 100, 1),
        "longest_turn_ms": round(turns.longest_s * 1e3, 1),
    }


def counting_ns(rounds: int = 1_000_000) -> float:
    """What one observed probe costs, in nanoseconds."""
    probes, result = Probes(each_backend=True), ProbeResult(Code.L7OK, "200", 1_234_567)
    names = [f"backend-{number}" for number in range(10_000)]
    for name in names:
        probes(name, "http", result, 1_234_567)
    began_s = time.perf_counter()
    for _ in range(rounds // len(names)):
        for name in names:
            probes(name, "http", result, 1_234_567)
    return (time.perf_counter() - began_s) / rounds * 1e9


def main() -> None:
    """Print what is found, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", type=int, default=10_000)
    parser.add_argument("--frontends", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=5.0)
    parser.add_argument("--interval", type=float, default=2.0)
    options = parser.parse_args()
    listener = socket.create_server(("0.0.0.0", 0), backlog=4096)  # noqa: S104 - all of 127.0.0.0/8 is wanted
    port = listener.getsockname()[1]
    server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    server.start()
    here, there = multiprocessing.Pipe()
    scraper = multiprocessing.Process(target=scrape, args=(there,), daemon=True)
    scraper.start()
    found: dict[str, Any] = {"counting_ns": round(counting_ns())}
    print(f"counting one probe: {found['counting_ns']} ns")
    try:
        resting = fleet(options.backends, options.frontends, port, RESTING_S)
        found["cost"] = [asyncio.run(cost(resting, histogram, here, 5)) for histogram in ("type", "backend")]
        for line in found["cost"]:
            print(json.dumps(line))
        probing = fleet(options.backends, options.frontends, port, options.interval)
        found["cadence"] = []
        for histogram in ("type", "backend"):
            found["cadence"].append(asyncio.run(cadence(probing, histogram, here, options.seconds, options.every)))
            print(json.dumps(found["cadence"][-1]))
    finally:
        here.send(None)
        scraper.join(5)
        server.terminate()
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
