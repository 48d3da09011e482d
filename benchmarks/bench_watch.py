"""Measures watchers: CPU per delivered event, lateness of the daemon's loop, memory for a watcher that never reads.

maglevd's controller and its gRPC server run alone in a process of their own, whose CPU is the operating system's
account of it, kernel work included; the watchers are in another.

    python benchmarks/bench_watch.py [--watchers 100] [--events 1000] [--backends 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import maglev
from maglev import BackendConfig, Config, FrontendConfig, LbConfig, LiveControl, MemberConfig, PoolConfig
from maglev.api import BackendEvent, BackendState, EventFilter, EventKind, Transition
from maglev_grpc.client import Client, Connected, Watched, connect
from maglev_grpc.server import GrpcExporter, GrpcOptions

OUTPUT = Path(__file__).parents[1] / "build" / "bench-watch.json"
BURST = 50
"""Events at once, as when a rack fails."""
ONLY = EventFilter(kinds=frozenset({EventKind.BACKEND}))
PER_FRONTEND = 20
ONE_SHOT = """
import asyncio, sys
from maglev_grpc.client import connect

async def main():
    async with connect(sys.argv[1]) as client:
        await client.info()

asyncio.run(main())
"""


def config(backends: int) -> Config:
    """So many static backends, some to a frontend."""
    names = [f"backend-{number}" for number in range(backends)]
    groups = [names[start : start + PER_FRONTEND] for start in range(0, backends, PER_FRONTEND)]
    return Config(
        dataplane="memory",
        lb=LbConfig(startup_min_delay=0, startup_max_delay=0, sync_interval=3600, new_flow_table_length=1024),
        backends={name: BackendConfig(str(IPv4Address("10.0.0.1") + number)) for number, name in enumerate(names)},
        frontends={
            f"frontend-{number}": FrontendConfig(
                str(IPv4Address("172.16.0.1") + number),
                [PoolConfig("primary", {name: MemberConfig(100) for name in group})],
                protocol="tcp",
                port=443,
            )
            for number, group in enumerate(groups)
        },
    )


class Meter:
    """CPU, memory and lateness of this process."""

    def __init__(self) -> None:
        self.latest_s = 0.0

    async def run(self) -> None:
        """Measure the loop's lateness for ever."""
        while True:
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            self.latest_s = max(self.latest_s, time.perf_counter() - due)

    def take(self) -> dict[str, float]:
        """CPU so far, resident memory, and the worst lateness since the last time."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        taken = {
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "rss_mb": pages * resource.getpagesize() / 1e6,
            "late_ms": self.latest_s * 1e3,
        }
        self.latest_s = 0.0
        return taken


async def serve(pipe: Connection, backends: int) -> None:
    """Be the daemon, and do as the other process says."""
    loop = asyncio.get_running_loop()
    # All watchers are one host, or a user of this one.
    exporter = GrpcExporter(GrpcOptions(addr="127.0.0.1:0", max_connections=4096, max_connections_per_host=4096))
    plugins = maglev.installed({"MAGLEV_LOAD_PLUGINS": ""})
    async with maglev.open_controller(config(backends), plugins=plugins) as control:
        ready = asyncio.Event()
        meter = Meter()
        tasks = [loop.create_task(exporter.serve(control, ready.set)), loop.create_task(meter.run())]
        await ready.wait()
        pipe.send(exporter.port)
        while (order := await loop.run_in_executor(None, pipe.recv)) is not None:
            if order:
                await publish(control, order)
            pipe.send(meter.take())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def publish(control: LiveControl, events: int) -> None:
    """Make events, in bursts."""
    for number in range(events):
        transition = Transition(BackendState.UP, BackendState.DOWN, time.time(), None, str(number))
        control.bus.publish(BackendEvent(time.time(), "backend-0", ("frontend-0",), transition))
        if number % BURST == BURST - 1:
            await asyncio.sleep(0.02)


def daemon(pipe: Connection, backends: int) -> None:
    """Run `serve` in a process of its own."""
    asyncio.run(serve(pipe, backends))


class Daemon:
    """The other process, as this one sees it."""

    def __init__(self, backends: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=daemon, args=(theirs, backends))
        self._process.start()
        self.target = f"127.0.0.1:{self._pipe.recv()}"

    async def do(self, events: int = 0) -> dict[str, float]:
        """Have it make events, and read its meter."""
        self._pipe.send(events)
        answer: dict[str, float] = await asyncio.get_running_loop().run_in_executor(None, self._pipe.recv)
        return answer

    def close(self) -> None:
        """End it."""
        self._pipe.send(None)
        self._process.join(30)


async def watch(client: Client, events: int, ready: asyncio.Semaphore) -> tuple[int, int]:
    """Watch until the last event; tell how many came and how many were lost."""
    seen = lost = 0
    async with aclosing(client.watch(ONLY)) as items:
        async for item in items:
            if isinstance(item, Connected):
                ready.release()
            elif isinstance(item, Watched) and isinstance(item.delivery.event, BackendEvent):
                seen += 1
                lost += item.delivery.lost
                if item.delivery.event.transition.why == str(events - 1):
                    break
    return seen, lost


@asynccontextmanager
async def clients(target: str, count: int) -> AsyncIterator[list[Client]]:
    """So many connections."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connect(target)) for _ in range(count)]


