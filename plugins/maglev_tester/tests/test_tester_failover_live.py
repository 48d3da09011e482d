"""A server dies and comes back: what maglevt saw of it agrees with the logs of the servers themselves."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from plugins.maglev_tester.tests.conftest import configuration

SERVERS = Path(__file__).with_name("servers.py")
MS = 1_000_000


class Servers:
    """Servers in processes of their own, each with a log of the requests that it answered.

    Args:
        folder: For the logs.
        stack: Ends the processes.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, SERVERS, *map(str, arguments)])
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def serve(self, port: int, name: str) -> subprocess.Popen[bytes]:
        process = self.start("serve", "127.0.0.1", port, name, self._folder / name)
        self._stack.callback((self._folder / name).touch)
        return process

    def times(self, name: str) -> list[int]:
        """When a server answered, in nanoseconds of the monotonic clock."""
        path = self._folder / name
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that is bound to happen; the test's own time-out is the limit."""
        while not condition():
            time.sleep(0.02)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(tmp_path, stack)


@pytest.fixture
def free_ports() -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        return [listener.getsockname()[1] for listener in listeners]


def maglevt(folder: Path, port: int, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "maglev_tester.start", "--config", configuration(folder, port), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Press Ctrl-C; returns what is told of the one VIP."""
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    told: dict[str, Any] = json.loads(output)["vips"][0]
    return told


def counts(told: dict[str, Any]) -> dict[str, int]:
    return {entry["who"]: entry["count"] for entry in told["tally"]}


def test_gap_and_tally_agree_with_the_logs_when_a_server_is_replaced(
    servers: Servers, tmp_path: Path, free_ports: list[int]
) -> None:
    port = free_ports[0]
    first = servers.serve(port, "first")
    process = maglevt(tmp_path, port, "--duration", "10m", "--output", "json", "--interval", "50ms")
    servers.until(lambda: len(servers.times("first")) >= 10)
    first.kill()
    first.wait()
    last_answer_ns = servers.times("first")[-1]
    servers.until(lambda: time.monotonic_ns() > last_answer_ns + 500 * MS)
    servers.serve(port, "second")
    # Five seconds without a failure make it over.
    servers.until(lambda: bool(times := servers.times("second")) and times[-1] - times[0] > 5_500 * MS)
    told = ended(process)
    first_times, second_times = servers.times("first"), servers.times("second")
    # A request that was running when a process was ended may be in its log and not in the tally.
    assert 0 <= len(first_times) - counts(told)["first"] <= 1
    assert 0 <= len(second_times) - counts(told)["second"] <= 1
    # Both ends of the gap are at most one probe apart from what the servers wrote down.
    log_gap_ms = (second_times[0] - first_times[-1]) / MS
    (failover,) = [seen for seen in told["failovers"] if seen["left"]]
    slowest_ms = told["latency_ms"]["max"] + told["latency_ms"]["p99"] + 1000
    assert told["longest_gap_ms"] == pytest.approx(log_gap_ms, abs=slowest_ms)
    assert (failover["left"], failover["joined"]) == (["first"], ["second"])
    assert failover["failed"] == told["failed"] == told["errors"]["net"]
    assert failover["shifted_ms"] <= told["longest_gap_ms"]


def test_dead_server_of_three_costs_requests_until_the_balancer_notices(
    servers: Servers, tmp_path: Path, free_ports: list[int]
) -> None:
    front, *ports = free_ports
    running = [servers.serve(port, f"nginx{number}") for number, port in enumerate(ports)]
    servers.start("balance", "127.0.0.1", front, tmp_path / "balancer", 0.5, *ports)
    process = maglevt(tmp_path, front, "--duration", "10m", "--output", "json", "--interval", "20ms")
    servers.until(lambda: all(len(servers.times(f"nginx{number}")) >= 10 for number in range(3)))
    changes = len(servers.times("balancer"))
    running[1].kill()
    running[1].wait()
    servers.until(lambda: len(servers.times("balancer")) > changes)
    # Nothing fails once the balancer has noticed, and five seconds without a failure make it over.
    noticed_ns = servers.times("balancer")[-1]
    servers.until(lambda: servers.times("nginx0")[-1] - noticed_ns > 7_000 * MS)
    servers.serve(ports[1], "nginx1")
    before = len(servers.times("nginx1"))
    servers.until(lambda: len(servers.times("nginx1")) >= before + 10)
    told = ended(process)
    tally = counts(told)
    for name in ("nginx0", "nginx1", "nginx2"):
        # One may be cut by its server's death, another by the end of the run.
        assert 0 <= len(servers.times(name)) - tally[name] <= 2
    (failover,) = [seen for seen in told["failovers"] if seen["left"]]
    assert failover["left"] == ["nginx1"]
    assert failover["joined"] == []
    assert failover["failed"] > 0
    assert told["count"] == sum(tally.values()) + told["failed"]
