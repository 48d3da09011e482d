"""The demonstration: it runs to its end, its predictions are checked, and it takes commands afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from urllib.request import urlopen

import attrs
import pytest
from rich.console import Console

from maglev.api import (
    BackendEvent,
    BackendState,
    Code,
    Event,
    HealthCheckSnapshot,
    ProbeEvent,
    ProbePhase,
    ProbeResult,
    Transition,
)
from maglev.cli.demo.instructions import instructions
from maglev.cli.demo.predictions import predict_states
from maglev.cli.demo.run import own_addresses
from maglev.cli.demo.scenario import SERVERS, configuration
from maglev.cli.demo.screen import Screen
from maglev.cli.demo.servers import free_port
from maglev.cli.demo.timing import DetectionTimer, detection_bound_s
from maglev.cli.options import Invocation
from maglev.config import FlagValue, FlagValues, load_text
from maglev.library import installed

DEMO = (sys.executable, "-m", "maglev.cli", "demo")
ENVIRONMENT = {**os.environ, "COLUMNS": "80", "MAGLEV_LOAD_PLUGINS": "http"}


def test_once_it_shows_every_step_and_all_predictions_come_true() -> None:
    done = subprocess.run([*DEMO, "--once"], capture_output=True, text=True, timeout=100, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert re.findall(r"^(\d)/8  ", done.stdout, re.MULTILINE) == list("12345678")
    assert "everything went as predicted" in done.stdout
    assert "✗" not in done.stdout
    assert "ams-1 up → down  L4CON: Connection refused" in done.stdout
    assert "up  pool fallback: 1 of 1 up; pool primary: 0 of 3 up" in done.stdout
    assert len(re.findall(r"after its first failing probe began  \(bound: 0\.59 s\)", done.stdout)) == 4
    assert max(map(len, done.stdout.splitlines())) <= 80


class Demo:
    """A demonstration after its last step."""

    def __init__(self, socket: Path) -> None:
        # Between steps it pauses for people to read; nobody does here. Servers come back sooner.
        code = (
            "from importlib import import_module; import_module('maglev.cli.demo.run')._PAUSE_S = 0; "
            "import_module('maglev.cli.demo.servers').BACK_AFTER_S = 3.0; from maglev.cli.__main__ import main; main()"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "--grpc-addr=", f"--grpc-socket={socket}", "demo"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**ENVIRONMENT, "MAGLEV_LOAD_PLUGINS": "http,grpc"},
        )
        self.text = ""
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.url = f"http://{self.until(r'curl (127.0.0.11:[0-9]+)/stop')[1]}"
        self.server = self.until(r"export MAGLEV_SERVER=(\S+)")[1]
        self.maglevc = self.until(r"(\S+maglevc) show")[1]
        self.until("Exporters: ")

    def until(self, pattern: str) -> re.Match[str]:
        """Read on until a line matches."""
        for line in self.out:
            self.text += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"ended without {pattern}:\n{self.text}")

    def get(self, path: str) -> str:
        with urlopen(f"{self.url}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def command(self, words: str) -> subprocess.CompletedProcess[str]:
        """Run `maglevc` as the instructions say."""
        environment = {name: value for name, value in ENVIRONMENT.items() if name != "MAGLEV_LOAD_PLUGINS"}
        environment["MAGLEV_SERVER"] = self.server
        return subprocess.run(
            [self.maglevc, *words.split()], capture_output=True, text=True, timeout=60, env=environment, check=False
        )


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with ExitStack() as stack:
        running = Demo(tmp_path / "grpc.sock")
        stack.callback(running.process.wait, 30)
        stack.callback(running.out.close)
        stack.callback(running.process.kill)
        # A hang must end the test's reading too.
        timer = threading.Timer(100, running.process.kill)
        timer.start()
        stack.callback(timer.cancel)
        yield running


def test_afterwards_servers_can_be_stopped_and_commands_given_until_it_is_interrupted(demo: Demo) -> None:
    assert demo.get("/healthz") == "ams-1\n"
    assert demo.get("/stop") == "ams-1: stopped for 3 s\n"
    demo.until("ams-1 up → down  L4CON")
    demo.until("ams-1 down → up")
    assert demo.get("/hang") == "ams-1: hanging for 3 s\n"
    demo.until("ams-1 up → down  L7TOUT")
    demo.until("ams-1 down → up")
    assert demo.command("set frontend web pool primary backend ams-1 weight 0").returncode == 0
    demo.until("primary/ams-1: weight 100 → 0")
    assert demo.command("set backend fra-1 pause").returncode == 0
    assert re.search(r"fra-1\s+\S+\s+paused", demo.command("show frontend web").stdout)
    refused = demo.command("set backend nobody pause")
    assert (refused.returncode, "nobody" in refused.stderr) == (1, True)
    demo.process.send_signal(signal.SIGINT)
    demo.text += demo.out.read()
    assert demo.process.wait(30) == 0, demo.text


def test_without_the_api_it_says_what_to_install_for_commands() -> None:
    port = free_port(list(SERVERS.values()))
    config = load_text(configuration(port), installed({"MAGLEV_LOAD_PLUGINS": "http"})).config
    told = instructions(config, Path("maglev.yaml"), port)
    assert "  To give commands, install maglevd[grpc,cli], or Debian's package vpp-maglev." in told


def test_its_exporters_meet_no_other_maglevd_unless_they_are_told_to(tmp_path: Path) -> None:
    plugins = installed()
    own = own_addresses(Invocation(plugins), tmp_path / "grpc.sock")
    for name in ("grpc", "prometheus"):
        assert re.fullmatch(r"127\.0\.0\.1:\d+", str(own["exporter", name]["addr"].value))
    assert len({own["exporter", name]["addr"].value for name in ("grpc", "prometheus")}) == 2
    load_text(configuration(80), plugins, flag_values=own)
    given: FlagValues = {("exporter", "grpc"): {"addr": FlagValue("127.0.0.1:9090", "--grpc-addr")}}
    assert own_addresses(Invocation(plugins, flag_values=given), tmp_path)["exporter", "grpc"]["addr"].value == (
        "127.0.0.1:9090"
    )


def test_a_port_that_is_free_on_all_addresses_is_found() -> None:
    assert 1024 <= free_port(list(SERVERS.values())) <= 65535
    with pytest.raises(OSError, match="assign"):
        free_port([IPv4Address("192.0.2.1")])


def test_with_the_primary_pool_down_the_prediction_is_the_fallback() -> None:
    config = load_text(configuration(80), installed()).config
    up = dict.fromkeys(SERVERS, BackendState.UP)
    whole = predict_states(config, up)
    assert (whole["web"].active_pool, whole["web"].table.counts()[SERVERS["fra-1"]]) == ("primary", 0)
    down = predict_states(config, {**dict.fromkeys(SERVERS, BackendState.DOWN), "fra-1": BackendState.UP})
    assert down["web"].active_pool == "fallback"
    assert set(down["web"].table) == {SERVERS["fra-1"]}


def probe(at_s: float, code: Code | None = None) -> ProbeEvent:
    phase = ProbePhase.START if code is None else ProbePhase.DONE
    return ProbeEvent(at_s, "a", phase, None if code is None else ProbeResult(code))


def went_down(at_s: float) -> BackendEvent:
    return BackendEvent(at_s, "a", (), Transition(BackendState.UP, BackendState.DOWN, at_s))


@pytest.mark.parametrize(
    "events, took_s",
    [
        ([probe(1), probe(2, Code.L7TOUT), probe(3), probe(4, Code.L4CON), went_down(4)], 3.0),
        (
            [
                probe(1),
                probe(2, Code.L4CON),
                probe(3),
                probe(4, Code.L7OK),
                probe(5),
                probe(6, Code.L4CON),
                went_down(6),
            ],
            1.0,
        ),
        ([probe(1), probe(2, Code.LAG), probe(3), probe(4, Code.L4CON), went_down(4)], 1.0),
    ],
    ids=["first of a row", "a pass in between", "void results do not count"],
)
def test_the_time_to_detect_counts_from_the_start_of_the_first_failing_probe(
    events: list[Event], took_s: float
) -> None:
    timer = DetectionTimer()
    for event in events:
        timer.add(event)
    assert timer.detected_s == {"a": took_s}


def test_the_bound_is_that_of_the_health_check() -> None:
    check = HealthCheckSnapshot(
        name="web",
        type="http",
        port=80,
        interval_s=2,
        fast_interval_s=0.5,
        down_interval_s=10,
        timeout_s=1,
        rise=2,
        fall=3,
        source_ipv4=None,
        source_ipv6=None,
        params={},
        backends=(),
    )
    assert detection_bound_s(check) == pytest.approx(2 * 1 + 1)
    assert detection_bound_s(attrs.evolve(check, timeout_s=0.1)) == pytest.approx(2 * 0.55 + 0.1)


def test_a_wide_terminal_is_not_used_to_the_full() -> None:
    assert Screen(Console(width=300)).console.width == 80
    assert Screen(Console(width=60)).console.width == 60
