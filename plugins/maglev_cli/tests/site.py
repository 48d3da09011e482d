"""A small site: maglevd in a process of its own on the memory dataplane, three web servers on loopback, `maglevc`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from maglev.cli.demo.servers import free_port

PATIENCE_S = 30.0
"""How long a test waits for what must come; no test asks how fast it came."""
MAGLEVD = (sys.executable, "-m", "maglev.cli")
MAGLEVC = (sys.executable, "-m", "maglev_cli")
ADDRESSES = {"ams-1": "127.0.0.51", "ams-2": "127.0.0.52", "fra-1": "127.0.0.53"}

YAML = """
maglev:
  dataplane: memory
  memory: {lb: {startup-min-delay: 0, startup-max-delay: 0, new-flow-table-length: 1024}}
  healthchecks:
    web:
      type: http
      port: PORT
      interval: 100ms
      timeout: 1s
      rise: 2
      fall: 3
  backends:
    ams-1: {address: 127.0.0.51, healthcheck: web}
    ams-2: {address: 127.0.0.52, healthcheck: web}
    fra-1: {address: 127.0.0.53, healthcheck: web}
  frontends:
    site:
      description: public site
      address: 192.0.2.80
      protocol: tcp
      port: 80
      pools:
        - name: primary
          backends: {ams-1: {weight: 100}, ams-2: {weight: 50}}
        - name: fallback
          backends: {fra-1: {}}
    all-ports:
      address: 192.0.2.81
      pools:
        - name: only
          backends: {ams-1: {}}
"""


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: ours, without what would steer maglevd and colours."""
    dropped = ("MAGLEV_", "NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(dropped)}, **more}


class WebServer:
    """A web server that says 200 to everything."""

    def __init__(self, address: str, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A probe that has read enough hangs up: nothing to tell."""

        self._server = Server((address, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close its port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)


class Daemon:
    """maglevd in a process of its own.

    Args:
        file: Its configuration.
        plugins: Those it loads: no exporter's port but that of `grpc`.
    """

    def __init__(self, file: Path, plugins: str = "grpc,http") -> None:
        self.port = free_port([IPv4Address("127.0.0.1")])
        self.file = file
        self._plugins = plugins
        self._daemon: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self.log: list[str] = []
        """What the daemon has written to standard error, line by line."""

    @property
    def server(self) -> str:
        """Where maglevd is."""
        return f"localhost:{self.port}"

    def start(self) -> None:
        """Start the daemon; returns once it serves."""
        arguments = ["--config", str(self.file), "--state-dir", "", "--grpc-addr", f"127.0.0.1:{self.port}"]
        self._daemon = subprocess.Popen(
            [*MAGLEVD, "--log-format", "json", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(MAGLEV_LOAD_PLUGINS=self._plugins),
        )
        ready = threading.Event()
        reader = threading.Thread(target=self._read, args=(self._daemon, ready), daemon=True)
        reader.start()
        self._readers.append(reader)
        assert ready.wait(PATIENCE_S), "maglevd did not start"

    def _read(self, daemon: subprocess.Popen[str], ready: threading.Event) -> None:
        assert daemon.stderr is not None
        with daemon.stderr as lines:
            for line in lines:
                self.log.append(line)
                if '"event": "ready"' in line:
                    ready.set()

    def stop(self) -> None:
        """Stop the daemon."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)

    def run(self, *words: str, text: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `maglevc` with some words; `text` is its standard input."""
        return maglevc(*words, text=text, MAGLEV_SERVER=self.server, **more)

    def text_of(self, line: str) -> str:
        """Run a command that must succeed; returns what it prints."""
        done = self.run(*line.split())
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def json_of(self, line: str) -> Any:
        """Run a command that must succeed; returns its message."""
        return json.loads(self.text_of(f"--output json {line}"))

    def refused(self, line: str) -> tuple[int, str]:
        """Run a command that must fail; returns exit status and error line."""
        done = self.run(*line.split())
        assert done.returncode, done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.returncode, done.stderr.rstrip("\n")


class Site(Daemon):
    """The daemon, its servers and its file.

    Args:
        folder: For the file.
        exporter: Options of the exporter `grpc`, as YAML.
    """

    def __init__(self, folder: Path, exporter: str = "") -> None:
        web_port = free_port([IPv4Address(address) for address in ADDRESSES.values()])
        file = folder / "maglev.yaml"
        file.write_text(
            YAML.replace("PORT", str(web_port)) + (f"  exporters: {{grpc: {exporter}}}\n" if exporter else "")
        )
        super().__init__(file)
        self.servers = {name: WebServer(address, web_port) for name, address in ADDRESSES.items()}

    def weights(self, frontend: str = "site") -> dict[str, int]:
        """What the dataplane holds: weights in the table by backend."""
        (vip,) = self.json_of(f"show dataplane state {frontend}")["vips"]
        names = {address: name for name, address in ADDRESSES.items()}
        return {names[server["address"]]: server.get("weight", 0) for server in vip["servers"]}

    def state(self, backend: str) -> str:
        """A backend's state."""
        return str(self.json_of(f"show backend {backend}")["state"]).removeprefix("BACKEND_STATE_").lower()

    def settled(self) -> None:
        """Wait until all servers are up and the dataplane has the weights of the file."""
        until(lambda: self.weights() == {"ams-1": 10, "ams-2": 5, "fra-1": 0}, "the dataplane has the weights")
        until(lambda: self.state("fra-1") == "up", "the spare is up")

    def close(self) -> None:
        """Stop everything."""
        self.stop()
        for server in self.servers.values():
            server.close()


def maglevc(*words: str, text: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `maglevc`."""
    return subprocess.run(
        [*MAGLEVC, *words],
        input=text or "",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=environment(**more),
    )


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Run a site, and wait until it has settled."""
    site = Site(folder)
    try:
        site.start()
        site.settled()
        yield site
    finally:
        site.close()


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds; fail, saying what, if it never does."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_s, f"never happened: {what}"
        time.sleep(0.05)


def names_of(found: Sequence[Any]) -> list[str]:
    """The names of some messages."""
    return [each["name"] for each in found]
