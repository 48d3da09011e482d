"""No fault of the daemon's own (no descriptors, ports or namespace, stopped, starved) counts against a backend."""

from __future__ import annotations

import os
import resource
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import free_port
from tests.probing.conftest import Slow
from tests.probing.test_netns import ip, permitted

FIRST = IPv4Address("127.3.0.1")
SlowServer = Callable[..., Slow]
needs_netns = [
    pytest.mark.netns,
    pytest.mark.skipif(not permitted(), reason="no network namespace can be made here (needs CAP_SYS_ADMIN and ip)"),
]


def addresses(count: int) -> list[str]:
    return [str(FIRST + number) for number in range(count)]


def site(backends: list[str], port: int, netns: str = "") -> str:
    """A configuration with a backend for each address (which may come more than once), probed twice a second."""
    lines = [
        "maglev:",
        "  dataplane: memory",
        "  memory: {lb: {startup-min-delay: 0s, startup-max-delay: 0s}}",
        f"  healthchecker: {{netns: {netns}}}" if netns else "  healthchecker: {}",
        "  healthchecks:",
        f"    web: {{type: http, port: {port}, interval: 500ms, timeout: 2s, rise: 1, fall: 2}}",
        "  backends:",
        *(f"    b{number}: {{address: {address}, healthcheck: web}}" for number, address in enumerate(backends)),
        "  frontends:",
        *(
            f"    f{number}: {{address: 10.9.{number // 250}.{number % 250 + 1}, protocol: tcp, port: 80, "
            f"pools: [{{name: p, backends: {{b{number}: {{}}}}}}]}}"
            for number in range(len(backends))
        ),
    ]
    return "\n".join(lines) + "\n"


def until_up(daemon: Any, count: int) -> None:
    up: set[str] = set()
    while len(up) < count:
        record = daemon.next()
        assert record is not None, daemon.seen
        if record["event"] == "backend" and record["to"] == "up":
            up.add(record["backend"])


def transitions(daemon: Any) -> list[tuple[str, str]]:
    return [(record["backend"], record["to"]) for record in daemon.seen if record["event"] == "backend"]


def void_records(daemon: Any) -> list[str]:
    """The results that were logged as void; a busy machine may stall the daemon, which is logged apart."""
    voids = [record["result"] for record in daemon.seen if record["event"] == "probe-void"]
    return [result for result in voids if not result.startswith("LAG")]


def assert_told_once(daemon: Any, code: str) -> None:
    """Void results are told at once, a second later with all that are blind, and then no more in this minute."""
    voids = void_records(daemon)
    assert 1 <= len(voids) <= 2
    assert all(void.startswith(code) for void in voids)


@contextmanager
def descriptors(pid: int, most: int) -> Iterator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_without_descriptors_nobody_is_dead_and_all_recover(
    maglevd: Callable[..., Any], slow_server: SlowServer, config_file: Callable[[str], Path]
) -> None:
    port, backends = free_port([FIRST]), addresses(200)
    server = slow_server(port, 0.3)
    daemon = maglevd("--config", config_file(site(backends, port)))
    until_up(daemon, 200)
    with descriptors(daemon.process.pid, 64):
        daemon.until("probe-void")
        server.serve(1000)
    server.serve_everybody(set(backends), rounds=2)
    assert daemon.stop() == 0
    assert_told_once(daemon, "NOFILE")
    assert {to for _, to in transitions(daemon)} == {"up"}


def test_a_daemon_that_was_stopped_says_for_how_long_and_believes_no_stale_deadline(
    maglevd: Callable[..., Any],
    slow_server: SlowServer,
    config_file: Callable[[str], Path],
) -> None:
    """As when a virtual machine is frozen: whom it probes is stopped too, so no answer comes while it sleeps."""
    port, backends = free_port([FIRST]), addresses(40)
    server = slow_server(port, 0.4)
    daemon = maglevd("--config", config_file(site(backends, port)))
    until_up(daemon, 40)
    server.serve(40)
    daemon.signal(signal.SIGSTOP)
    server.process.send_signal(signal.SIGSTOP)
    with suppress(subprocess.TimeoutExpired):
        daemon.process.wait(5)  # not for anything to happen, but for all deadlines to pass
    daemon.signal(signal.SIGCONT)
    stalled = daemon.until("stalled")[-1]
    server.process.send_signal(signal.SIGCONT)
    assert stalled["lag_ms"] >= 4000
    assert stalled["voided"] == 0  # their deadlines have moved, so there is nothing to take back
    server.serve_everybody(set(backends), rounds=3)
    assert daemon.stop() == 0
    assert {to for _, to in transitions(daemon)} == {"up"}


def test_a_daemon_that_is_starved_of_cpu_declares_nobody_dead(
    maglevd: Callable[..., Any], slow_server: SlowServer, config_file: Callable[[str], Path]
) -> None:
    port, backends = free_port([FIRST]), addresses(40)
    server = slow_server(port, 0.1)
    daemon = maglevd("--config", config_file(site(backends, port)))
    until_up(daemon, 40)
    core = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(daemon.process.pid, core)
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        for hog in hogs:
            os.sched_setaffinity(hog.pid, core)
        server.serve_everybody(set(backends), rounds=4)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait(30)
    assert daemon.stop() == 0
    assert {to for _, to in transitions(daemon)} == {"up"}


class TestNamespaces:
    """The same for what a namespace can do to a daemon."""

    pytestmark = needs_netns

    @pytest.fixture
    def name(self) -> Iterator[str]:
        name = f"maglev-test-{secrets.token_hex(4)}"
        yield name
        with suppress(subprocess.CalledProcessError):  # the test may have deleted it
            ip("netns", "del", name)

    def test_a_namespace_that_vanishes_and_is_made_again_kills_nobody(
        self,
        name: str,
        maglevd: Callable[..., Any],
        slow_server: SlowServer,
        config_file: Callable[[str], Path],
    ) -> None:
        port, backends = free_port([FIRST]), addresses(20)
        first = slow_server(port, 0.0, own_network=True)
        ip("netns", "attach", name, str(first.process.pid))
        daemon = maglevd("--config", config_file(site(backends, port, name)))
        until_up(daemon, 20)
        ip("netns", "del", name)
        daemon.until("probe-void")
        second = slow_server(port, 0.0, own_network=True)
        ip("netns", "attach", name, str(second.process.pid))
        second.serve_everybody(set(backends), rounds=2)
        assert daemon.stop() == 0
        assert_told_once(daemon, "NETNS")
        assert {to for _, to in transitions(daemon)} == {"up"}

    def test_without_local_ports_nobody_is_dead_and_all_recover(
        self,
        name: str,
        maglevd: Callable[..., Any],
        slow_server: SlowServer,
        config_file: Callable[[str], Path],
    ) -> None:
        port = free_port([FIRST])
        server = slow_server(port, 0.3, own_network=True)
        ip("netns", "attach", name, str(server.process.pid))
        daemon = maglevd("--config", config_file(site([str(FIRST)] * 20, port, name)))
        until_up(daemon, 20)
        ports = "/proc/sys/net/ipv4/ip_local_port_range"
        ip("netns", "exec", name, "sh", "-c", f"echo 40000 40003 > {ports}")
        daemon.until("probe-void")
        server.serve(40)
        ip("netns", "exec", name, "sh", "-c", f"echo 32768 60999 > {ports}")
        server.serve(100)
        assert daemon.stop() == 0
        assert_told_once(daemon, "NOPORT")
        assert {to for _, to in transitions(daemon)} == {"up"}
