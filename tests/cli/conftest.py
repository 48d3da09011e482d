"""A real `maglevd` in a process of its own, and real HTTP servers on loopback for it to probe."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from maglev.cli.demo.servers import free_port
from maglev.domain.table import Address

MAGLEVD = (sys.executable, "-m", "maglev.cli")
PATIENCE_S = 30.0
"""How long a test waits for what must come; no test asks how fast it came."""

Record = dict[str, Any]


class Daemon:
    """One run of the daemon, and what it logs."""

    def __init__(
        self, arguments: list[str], environment: Mapping[str, str], program: tuple[str, ...] = MAGLEVD
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAGLEV_")}
        self.process = subprocess.Popen(
            [*program, "--log-format", "json", "--state-dir", "", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            # As a service has one: a signal may go to all of its group.
            start_new_session=True,
            # No exporter: its port might be another's.
            env={**inherited, "MAGLEV_LOAD_PLUGINS": "http", **environment},
        )
        self.seen: list[Record] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def next(self) -> Record | None:
        """The next record; `None` when the daemon has ended."""
        line = self._lines.get(timeout=PATIENCE_S)
        if line is None:
            return None
        record: Record = json.loads(line) if line.startswith("{") else {"event": "", "text": line}
        self.seen.append(record)
        return record

    def until(self, event: str, **fields: object) -> list[Record]:
        """Read on until a record has this name and these fields; returns all up to it, itself last."""
        records = []
        while (record := self.next()) is not None:
            records.append(record)
            if record["event"] == event and all(record.get(name) == value for name, value in fields.items()):
                return records
        raise AssertionError(f"ended without {event} {fields}: {self.seen}")

    def signal_group(self, number: signal.Signals) -> None:
        """Send it, and all processes that it started, a signal."""
        os.killpg(self.process.pid, number)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end; returns the exit status."""
        status = self.process.wait(PATIENCE_S)
        while self.next() is not None:
            pass
        return status

    def stop(self) -> int:
        """Ask it to stop; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)


@pytest.fixture
def maglevd() -> Iterator[Callable[..., Daemon]]:
    """Start daemons; they are gone when the test ends."""
    daemons: list[Daemon] = []

    def start(*arguments: object, environment: Mapping[str, str] | None = None, **more: Any) -> Daemon:
        daemons.append(Daemon([str(argument) for argument in arguments], environment or {}, **more))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.close()


class WebServer:
    """A web server that says 200 to everything and counts."""

    def __init__(self, address: Address, port: int) -> None:
        outer = self
        self.requests = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((str(address), port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """Close its port. May be done twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)


@pytest.fixture
def web_servers() -> Iterator[Callable[..., list[WebServer]]]:
    """Start web servers, all on one port; they are gone when the test ends."""
    servers: list[WebServer] = []

    def start(*addresses: Address, port: int) -> list[WebServer]:
        started = [WebServer(address, port) for address in addresses]
        servers.extend(started)
        return started

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def config_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a configuration."""

    def write(text: str) -> Path:
        path = tmp_path / "maglev.yaml"
        path.write_text(text)
        return path

    return write


__all__ = ["free_port"]
