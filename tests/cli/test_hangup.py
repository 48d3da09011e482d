"""SIGHUP reloads, whoever of the daemon's processes gets it and whenever it comes, and ends none of them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HUNG_UP = (sys.executable, str(Path(__file__).with_name("hung_up.py")))


def test_sent_to_the_whole_process_group_it_reloads_each_time(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path]
) -> None:
    daemon = maglevd("--config", config_file("maglev: {}"))
    daemon.until("ready")
    for _ in range(4):
        daemon.signal_group(signal.SIGHUP)
        daemon.until("reloaded")
    assert daemon.stop() == 0
    assert "reload-refused" not in [record["event"] for record in daemon.seen]


def test_processes_that_the_daemon_starts_do_not_hear_it_from_their_birth(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path]
) -> None:
    daemon = maglevd("--config", config_file("maglev: {}"))
    daemon.until("ready")
    daemon.signal(signal.SIGHUP)
    daemon.until("reloaded")
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
    for child in children:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
        assert int(status["SigBlk"], 16) & 1 << (signal.SIGHUP - 1)
    assert daemon.stop() == 0


def test_before_there_is_a_handler_it_waits(maglevd: Callable[..., Any], config_file: Callable[[str], Path]) -> None:
    daemon = maglevd("--config", config_file("maglev: {}"), program=HUNG_UP)
    daemon.until("reloaded")
    assert daemon.stop() == 0


def test_while_the_daemon_ends_it_changes_nothing(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path]
) -> None:
    daemon = maglevd("--config", config_file("maglev: {}"))
    daemon.until("ready")
    daemon.signal(signal.SIGTERM)
    while daemon.process.poll() is None:
        daemon.signal(signal.SIGHUP)
    assert daemon.ended() == 0
