"""Measures the CPU of maglevt and how well it keeps time: loopback VIPs, each probed every 100 ms, on one core.

The probing loop runs alone in a process of its own, as it does behind the screen; its CPU is the operating system's
account of that process, kernel work included, and on loopback that holds half of the servers' network work too. The
cadence is measured from start to start. The servers run in other processes.

    python benchmarks/bench_tester.py [--vips 200] [--seconds 10] [--only http,https,tcp,httpx,screen,slow]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import pty
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from fcntl import ioctl
from itertools import pairwise
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ
from typing import Any

import anyio
import httpx
import trustme

from maglev_tester.outcome import Outcome
from maglev_tester.record import Record
from maglev_tester.runner import Runner
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Kind, Vip

OUTPUT = Path(__file__).parents[1] / "build" / "bench-tester.json"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 05 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"X-IPng-Frontend: nginx0\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
)
WARM_UP_S = 2.0


def serve(port: multiprocessing.Queue[int], delay_s: float, context: ssl.SSLContext | None) -> None:
    """Answer requests for ever, each after a delay, on all loopback addresses."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The tester closes with a reset, which is no news here.
        with contextlib.suppress(OSError):
            if await reader.read(4096):
                if delay_s:
                    await asyncio.sleep(delay_s)
                writer.write(ANSWER)
                await writer.drain()
        writer.transport.abort()

    async def run() -> None:
        server = await asyncio.start_server(handle, "0.0.0.0", 0, backlog=4096, ssl=context)  # noqa: S104 - all of 127/8
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def start_server(delay_s: float = 0.0, *, secure: bool = False) -> tuple[int, multiprocessing.process.BaseProcess]:
    """Start a server; returns its port and process."""
    context = None
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    fork = multiprocessing.get_context("fork")
    port: multiprocessing.Queue[int] = fork.Queue()
    process = fork.Process(target=serve, args=(port, delay_s, context), daemon=True)
    process.start()
    return port.get(), process


def plan_of(kind: Kind, count: int, port: int, **settings: Any) -> ProbeSettings:
    """A plan of many VIPs that are all one server."""
    vips = tuple(Vip(f"vip{n:03}", f"127.3.{n // 250}.{n % 250 + 1}", port, kind) for n in range(count))
    return ProbeSettings(vips, insecure=True, **settings)


class Account:
    """CPU and wall time of this process from now on."""

    def __init__(self) -> None:
        self._cpu_s, self._wall_s = cpu_s(), time.monotonic()

    def record(self, name: str, probes: int, **more: Any) -> dict[str, Any]:
        """What was spent."""
        cpu, wall = cpu_s() - self._cpu_s, time.monotonic() - self._wall_s
        return {
            "name": name, "probes": probes, "rate": round(probes / wall), "cpu_us": round(1e6 * cpu / max(probes, 1)),
            "core_percent": round(100 * cpu / wall, 1), "rss_mb": round(rss_mb(os.getpid()), 1), **more,
            "load": os.getloadavg()[0],
        }  # fmt: skip


