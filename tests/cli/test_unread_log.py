"""A log that nobody reads: standard error is a pipe that is full, and nothing waits for it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from maglev.cli.demo.servers import free_port
from tests.cli.conftest import MAGLEVD, PATIENCE_S

SERVER = IPv4Address("127.0.0.51")
CONFIG = """\
maglev:
  healthchecks: {{web: {{type: http, port: {port}, params: {{path: /}}, interval: 50ms, timeout: 40ms, fall: 2}}}}
  backends: {{one: {{address: {server}, healthcheck: web}}}}
  frontends:
    site: {{address: 192.0.2.80, protocol: tcp, port: 80, pools: [{{name: primary, backends: {{one: {{}}}}}}]}}
"""


class FullPipe:
    """A pipe that takes nothing until it is read."""

    def __init__(self) -> None:
        self.source, self.target = os.pipe()
        fcntl.fcntl(self.target, fcntl.F_SETPIPE_SZ, 4096)
        os.write(self.target, b"\n" * fcntl.fcntl(self.target, fcntl.F_GETPIPE_SZ))


@pytest.fixture
def pipe() -> Iterator[FullPipe]:
    one = FullPipe()
    yield one
    os.close(one.source)


@pytest.fixture
def start(pipe: FullPipe) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: object, plugins: str = "http", program: tuple[str, ...] = MAGLEVD) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "MAGLEV_LOAD_PLUGINS": plugins}
        command = [*program, "--state-dir", "", "--log-level", "debug", *map(str, arguments)]
        started.append(subprocess.Popen(command, stderr=pipe.target, env=environment))
        os.close(pipe.target)
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait(PATIENCE_S)


def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def test_probes_the_api_and_the_end_wait_for_nobody(
    start: Callable[..., subprocess.Popen[bytes]],
    web_servers: Callable[..., list[Any]],
    config_file: Callable[[str], Path],
) -> None:
    port, api = free_port([SERVER]), f"127.0.0.1:{free_port([IPv4Address('127.0.0.1')])}"
    file = config_file(CONFIG.format(port=port, server=SERVER))
    (server,) = web_servers(SERVER, port=port)
    daemon = start("--config", file, "--grpc-addr", api, plugins="http,grpc")
    until(lambda: server.requests > 20)
    server.kill()

    def state() -> str:
        asked = [sys.executable, "-m", "maglev_cli", "--server", api, "--output", "json", "show", "backend", "one"]
        done = subprocess.run(asked, capture_output=True, check=False, timeout=PATIENCE_S)
        return str(json.loads(done.stdout)["state"]) if done.returncode == 0 else done.stderr.decode()

    until(lambda: state() == "BACKEND_STATE_DOWN")
    daemon.terminate()
    assert daemon.wait(PATIENCE_S) == 0


def test_what_waited_is_there_when_somebody_reads(
    start: Callable[..., subprocess.Popen[bytes]], pipe: FullPipe, config_file: Callable[[str], Path]
) -> None:
    daemon = start("--config", config_file("maglev: {}"))
    with os.fdopen(os.dup(pipe.source), "rb") as lines:
        for line in lines:
            if line.strip() and json.loads(line)["event"] == "ready":
                break
        daemon.terminate()
        assert json.loads(lines.readlines()[-1])["event"] == "stopped"
    assert daemon.wait(PATIENCE_S) == 0


NOISY = (sys.executable, str(Path(__file__).with_name("noisy.py")))


def test_what_others_write_to_standard_error_waits_for_nobody_either(
    start: Callable[..., subprocess.Popen[bytes]], config_file: Callable[[str], Path], tmp_path: Path
) -> None:
    daemon = start("--config", config_file("maglev: {}"), program=(*NOISY, str(tmp_path / "done")))
    until((tmp_path / "done").exists)
    daemon.terminate()
    assert daemon.wait(PATIENCE_S) == 0


def test_what_others_write_to_standard_error_is_a_record_without_a_character_that_acts(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], tmp_path: Path
) -> None:
    program = (*NOISY, str(tmp_path / "done"))
    daemon = maglevd("--config", config_file("maglev: {}"), "--log-level", "error", program=program)
    said = daemon.until("noise \x1b[2J 0", logger="stderr", level="warning")
    assert said
    assert daemon.stop() == 0
    assert all("text" not in record for record in daemon.seen), "each line is JSON"
