"""What a probe costs: CPU a probe and start lateness, on loopback, each target once a second.

The prober runs alone in a process of its own, and its CPU is the operating system's account of that process, kernel
work included; on loopback that holds half of the servers' network work too. The servers run in other processes.

    python benchmarks/bench_probes.py [--targets 2000] [--seconds 10] [--checkers http,tcp]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import select
import socket
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import anyio

from maglev.api import Code, Conversation, Done, MuxChecker, ProbeResult, StreamChecker, Target
from maglev.probing import Job, Prober

OUTPUT = Path(__file__).parents[1] / "build" / "bench-probes.json"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
REQUEST = b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
OK = ProbeResult(Code.L7OK, "200")
CONNECTED = ProbeResult(Code.L4OK)
WARM_UP_S = 3.0


class HTTPTalk(Conversation):
    """The least that an HTTP checker does: send a prepared request, judge the status line."""

    __slots__ = ("_request",)

    def __init__(self, request: bytes) -> None:
        self._request = request

    def opening(self) -> bytes:
        """Send the request."""
        return self._request

    def receive(self, data: bytes) -> Done | None:
        """Judge the status line, which is here in one piece."""
        return Done(OK) if data.startswith(b"HTTP/1.1 200 ") else None


class HTTPLike(StreamChecker):
    """A stand-in for an HTTP checker."""

    name = "http-like"

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        """Prepare the request."""
        return partial(HTTPTalk, REQUEST % str(target.address).encode())


class TCPTalk(Conversation):
    """Being connected is all."""

    __slots__ = ()

    def opening(self) -> Done:
        """Be content."""
        return Done(CONNECTED)


class TCPLike(StreamChecker):
    """A stand-in for a plain TCP check."""

    name = "tcp-like"

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        """Nothing to prepare."""
        return TCPTalk


CHECKERS: dict[str, type[StreamChecker | MuxChecker]] = {"http": HTTPLike, "tcp": TCPLike}


def serve(listener: socket.socket) -> None:
    """Answer every request on a listener, for ever."""
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                try:
                    client = listener.accept()[0]
                except BlockingIOError:
                    continue
                client.setblocking(False)
                clients[client.fileno()] = client
                epoll.register(client, select.EPOLLIN)
                continue
            client = clients[fd]
            try:
                data = client.recv(4096)
                if data:
                    client.send(RESPONSE)
                    continue
            except OSError:
                pass
            del clients[fd]
            client.close()


def start_servers(count: int) -> tuple[int, list[multiprocessing.process.BaseProcess]]:
    """Start servers that share one port on all loopback addresses.

    Returns:
        The port and the processes.
    """
    listener = socket.create_server(("0.0.0.0", 0), backlog=16384)  # noqa: S104 - all of 127/8 must reach it
    listener.setblocking(False)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=serve, args=(listener,), daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    return listener.getsockname()[1], list(processes)


async def measure(name: str, targets: int, seconds: float, port: int) -> dict[str, Any]:
    """Probe for a while and take the accounts.

    Args:
        name: Which checker.
        targets: How many targets, each once a second.
        seconds: How long, after warming up.
        port: Where the servers are.
    """
    wrong = 0
    before_kb = rss_kb()

    def judge(_job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        nonlocal wrong
        wrong += not result.ok
        return 1_000_000_000

    prober = Prober(judge)
    checker = CHECKERS[name](None)
    first = int(IPv4Address("127.1.0.1"))
    for number in range(targets):
        target = Target(f"t{number}", IPv4Address(first + number), port, timeout_ns=800_000_000)
        prober.add(Job(target.backend, checker, target), 1_000_000_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        await anyio.sleep(WARM_UP_S)
        prober.stats.__init__(10_000_000)  # type: ignore[misc]
        cpu, wall, wrong = cpu_s(), time.monotonic(), 0
        await anyio.sleep(seconds)
        cpu, wall = cpu_s() - cpu, time.monotonic() - wall
        stats = prober.stats
        record = {
            "name": name, "targets": targets, "probes": stats.ended, "wrong": wrong,
            "cpu_us": round(1e6 * cpu / max(stats.ended, 1), 1), "core_percent": round(100 * cpu / wall, 1),
            "rate": round(stats.ended / wall), "lateness_p50_ms": stats.lateness_ms(0.5),
            "lateness_p99_ms": stats.lateness_ms(0.99), "late": stats.late, "rss_kb": rss_kb(),
            "kb_per_backend": round((rss_kb() - before_kb) / targets, 2), "load": os.getloadavg()[0],
        }  # fmt: skip
        tasks.cancel_scope.cancel()
    await prober.aclose()
    return record


def cpu_s() -> float:
    """CPU time of this process so far, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def rss_kb() -> int:
    """Resident memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def run_one(name: str, targets: int, seconds: float, port: int, pipe: Any) -> None:
    """Measure in a process of its own and send the record back."""
    pipe.send(asyncio.run(measure(name, targets, seconds, port)))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--checkers", default="http,tcp")
    parser.add_argument("--servers", type=int, default=1)
    options = parser.parse_args()
    port, servers = start_servers(options.servers)
    context = multiprocessing.get_context("spawn")
    records = []
    for name in options.checkers.split(","):
        ours, theirs = context.Pipe()
        process = context.Process(target=run_one, args=(name, options.targets, options.seconds, port, theirs))
        process.start()
        records.append(ours.recv())
        process.join()
        print(json.dumps(records[-1]))
    for server in servers:
        server.terminate()
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
