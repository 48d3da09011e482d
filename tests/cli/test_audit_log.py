"""The audit record of the daemon has a stream of its own, and no log level ends it."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def is_of_a_hangup(record: dict[str, Any]) -> bool:
    return (record["command"], record["who"], record["why"], record["outcome"]) == (
        "ReloadConfig",
        "maglevd",
        "SIGHUP",
        "refused",
    )


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager: with a log that says little, only it is told that the daemon is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30)
        yield sock


@pytest.mark.parametrize("level", ["warning", "error"])
def test_it_is_in_the_log_whatever_the_level(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], manager: socket.socket, level: str
) -> None:
    file = config_file("maglev: {}")
    daemon = maglevd("--config", file, "--log-level", level, environment={"NOTIFY_SOCKET": manager.getsockname()})
    assert manager.recv(4096).startswith(b"READY=1")
    file.write_text("maglev: 7")
    daemon.signal(signal.SIGHUP)
    assert is_of_a_hangup(daemon.until("audit")[-1])
    assert daemon.stop() == 0


def test_in_a_file_of_its_own_it_is_not_in_the_log(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], tmp_path: Path
) -> None:
    file, audit = config_file("maglev: {}"), tmp_path / "audit.json"
    daemon = maglevd("--config", file, environment={"MAGLEV_AUDIT_LOG": str(audit)})
    daemon.until("ready")
    file.write_text("maglev: 7")
    daemon.signal(signal.SIGHUP)
    daemon.until("reload-refused")
    assert daemon.stop() == 0
    assert [is_of_a_hangup(json.loads(line)) for line in audit.read_text().splitlines()] == [True]
    assert "audit" not in [record["event"] for record in daemon.seen]


def test_without_the_stream_that_was_asked_for_it_does_not_start(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], tmp_path: Path
) -> None:
    daemon = maglevd("--config", config_file("maglev: {}"), "--audit-log", tmp_path / "none" / "audit.json")
    assert daemon.ended() == 1
    (said,) = daemon.seen
    assert said["text"].startswith(f"maglevd: --audit-log {tmp_path}/none/audit.json: No such file")
