"""A daemon with two thousand backends on loopback, servers that die and come back, and what a watcher hears of it."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from maglev.descriptors import reserve

BACKENDS = 2000
MORTAL = 40
"""Servers with a listener of their own, which is closed to kill them; the others share one."""
INTERVAL_S, FAST_S, TIMEOUT_S, FALL = 1.0, 0.25, 0.5, 2
SLACK_S = 3.0
BOUND_S = INTERVAL_S + FALL * (FAST_S + TIMEOUT_S) + SLACK_S
"""How late a dead server may be noticed, for all its probes and a busy host."""
PATIENCE_S = 60.0
DESCRIPTORS = reserve(BACKENDS) + 300
"""What the daemon may have open: some ninety connections are let in."""

# Reading may take eight seconds only, so that the scenario sees the end of it.
_MAGLEVD = "from maglev.config import loader; loader.READ_WITHIN_S = 8.0\nfrom maglev.cli.__main__ import main\nmain()"


def _address(number: int) -> str:
    return f"127.{40 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def free_port() -> int:
    """A port that is free on all addresses now."""
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        port: int = sock.getsockname()[1]
        return port


def _listen(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), backlog=1024)


class Steady:
    """One listener for all servers that do not die one by one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = _listen("0.0.0.0", port)
        self._thread = threading.Thread(target=self._accept, args=(self._socket,), daemon=True)
        self._thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    def kill(self) -> None:
        """All of them are dead. May be done twice."""
        if self._socket.fileno() == -1:
            return
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(PATIENCE_S)