def cpu_s() -> float:
    """CPU time of this process so far, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def rss_mb(pid: int) -> float:
    """Resident memory of a process now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def probe(name: str, plan: ProbeSettings, seconds: float) -> dict[str, Any]:
    """Run the loop for a while, and take the accounts."""
    records = [Record() for _ in plan.vips]
    starts: list[list[int]] = [[] for _ in plan.vips]
    ends: list[list[int]] = [[] for _ in plan.vips]

    def take(index: int, outcome: Outcome) -> None:
        records[index].add(outcome)
        starts[index].append(outcome.started_ns)
        ends[index].append(outcome.ended_ns)

    runner = Runner(plan, take)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runner.run)
        await anyio.sleep(WARM_UP_S)
        records[:] = [Record() for _ in plan.vips]
        for times in (*starts, *ends):
            times.clear()
        account = Account()
        await anyio.sleep(seconds)
        result = account.record(name, sum(map(len, starts)))
        tasks.cancel_scope.cancel()
    gaps = [b - a for times in starts for a, b in pairwise(times)]
    pauses = [b - a for begun, done in zip(starts, ends, strict=True) for a, b in zip(done, begun[1:], strict=False)]
    latencies = sorted(value for record in records for value in record.window.latest if value is not None)
    return result | {
        "failed": sum(record.failed for record in records),
        "interval_ms_mean": round(statistics.fmean(gaps) / 1e6, 2),
        "interval_ms_least": round(min(gaps) / 1e6, 2),
        "interval_ms_most": round(max(gaps) / 1e6, 2),
        "end_to_start_ms_median": round(statistics.median(pauses) / 1e6, 2),
        "latency_ms_p50": round(latencies[len(latencies) // 2] / 1e6, 2) if latencies else None,
        "latency_ms_p99": round(latencies[len(latencies) * 99 // 100] / 1e6, 2) if latencies else None,
    }


async def probe_with_httpx(name: str, plan: ProbeSettings, seconds: float) -> dict[str, Any]:
    """The same with httpx's own transport, one for each VIP: what it would cost."""
    limits = httpx.Limits(max_keepalive_connections=0)
    count = 0

    async def follow(vip: Vip, wait_s: float) -> None:
        nonlocal count
        transport = httpx.AsyncHTTPTransport(limits=limits)
        request = httpx.Request("GET", f"http://{vip.endpoint}{plan.uri}")
        due = time.monotonic() + wait_s
        while True:
            await anyio.sleep(max(due - time.monotonic(), 0))
            response = await transport.handle_async_request(request)
            await response.aread()
            await response.aclose()
            count += 1
            due = max(due + plan.interval_ns / 1e9, time.monotonic())

    async with anyio.create_task_group() as tasks:
        for index, vip in enumerate(plan.vips):
            tasks.start_soon(follow, vip, plan.interval_ns / 1e9 * index / len(plan.vips))
        await anyio.sleep(WARM_UP_S)
        count = 0
        account = Account()
        await anyio.sleep(seconds)
        result = account.record(name, count)
        tasks.cancel_scope.cancel()
    return result


def alone(measure: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Measure in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_send, args=(theirs, measure, arguments))
    process.start()
    record: dict[str, Any] = ours.recv()
    process.join()
    return record


def _send(pipe: Any, measure: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    pipe.send(asyncio.run(measure(*arguments)))


def on_screen(name: str, plan: ProbeSettings, seconds: float) -> dict[str, Any]:
    """Run the whole command on a pseudo-terminal of 200×50, and take the accounts of both of its processes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maglev.yaml"
        path.write_text(configuration(plan))
        keyboard, line = pty.openpty()
        ioctl(line, TIOCSWINSZ, pack("HHHH", 50, 200, 0, 0))
        command = [sys.executable, "-m", "maglev_tester.start", "--config", str(path)]
        process = subprocess.Popen(command, stdin=line, stdout=line, stderr=line)
        seen = _Drain(keyboard)
        time.sleep(WARM_UP_S + 1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        pids = {"screen": process.pid, "probes": int(children[0])}
        before = {what: ticks(pid) for what, pid in pids.items()}
        bytes_before = seen.bytes
        time.sleep(seconds)
        record: dict[str, Any] = {
            "name": name,
            "vips": len(plan.vips),
            "bytes_s": round((seen.bytes - bytes_before) / seconds),
        }
        for what, pid in pids.items():
            record[f"{what}_core_percent"] = round((ticks(pid) - before[what]) / seconds, 1)
            record[f"{what}_rss_mb"] = round(rss_mb(pid), 1)
        os.write(keyboard, b"q")
        process.wait(10)
    return record


class _Drain:
    """Reads what is drawn, as a terminal would."""

    def __init__(self, source: int) -> None:
        self.bytes = 0
        self._source = source
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while data := os.read(self._source, 65_536):
            self.bytes += len(data)


def ticks(pid: int) -> float:
    """CPU time of a process so far, in hundredths of a second: percent of a core when divided by seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 100 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def configuration(plan: ProbeSettings) -> str:
    """The YAML of a plan's VIPs."""
    port = plan.vips[0].port
    pools = "pools: [{name: a, backends: {b: {}}}]"
    head = f"maglev:\n  healthchecks: {{c: {{type: http, port: {port}}}}}\n"
    head += "  backends: {b: {address: 192.0.2.1, healthcheck: c}}\n  frontends:\n"
    vips = (f"    {vip.name}: {{address: {vip.address}, protocol: tcp, port: {port}, {pools}}}" for vip in plan.vips)
    return head + "\n".join(vips) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vips", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", default="http,tcp,https,httpx,screen,slow")
    options = parser.parse_args()
    port, server = start_server()
    secure_port, secure_server = start_server(secure=True)
    slow_port, slow_server = start_server(0.03)
    slower_port, slower_server = start_server(0.25)
    count, seconds = options.vips, options.seconds
    measures: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "http": lambda: [alone(probe, "http", plan_of(Kind.HTTP, count, port), seconds)],
        "tcp": lambda: [alone(probe, "tcp", plan_of(Kind.TCP, count, port), seconds)],
        "https": lambda: [alone(probe, "https", plan_of(Kind.HTTPS, count // 8, secure_port), seconds)],
        "httpx": lambda: [alone(probe_with_httpx, "httpx", plan_of(Kind.HTTP, count, port), seconds)],
        "screen": lambda: [on_screen("screen", plan_of(Kind.HTTP, count, port), seconds)],
        "slow": lambda: [
            alone(probe, "30 ms a probe", plan_of(Kind.HTTP, 10, slow_port), max(seconds, 30.0)),
            alone(probe, "250 ms a probe", plan_of(Kind.HTTP, 10, slower_port), seconds),
        ],
    }
    records = []
    for name in options.only.split(","):
        for record in measures[name]():
            records.append(record)
            print(json.dumps(record), flush=True)
    for process in (server, secure_server, slow_server, slower_server):
        process.terminate()
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
