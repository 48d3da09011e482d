"""Nothing that an operator, a disk or a stranger does delays failover: two thousand backends while servers die.

Each disturbance is one function: a context in which it lasts. Servers are killed before, in each of them, and after.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.scenarios.site import BACKENDS, MORTAL, Site, running, victims

IDLE_CONNECTIONS = 1200
"""More than the daemon may have descriptors."""


@contextmanager
def strangers(site: Site) -> Iterator[None]:
    """Connections of fifty hosts that say nothing, more than the daemon has descriptors for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as stack:
            stack.enter_context(site.few_descriptors())
            for number in range(IDLE_CONNECTIONS):
                sock = stack.enter_context(socket.socket())
                sock.bind((f"127.0.1.{number % 50 + 1}", 0))
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", site.port))
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def unread_log(site: Site) -> Iterator[None]:
    """A log that nobody reads: the pipe of 4 KiB is full after the first deaths."""
    with site.log_unread():
        yield


@contextmanager
def hanging_reload(site: Site) -> Iterator[None]:
    """A reload whose file is a pipe that nobody writes to."""
    refused, reloaded = site.logged("reload-refused"), site.logged("reloaded")
    site.file.unlink()
    os.mkfifo(site.file)
    site.reload()
    yield
    site.until(lambda: site.logged("reload-refused") > refused, "the reload is given up")
    site.file.unlink()
    site.file.write_text(site.text)
    site.reload()
    site.until(lambda: site.logged("reloaded") > reloaded, "the next one is carried out")


@contextmanager
def signals_to_the_group(site: Site) -> Iterator[None]:
    """SIGHUP for the whole process group, as a terminal that closes sends it, again and again."""
    for _ in range(5):
        os.killpg(site.daemon.pid, signal.SIGHUP)
    yield
    os.killpg(site.daemon.pid, signal.SIGHUP)


@contextmanager
def watchers_that_do_not_read(site: Site) -> Iterator[None]:
    """Fifty streams of events that nobody reads."""
    program = Path(__file__).with_name("idle_watchers.py")
    with subprocess.Popen(
        [sys.executable, program, f"127.0.0.1:{site.port}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as watchers:
        assert watchers.stdout is not None
        assert watchers.stdout.readline() == b"watching\n"
        try:
            yield
        finally:
            watchers.kill()


@contextmanager
def outage(site: Site) -> Iterator[None]:
    """All the other servers die at one moment, while fifty do not read of it; who reads misses nothing."""
    with watchers_that_do_not_read(site):
        site.steady.kill()
        yield
        site.until(lambda: len(site.watcher.up) <= MORTAL, "all of them are down")
        assert len(site.watcher.down) >= BACKENDS - MORTAL
        assert site.watcher.lost == 0


DISTURBANCES: tuple[Callable[[Site], AbstractContextManager[None]], ...] = (
    strangers,
    unread_log,
    hanging_reload,
    signals_to_the_group,
    watchers_that_do_not_read,
    outage,
)
"""In this order; the outage is last, for nobody comes back from it."""


@pytest.mark.timeout(180)  # two thousand backends on a slow machine
def test_servers_that_die_are_seen_in_time_whatever_else_happens(tmp_path: Path) -> None:
    killed = victims()
    with running(tmp_path) as site:
        site.kill_and_see(*next(killed))
        for disturbance in DISTURBANCES:
            with disturbance(site):
                site.kill_and_see(*next(killed))
            site.kill_and_see(*next(killed))
        assert site.daemon.poll() is None