@attrs.define
class Watcher:
    """Reads `maglevc watch events` as fast as it comes."""

    process: subprocess.Popen[str]
    down: dict[str, list[float]] = attrs.field(factory=dict)
    """When each backend went down, in seconds since the epoch."""
    up: set[str] = attrs.field(factory=set)
    lost: int = 0

    def read(self) -> None:
        """Until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            item = json.loads(line)
            self.lost += int(item.get("lost", 0))
            if "backend" not in item:
                continue
            name, moved = item["backend"]["backend"], item["backend"]["transition"]
            if moved["to_state"] == "BACKEND_STATE_UP":
                self.up.add(name)
            elif moved["to_state"] == "BACKEND_STATE_DOWN" and not item.get("initial"):
                self.up.discard(name)
                self.down.setdefault(name, []).append(moved["at_s"])


class Site:
    """The daemon, its servers, and one who watches; `running` makes it."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.file = directory / "maglev.yaml"
        self.port = free_port()
        steady_port, self._mortal_port = free_port(), free_port()
        self.steady = Steady(steady_port)
        self._mortal = {f"m{n}": _listen(_address(n), self._mortal_port) for n in range(MORTAL)}
        stack.callback(self._close)
        stack.callback(self.steady.kill)
        self.text = self._configuration(steady_port)
        self.file.write_text(self.text)
        self.daemon = self._start()
        self._log_is_read = threading.Event()
        self._log_is_read.set()
        log_reader = threading.Thread(target=self._read_log, daemon=True)
        log_reader.start()
        stack.callback(_end, self.daemon, log_reader)
        self.watcher = self._watch(stack)

    def _close(self) -> None:
        for one in self._mortal.values():
            one.close()

    def _configuration(self, steady_port: int) -> str:
        times = f"interval: {INTERVAL_S}s, fast-interval: {FAST_S}s, timeout: {TIMEOUT_S}s, rise: 1, fall: {FALL}"
        slow = f"interval: 5s, fast-interval: {FAST_S}s, timeout: {TIMEOUT_S}s, rise: 1, fall: {FALL}"
        names = [f"m{n}" if n < MORTAL else f"s{n}" for n in range(BACKENDS)]
        backends = [
            f"    {name}: {{address: {_address(n)}, healthcheck: {'mortal' if n < MORTAL else 'steady'}}}\n"
            for n, name in enumerate(names)
        ]
        frontends = [
            f"    f{n}: {{address: 192.0.2.{n + 1}, protocol: tcp, port: 80, pools: [{{name: p, backends: {{"
            + ", ".join(f"{name}: {{}}" for name in names[n::20])
            + "}}]}\n"
            for n in range(20)
        ]
        return (
            "maglev:\n  dataplane: memory\n  vpp: {lb: {startup-min-delay: 0s, startup-max-delay: 0s}}\n"
            f"  exporters: {{grpc: {{addr: '127.0.0.1:{self.port}'}}}}\n"
            f"  healthchecks:\n    mortal: {{type: tcp, port: {self._mortal_port}, {times}}}\n"
            f"    steady: {{type: tcp, port: {steady_port}, {slow}}}\n"
            f"  backends:\n{''.join(backends)}  frontends:\n{''.join(frontends)}"
        )

    def _start(self) -> subprocess.Popen[bytes]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAGLEV_")}
        daemon = subprocess.Popen(
            [sys.executable, "-c", _MAGLEVD, "--config", self.file, "--state-dir", "", "--log-format", "json"],
            stderr=subprocess.PIPE,
            env={**inherited, "MAGLEV_LOAD_PLUGINS": "tcp,grpc"},
            start_new_session=True,
        )
        assert daemon.stderr is not None
        fcntl.fcntl(daemon.stderr, fcntl.F_SETPIPE_SZ, 4096)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        return daemon

    def _read_log(self) -> None:
        assert self.daemon.stderr is not None
        with (self.directory / "log").open("wb") as log:
            while self._log_is_read.wait() and (some := self.daemon.stderr.read1(1024)):  # type: ignore[attr-defined]
                log.write(some)
                log.flush()

    def _watch(self, stack: ExitStack) -> Watcher:
        self.until(self._answers, "it answers")
        command = [sys.executable, "-m", "maglev_cli", "--server", f"127.0.0.1:{self.port}", "watch", "events"]
        watcher = Watcher(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        reader = threading.Thread(target=watcher.read, daemon=True)
        reader.start()
        stack.callback(_end, watcher.process, reader)
        return watcher

    def _answers(self) -> bool:
        assert self.daemon.poll() is None, "it has ended"
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def until(self, condition: Any, what: str, within_s: float = PATIENCE_S) -> None:
        """Wait until something is so; fail, saying what, if it is not in time."""
        end_s = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end_s, f"not within {within_s:g} s: {what}; {self.fares()}"
            time.sleep(0.02)

    def fares(self) -> str:
        """How everything is, for whoever reads of a failure."""
        watcher, log = self.watcher, (self.directory / "log").read_bytes()[-2000:].decode()
        return f"{len(watcher.up)} up, {watcher.lost} events lost, watcher {watcher.process.poll()}; log: {log}"

    def kill_and_see(self, *names: str) -> None:
        """Kill servers; each is seen to be down within the bound. Then they are there again."""
        before = {name: len(self.watcher.down.get(name, ())) for name in names}
        killed_s = time.time()
        for name in names:
            self._mortal[name].close()
        self.until(lambda: all(len(self.watcher.down.get(name, ())) > before[name] for name in names), f"{names} down")
        late = {name: self.watcher.down[name][-1] - killed_s for name in names}
        assert max(late.values()) < BOUND_S, late
        for name in names:
            self._mortal[name] = _listen(_address(int(name[1:])), self._mortal_port)

    def reload(self) -> None:
        """Ask for a reload."""
        self.daemon.send_signal(signal.SIGHUP)

    def logged(self, event: str) -> int:
        """How many records of this name the log has."""
        return (self.directory / "log").read_bytes().count(f'"event": "{event}"'.encode())

    @contextmanager
    def few_descriptors(self) -> Iterator[None]:
        """The daemon may have no more of them open than is the custom."""
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (1024, DESCRIPTORS))
        try:
            yield
        finally:
            resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    @contextmanager
    def log_unread(self) -> Iterator[None]:
        """Nobody reads the log for a while."""
        self._log_is_read.clear()
        try:
            yield
        finally:
            self._log_is_read.set()


def _end(process: subprocess.Popen[Any], *readers: threading.Thread) -> None:
    process.kill()
    process.wait(PATIENCE_S)
    for reader in readers:
        reader.join(PATIENCE_S)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@contextmanager
def running(directory: Path) -> Iterator[Site]:
    """Run a site whose backends are all up."""
    with ExitStack() as stack:
        site = Site(directory, stack)
        site.until(lambda: len(site.watcher.up) == BACKENDS, "all are up")
        yield site


def victims() -> Iterator[tuple[str, ...]]:
    """Three servers at a time, round and round."""
    names = itertools.cycle([f"m{n}" for n in range(MORTAL)])
    while True:
        yield next(names), next(names), next(names)
