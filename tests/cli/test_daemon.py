"""The daemon as an operator meets it: a process, a file, signals, and real servers that die."""

from __future__ import annotations

import re
import resource
import signal
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from maglev.cli.demo.servers import free_port
from tests.cli.conftest import MAGLEVD

EXAMPLE = Path(__file__).parents[2] / "examples" / "loopback.yaml"
AMS1, AMS2, FRA1, SPARE = map(IPv4Address, ("127.0.0.31", "127.0.0.32", "127.0.0.41", "127.0.0.42"))
STATES = ("backend", "frontend", "weight")


def example(port: int) -> str:
    """The example with servers on another port, and without exporters: none is loaded here."""
    text = re.sub(r"  exporters:.*?(?=  healthchecks:)", "", EXAMPLE.read_text(), flags=re.DOTALL)
    return text.replace("18081", str(port))


class Site:
    """The example's daemon with its three servers, all up, and its configuration file."""

    def __init__(self, daemon: Any, servers: dict[str, Any], file: Path) -> None:
        self.daemon = daemon
        self.servers = servers
        self.file = file

    def rewrite(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))
        self.daemon.signal(signal.SIGHUP)


@pytest.fixture
def port() -> int:
    return free_port([AMS1, AMS2, FRA1, SPARE])


@pytest.fixture
def site(
    maglevd: Callable[..., Any],
    web_servers: Callable[..., list[Any]],
    config_file: Callable[[str], Path],
    port: int,
) -> Site:
    servers = dict(zip(("ams-1", "ams-2", "fra-1"), web_servers(AMS1, AMS2, FRA1, port=port), strict=True))
    file = config_file(example(port))
    daemon = maglevd("--config", file)
    until_settled(daemon)
    return Site(daemon, servers, file)


def until_settled(daemon: Any) -> None:
    """Read on until all three servers are up and the dataplane has their weights."""
    up: set[str] = set()
    wanted: dict[str, int] = {}
    written: dict[str, int] = {}
    while len(up) < 3 or written != {"ams-1": 100, "ams-2": 50}:
        record = daemon.next()
        assert record is not None, daemon.seen
        if record["event"] == "backend":
            up.add(record["backend"])
        elif record["event"] == "weight":
            wanted[record["backend"]] = record["weight"]
        elif record["event"] == "synced":
            written = {backend: weight for backend, weight in wanted.items() if weight}


def of(records: list[dict[str, Any]], *events: str) -> list[tuple[Any, ...]]:
    """The records of some names as tuples: backend with states, frontend with why, or backend with weights."""
    shapes: dict[str, Callable[[dict[str, Any]], tuple[Any, ...]]] = {
        "backend": lambda r: (r["backend"], r["from"], r["to"]),
        "frontend": lambda r: (r["frontend"], r["to"], r["why"]),
        "weight": lambda r: (r["pool"], r["backend"], r["previous"], r["weight"]),
    }
    return [shapes[record["event"]](record) for record in records if record["event"] in events]


def test_killing_a_server_moves_its_weight_to_zero_and_says_why(site: Site) -> None:
    site.servers["ams-1"].kill()
    records = site.daemon.until("synced", operations={"set-weight": 1})
    assert of(records, *STATES) == [("ams-1", "up", "down"), ("primary", "ams-1", 100, 0)]
    (weight,) = [record for record in records if record["event"] == "weight"]
    assert weight["reason"].endswith("L4CON: Connection refused")


def test_killing_the_whole_primary_pool_activates_the_fallback(site: Site) -> None:
    for name in ("ams-1", "ams-2"):
        site.servers[name].kill()
    records = site.daemon.until("weight", backend="fra-1", weight=100)
    assert ("site", "up", "pool fallback: 1 of 1 up; pool primary: 0 of 2 up") in of(records, "frontend")
    last = {record["backend"]: record["weight"] for record in records if record["event"] == "weight"}
    assert last == {"ams-1": 0, "ams-2": 0, "fra-1": 100}
    site.daemon.until("synced")


def test_a_broken_file_is_refused_whole_and_the_old_configuration_stays(site: Site) -> None:
    site.rewrite("weight: 50", "weight: 500")
    refusal = site.daemon.until("reload-refused")[-1]
    assert f"{site.file}:" in refusal["why"]
    assert "pools[0].backends.ams-2.weight: 500" in refusal["why"]
    site.file.write_text("maglev: [")
    site.daemon.signal(signal.SIGHUP)
    refusal = site.daemon.until("reload-refused")[-1]
    assert refusal["level"] == "error"
    # It still knows what it knew.
    site.servers["ams-2"].kill()
    records = site.daemon.until("weight", backend="ams-2")
    assert (records[-1]["previous"], records[-1]["weight"]) == (50, 0)
    assert site.daemon.stop() == 0


