"""A whole daemon, for what befalls one; and servers that it probes."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE_S, config_file, maglevd

__all__ = ["config_file", "maglevd"]

ROOT = Path(__file__).parents[2]


class Slow:
    """A slow server, and the requests that it has had.

    Args:
        port: Its port, on all addresses.
        delay_s: How long it holds each request.
        own_network: Whether it lives in a network namespace of its own.
    """

    def __init__(self, port: int, delay_s: float, own_network: bool = False) -> None:
        server = [sys.executable, "-m", "tests.probing.slow_server", str(port), str(delay_s)]
        if own_network:
            server = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *server]
        self.process = subprocess.Popen(server, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._requests: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        assert self._next() == "ready"

    def serve_everybody(self, addresses: set[str], rounds: int = 1) -> None:
        """Wait until each of these addresses was asked so many times from now on."""
        while not self._requests.empty():
            self._requests.get()
        for _ in range(rounds):
            waiting = set(addresses)
            while waiting:
                waiting.discard(self._next())

    def serve(self, count: int) -> None:
        """Wait for so many requests more."""
        for _ in range(count):
            self._next()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)

    def _next(self) -> str:
        return self._requests.get(timeout=PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._requests.put(line.strip())


@pytest.fixture
def slow_server() -> Iterator[Callable[..., Slow]]:
    """Start slow servers; they are gone when the test ends."""
    servers: list[Slow] = []

    def start(port: int, delay_s: float, own_network: bool = False) -> Slow:
        servers.append(Slow(port, delay_s, own_network))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