async def measure_delivery(running: Daemon, watchers: int, events: int) -> dict[str, Any]:
    """Every watcher on a connection of its own, all events to all."""
    ready = asyncio.Semaphore(0)
    async with clients(running.target, watchers) as opened:
        tasks = [asyncio.create_task(watch(client, events, ready)) for client in opened]
        for _ in tasks:
            await ready.acquire()
        before = await running.do()
        started = time.perf_counter()
        after = await running.do(events)
        counts = await asyncio.gather(*tasks)
        took_s = time.perf_counter() - started
        after = {**await running.do(), "late_ms": after["late_ms"]}
    delivered, lost = (sum(column) for column in zip(*counts, strict=True))
    return {
        "delivered": delivered,
        "lost": lost,
        "seconds": took_s,
        "cpu_us_per_delivered": (after["cpu_s"] - before["cpu_s"]) / delivered * 1e6,
        "late_ms": after["late_ms"],
        "rss_mb": after["rss_mb"],
    }


async def measure_sleeper(running: Daemon, events: int) -> dict[str, float]:
    """One watcher that reads the state and then never again."""
    async with connect(running.target) as client, aclosing(client.watch(ONLY)) as items:
        await anext(items)
        before = await running.do()
        after = await running.do(events)
    return {"events": events, "grown_mb": after["rss_mb"] - before["rss_mb"]}


async def measure_state(running: Daemon) -> dict[str, float]:
    """The state of everything, which is large, for one who asks."""
    async with connect(running.target) as client:
        before = await running.do()
        started = time.perf_counter()
        await client.snapshot()
        took_s = time.perf_counter() - started
        after = await running.do()
    return {"seconds": took_s, "cpu_s": after["cpu_s"] - before["cpu_s"], "late_ms": after["late_ms"]}


def measure_one_shot(target: str) -> float:
    """Seconds for a fresh process that asks one thing, the median of five."""

    def once() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", ONE_SHOT, target], check=True)
        return time.perf_counter() - started

    return statistics.median(once() for _ in range(5))


async def measure(watchers: int, events: int, backends: int) -> dict[str, Any]:
    """Take all figures."""
    small = Daemon(PER_FRONTEND)
    try:
        figures: dict[str, Any] = {
            "one_shot_s": await asyncio.to_thread(measure_one_shot, small.target),
            "delivery": await measure_delivery(small, watchers, events),
            "sleeper": await measure_sleeper(small, 50 * events),
        }
    finally:
        small.close()
    large = Daemon(backends)
    try:
        figures["state"] = {"backends": backends, **await measure_state(large)}
    finally:
        large.close()
    return figures


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description="What watchers cost.")
    parser.add_argument("--watchers", type=int, default=100)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--backends", type=int, default=10_000, help="for the state of a large installation")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.watchers, options.events, options.backends))
    one, many, state = figures["one_shot_s"], figures["delivery"], figures["state"]
    print(f"one call from a fresh process: {one * 1e3:.0f} ms")
    print(
        f"{options.watchers} watchers × {options.events} events: {many['delivered']} delivered, {many['lost']} lost, "
        f"{many['cpu_us_per_delivered']:.1f} µs of CPU each, loop late by {many['late_ms']:.1f} ms at most"
    )
    print(f"one that never reads: {figures['sleeper']['grown_mb']:.1f} MB more after {50 * options.events} events")
    print(
        f"state of {state['backends']} backends: {state['seconds'] * 1e3:.0f} ms, {state['cpu_s'] * 1e3:.0f} ms of CPU "
        f"in the daemon, loop late by {state['late_ms']:.1f} ms at most"
    )
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
