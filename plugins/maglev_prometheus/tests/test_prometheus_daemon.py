"""A real maglevd, scraped by a real Prometheus."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

PATIENCE_S = 60.0
USER, PASSWORD = "prometheus", "a secret"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def until(condition: Callable[[], Any], what: Callable[[], str]) -> Any:
    """Wait until something holds; fail, saying what was there instead, if it never does."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail(what())


@contextlib.contextmanager
def process(
    arguments: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; it is gone at the end."""
    with (
        log.open("wb") as output,
        subprocess.Popen(arguments, stdout=output, stderr=output, env=environment) as running,
    ):
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                running.kill()


@pytest.fixture
def served() -> Iterator[int]:
    """A port that can be connected to."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
        yield sock.getsockname()[1]


class Daemon:
    """A maglevd with two frontends, its certificate and its password."""

    def __init__(self, folder: Path, served: int) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "maglev.yaml"
        self.log = folder / "maglevd.log"
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(folder / "tls.crt")
        issued.private_key_pem.write_to_path(folder / "tls.key")
        authority.cert_pem.write_to_path(folder / "ca.crt")
        self.tls = ssl.create_default_context(cafile=folder / "ca.crt")
        self.reload: Callable[[], None]
        self._served = served
        self.write(["web", "api"])

    def write(self, frontends: list[str]) -> None:
        """Write a configuration with these frontends."""
        pools = [{"name": "primary", "backends": {"probed": {}, "static": {"weight": 50}}}]
        settings = {"cert": "tls.crt", "key": "tls.key"}
        maglev = {
            "dataplane": "memory",
            "vpp": {"lb": {"startup-min-delay": 0, "startup-max-delay": 0}},
            "exporters": {
                "prometheus": {
                    **{key: str(self.folder / file) for key, file in settings.items()},
                    "user": USER,
                    "password": PASSWORD,
                }
            },
            "healthchecks": {"port": {"type": "tcp", "port": self._served, "interval": "100ms", "timeout": "50ms"}},
            "backends": {
                "probed": {"address": "127.0.0.1", "healthcheck": "port"},
                "static": {"address": "127.0.0.2"},
            },
            "frontends": {
                name: {"address": f"192.0.2.{number}", "protocol": "tcp", "port": 80, "pools": pools}
                for number, name in enumerate(["web", "api"])
                if name in frontends
            },
        }
        self.config.write_text(yaml.safe_dump({"maglev": maglev}))

    @property
    def command(self) -> list[str]:
        addr = f"127.0.0.1:{self.port}"
        return [
            *(sys.executable, "-m", "maglev.cli", "--config", str(self.config), "--state-dir", ""),
            *("--metrics-addr", addr, "--log-format", "json"),
        ]

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAGLEV_")}
        return {**inherited, "MAGLEV_LOAD_PLUGINS": "tcp,prometheus"}

    def get(self, path: str, accept: str = "") -> str:
        """Ask for a page; empty if there is no answer yet."""
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", headers={"Accept": accept})
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {pair}")
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=PATIENCE_S) as response:
                body: bytes = response.read()
                return body.decode()
        except (urllib.error.URLError, ConnectionError):  # it starts
            return ""


@pytest.fixture
def daemon(tmp_path: Path, served: int) -> Iterator[Daemon]:
    """A daemon that is ready."""
    made = Daemon(tmp_path, served)
    with process(made.command, made.log, made.environment) as running:
        made.reload = lambda: running.send_signal(signal.SIGHUP)
        until(lambda: made.get("/readyz") == "ready\n", made.log.read_text)
        yield made


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text;version=1.0.0"])
def test_promtool_finds_nothing_to_complain_of(daemon: Daemon, accept: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool (Debian's package prometheus)")
    until(lambda: "maglev_probe_total{" in daemon.get("/metrics"), daemon.log.read_text)
    text = daemon.get("/metrics", accept)
    if accept.startswith("application"):
        assert text.endswith("# EOF\n")
        return  # promtool 2.42 reads the text format alone; Prometheus below reads OpenMetrics
    ran = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


class Prometheus:
    """A Prometheus that scrapes one target every half second."""

    def __init__(self, folder: Path, daemon: Daemon) -> None:
        self.port = free_port()
        self.log = folder / "prometheus.log"
        self.folder = folder
        scrape = {
            "job_name": "maglevd",
            "scheme": "https",
            "tls_config": {"ca_file": str(folder / "ca.crt")},
            "basic_auth": {"username": USER, "password": PASSWORD},
            "static_configs": [{"targets": [f"127.0.0.1:{daemon.port}"]}],
        }
        rules = Path(__file__).parents[3] / "contrib/prometheus/maglev.rules.yml"
        config = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(rules)],
            "scrape_configs": [scrape],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def command(self, program: str) -> list[str]:
        return [
            program,
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def ask(self, path: str, **query: str) -> Any:
        """Ask the API; `None` if there is no answer yet."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
                return json.load(response)["data"]
        except (urllib.error.URLError, ConnectionError):  # it starts
            return None

    def query(self, expression: str) -> list[dict[str, str]]:
        """The labels of what an expression finds."""
        found = self.ask("query", query=expression)
        return [each["metric"] for each in found["result"]] if found else []


@pytest.fixture
def prometheus(tmp_path: Path, daemon: Daemon) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the daemon."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("there is no prometheus (Debian's package prometheus)")
    made = Prometheus(tmp_path, daemon)
    with process(made.command(program), made.log):
        until(lambda: made.query('up{job="maglevd"} == 1'), made.log.read_text)
        yield made


def test_prometheus_scrapes_without_complaint_and_forgets_what_a_reload_removed(
    daemon: Daemon, prometheus: Prometheus
) -> None:
    def frontends() -> set[str]:
        return {found["frontend"] for found in prometheus.query('maglev_frontend_state{state="up"} == 1')}

    until(lambda: frontends() == {"web", "api"}, prometheus.log.read_text)
    until(lambda: prometheus.query("instance_frontend:maglev_serving:count == 2"), prometheus.log.read_text)
    until(lambda: prometheus.query("rate(maglev_probe_total[10s]) > 0"), prometheus.log.read_text)
    kinds = {about["metric"]: about["type"] for about in prometheus.ask("targets/metadata")}
    assert kinds["maglev_probe"] == "counter"
    assert kinds["maglev_probe_duration_seconds"] == "histogram"
    assert kinds["maglev_vpp"] == "info"
    daemon.write(["web"])
    daemon.reload()
    until(lambda: frontends() == {"web"}, prometheus.log.read_text)
    (target,) = prometheus.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    said = prometheus.log.read_text().splitlines()
    assert [line for line in said if "level=warn" in line or "level=error" in line] == []
    assert "Traceback" not in daemon.log.read_text()