def test_another_address_for_one_backend_restarts_that_probe_only(
    site: Site, web_servers: Callable[..., list[Any]], port: int
) -> None:
    web_servers(SPARE, port=port)
    site.rewrite(str(AMS2), str(SPARE))
    records = site.daemon.until("backend", backend="ams-2", to="up")
    assert of(records, "backend") == [("ams-2", "up", "removed"), ("ams-2", "unknown", "up")]
    assert {record["backend"] for record in records if record["event"] == "weight"} <= {"ams-2"}
    site.daemon.until("weight", backend="ams-2", weight=50)
    # The old one is left in peace, the others are probed as before.
    before = {name: server.requests for name, server in site.servers.items()}
    site.servers["ams-1"].kill()
    site.daemon.until("backend", backend="ams-1", to="down")
    while site.servers["fra-1"].requests == before["fra-1"]:
        time.sleep(0.02)
    assert site.servers["ams-2"].requests == before["ams-2"]


def test_another_interval_moves_no_state_and_no_weight(site: Site) -> None:
    site.rewrite("interval: 1s ", "interval: 700ms ")
    records = site.daemon.until("reloaded")
    # What comes next is the next thing that really happens.
    site.servers["ams-1"].kill()
    records += site.daemon.until("weight")
    assert of(records, *STATES) == [("ams-1", "up", "down"), ("primary", "ams-1", 100, 0)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_exits_with_status_zero_and_writes_nothing(site: Site, number: signal.Signals) -> None:
    site.daemon.signal(number)
    assert site.daemon.ended() == 0
    names = [record["event"] for record in site.daemon.seen]
    assert "synced" not in names[names.index("stopping") :]
    assert names[-1] == "stopped"


@pytest.mark.parametrize(
    "text, status",
    [
        ("maglev: [", 1),
        ("maglev: {healthcheks: {}}", 1),
        ("maglev: {backends: {a: {address: 192.0.2.1, healthcheck: x}}}", 2),
    ],
)
def test_a_daemon_does_not_start_with_a_bad_file(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], text: str, status: int
) -> None:
    file = config_file(text)
    daemon = maglevd("--config", file)
    assert daemon.ended() == status
    assert [record["event"] for record in daemon.seen] == ["config-invalid"]
    assert str(file) in daemon.seen[0]["problem"]


def test_observing_writes_nothing(
    maglevd: Callable[..., Any], web_servers: Callable[..., list[Any]], config_file: Callable[[str], Path], port: int
) -> None:
    web_servers(AMS1, AMS2, FRA1, port=port)
    daemon = maglevd("-config", config_file(example(port)), "-observe")
    assert daemon.until("started")[-1]["observe"] is True
    daemon.until("weight", weight=100)
    assert daemon.stop() == 0
    assert "synced" not in [record["event"] for record in daemon.seen]
    assert (
        next(record["operation"] for record in daemon.seen if record["event"] == "would-write")
        == "add-vip 192.0.2.80:80/tcp"
    )


def test_the_environment_names_the_file_and_a_flag_wins_over_it(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], tmp_path: Path
) -> None:
    file = config_file("maglev: {}")
    named = maglevd(environment={"MAGLEV_CONFIG": str(file), "MAGLEV_LOG_LEVEL": "info"})
    assert named.until("started")[-1]["config"] == str(file)
    assert named.stop() == 0
    flagged = maglevd(f"-config={file}", environment={"MAGLEV_CONFIG": str(tmp_path / "no.yaml")})
    assert flagged.until("ready")
    assert flagged.stop() == 0


@pytest.mark.parametrize("soft,hard,raised", [(256, 4096, 4096), (4096, 4096, 4096)])
def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one_and_that_is_logged(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], soft: int, hard: int, raised: int
) -> None:
    program = ("prlimit", f"--nofile={soft}:{hard}", *MAGLEVD)
    daemon = maglevd("--config", config_file("maglev: {}"), program=program)
    said = daemon.until("descriptors")[-1]
    assert (said["was"], said["limit"]) == (soft, raised)
    assert resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE) == (raised, hard)
    assert daemon.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_what_log_rotation_sends_ends_nothing(site: Site, number: signal.Signals) -> None:
    site.daemon.signal(number)
    assert site.daemon.until("signal-ignored")[-1]["signal"] == number.name
    site.daemon.signal(signal.SIGHUP)
    site.daemon.until("reloaded")
    assert site.daemon.stop() == 0
