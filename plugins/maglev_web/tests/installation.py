"""A real maglevd with the memory dataplane, real backends on loopback, and the dashboard: each a process of its own."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

USER, PASSWORD = "operator", "correct horse"
_WITHIN_S = 40.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


def free_port(addresses: Sequence[str] = ("127.0.0.1",)) -> int:
    """A TCP port that is free on all of these addresses."""
    while True:
        with ExitStack() as stack, suppress(OSError):
            port = 0
            for address in addresses:
                sock = stack.enter_context(socket.socket())
                sock.bind((address, port))
                port = sock.getsockname()[1]
            return port


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds, and fail if it never does."""
    give_up_s = time.monotonic() + _WITHIN_S
    while not condition():
        if time.monotonic() > give_up_s:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.02)


class Backends:
    """HTTP servers on loopback addresses, each of which can be killed and started again.

    Args:
        addresses: By name.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.addresses = addresses
        self.port = free_port(list(addresses.values()))
        self._selector = selectors.DefaultSelector()
        self._listeners: dict[str, socket.socket] = {}
        self._closing = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        for name in addresses:
            self.start(name)
        self._thread.start()

    def start(self, name: str) -> None:
        """Listen."""
        listener = socket.create_server((self.addresses[name], self.port), backlog=64)
        listener.setblocking(False)
        with self._lock:
            self._listeners[name] = listener
            self._selector.register(listener, selectors.EVENT_READ)

    def kill(self, name: str) -> None:
        """Close its port."""
        with self._lock:
            listener = self._listeners.pop(name)
            self._selector.unregister(listener)
            listener.close()

    def close(self) -> None:
        """End all."""
        self._closing = True
        self._thread.join()
        for name in list(self._listeners):
            self.kill(name)

    def _serve(self) -> None:
        while not self._closing:
            ready = self._selector.select(0.05)
            for key, _ in ready:
                with suppress(OSError), self._lock:
                    connection, _peer = key.fileobj.accept()  # type: ignore[union-attr]
                    threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.settimeout(2)
        connection.recv(4096)
        connection.sendall(_ANSWER)
        connection.recv(1)


@attrs.define
class Process:
    """One program, which can be ended and started again."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.command, env={**os.environ, **self.environment}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def stop(self) -> int:
        """End it, and return its exit status."""
        if self.running is None:
            return 0
        self.running.terminate()
        try:
            return self.running.wait(15)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()
            raise
        finally:
            self.running = None


@attrs.define
class Installation:
    """All of it, running."""

    backends: Backends
    daemon: Process
    frontend: Process
    grpc: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def state(self) -> Any:
        """What the dashboard's server says of the daemon."""
        with urllib.request.urlopen(f"{self.url}/view/api/state", timeout=5) as answer:
            return json.load(answer)["maglevds"][0]

    def serves(self) -> bool:
        with suppress(OSError):
            return bool(self.state()["status"]["connected"])
        return False

    def member(self, frontend: str, backend: str) -> Any:
        members = self.state()["state"]["frontends"][frontend]["members"]
        return next(one for one in members if one["backend"] == backend)


MEMORY = "  dataplane: memory\n"


def configuration(backends: Backends, frontends: str, dataplane: str = MEMORY) -> str:
    """A configuration with every backend, and these frontends."""
    lines = [f"    {name}: {{address: {address}, healthcheck: http}}" for name, address in backends.addresses.items()]
    return (
        f"maglev:\n{dataplane}  healthchecks:\n    http:\n      type: http\n"
        f"      port: {backends.port}\n"
        "      params: {path: /}\n      interval: 300ms\n      fast-interval: 100ms\n      down-interval: 300ms\n"
        "      timeout: 1s\n      rise: 2\n      fall: 2\n"
        "  backends:\n" + "\n".join(lines) + "\n  frontends:\n" + frontends
    )


@contextmanager
def installation(
    folder: Path, addresses: Mapping[str, str], frontends: str, dataplane: str = MEMORY, **environment: str
) -> Iterator[Installation]:
    """Start everything, and end it; what is in the environment is for the daemon and for the dashboard."""
    backends = Backends(addresses)
    config = folder / "maglev.yaml"
    config.write_text(configuration(backends, frontends, dataplane))
    grpc_port, port = free_port(), free_port()
    daemon = Process(
        [
            sys.executable,
            "-m",
            "maglev.cli",
            "--config",
            str(config),
            "--grpc-addr",
            f"127.0.0.1:{grpc_port}",
            "--state-dir",
            str(folder / "state"),
        ],
        {"MAGLEV_METRICS_ADDR": "", **environment},
        folder / "maglevd.log",
    )
    frontend = Process(
        [sys.executable, "-m", "maglev_web", "--server", f"127.0.0.1:{grpc_port}", "--listen", f"127.0.0.1:{port}"],
        {"MAGLEV_FRONTEND_USER": USER, "MAGLEV_FRONTEND_PASSWORD": PASSWORD, **environment},
        folder / "frontend.log",
    )
    installed = Installation(backends, daemon, frontend, f"127.0.0.1:{grpc_port}", port)
    try:
        daemon.start()
        frontend.start()
        until(installed.serves, "the dashboard serves")
        yield installed
    finally:
        with suppress(subprocess.TimeoutExpired):
            frontend.stop()
        with suppress(subprocess.TimeoutExpired):
            daemon.stop()
        backends.close()
