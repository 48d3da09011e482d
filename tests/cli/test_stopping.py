"""The daemon stops in order, and tells the service manager."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

IMPATIENT = (
    sys.executable,
    "-c",
    "from maglev.config import loader; loader.READ_WITHIN_S = 0.5\nfrom maglev.cli.__main__ import main\nmain()",
)
UNCANCELLABLE = (sys.executable, str(Path(__file__).with_name("uncancellable.py")))


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30)
        yield sock


def next_message(manager: socket.socket) -> str:
    """The next message, without those for the watchdog and those that only tell how it is."""
    while (first := manager.recv(4096).decode().split("\n")[0]).startswith(("WATCHDOG=", "STATUS=")):
        pass
    return first


def test_the_service_manager_is_notified_of_start_reload_and_stop(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], manager: socket.socket
) -> None:
    file = config_file("maglev: {}")
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "60000"}
    daemon = maglevd("--config", file, environment=environment)
    assert next_message(manager) == "READY=1"
    daemon.signal(signal.SIGHUP)
    assert [next_message(manager), next_message(manager)] == ["RELOADING=1", "READY=1"]
    file.write_text("maglev: 7")
    daemon.signal(signal.SIGHUP)
    assert [next_message(manager), next_message(manager)] == ["RELOADING=1", "READY=1"]
    # Nothing is due in an idle daemon, and its watchdog is fed all the same.
    while (message := manager.recv(4096)) != b"WATCHDOG=1":
        assert message.startswith(b"STATUS=0 frontends, 0 backends; the last reload was refused: ")
    daemon.signal(signal.SIGTERM)
    assert next_message(manager) == "STOPPING=1"
    assert daemon.ended() == 0


def test_a_reload_that_is_refused_since_its_file_does_not_answer_ends_in_ready_too(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], manager: socket.socket
) -> None:
    file = config_file("maglev: {}")
    daemon = maglevd("--config", file, environment={"NOTIFY_SOCKET": manager.getsockname()}, program=IMPATIENT)
    assert next_message(manager) == "READY=1"
    file.unlink()
    os.mkfifo(file)
    daemon.signal(signal.SIGHUP)
    assert [next_message(manager), next_message(manager)] == ["RELOADING=1", "READY=1"]
    assert "does not answer" in daemon.until("reload-refused")[-1]["why"]
    assert daemon.stop() == 0


def test_a_second_interrupt_ends_it_at_once(maglevd: Callable[..., Any], config_file: Callable[[str], Path]) -> None:
    daemon = maglevd("--config", config_file("maglev: {}"), environment={"DEADLINE_S": "1000"}, program=UNCANCELLABLE)
    daemon.until("ready")
    daemon.signal(signal.SIGINT)
    daemon.until("stopping")
    daemon.signal(signal.SIGINT)
    assert daemon.ended() == -signal.SIGINT


def test_what_does_not_stop_does_not_keep_it_from_ending(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path]
) -> None:
    daemon = maglevd("--config", config_file("maglev: {}"), environment={"DEADLINE_S": "0.2"}, program=UNCANCELLABLE)
    daemon.until("ready")
    assert daemon.stop() == 0
    assert daemon.seen[-1]["event"] == "stopped-by-deadline"
