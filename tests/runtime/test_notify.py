"""Messages to the service manager, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from maglev.runtime.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def told(manager: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())


def test_each_step_of_a_life_is_told(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname())
    notifier.ready("2 frontends")
    notifier.reloading()
    notifier.alive()
    notifier.stopping()
    assert told(manager) == {"READY": "1", "STATUS": "2 frontends"}
    reloading = told(manager)
    assert reloading["RELOADING"] == "1"
    assert reloading["MONOTONIC_USEC"].isdigit()
    assert told(manager) == {"WATCHDOG": "1"}
    assert told(manager) == {"STOPPING": "1"}


def test_an_abstract_socket_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0maglev-test-{os.getpid()}")
        sock.settimeout(5)
        Notifier(f"@maglev-test-{os.getpid()}").alive()
        assert told(sock) == {"WATCHDOG": "1"}


def test_without_a_manager_nothing_happens() -> None:
    Notifier().ready("")


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "nowhere")).ready("")


def test_a_manager_that_does_not_read_does_not_stop_us(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname())
    for _ in range(10_000):
        notifier.alive()
    assert told(manager) == {"WATCHDOG": "1"}


@pytest.mark.parametrize(
    "environ, wanted",
    [
        ({}, Notifier()),
        ({"NOTIFY_SOCKET": "/run/x"}, Notifier("/run/x")),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000"}, Notifier("@x", 30.0)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, Notifier("", 30.0)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, Notifier()),
        ({"WATCHDOG_USEC": "soon"}, Notifier()),
        ({"WATCHDOG_USEC": "0"}, Notifier()),
    ],
)
def test_the_environment_says_who_and_how_often(environ: dict[str, str], wanted: Notifier) -> None:
    assert Notifier.from_environment(environ) == wanted
