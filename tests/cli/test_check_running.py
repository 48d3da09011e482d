"""`maglevd check --running`: what a daemon uses, not what a look from outside would find."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from maglev.cli.running import check_running, is_daemon

MAGLEVD = (sys.executable, "-m", "maglev.cli")
VALID, INVALID = "maglev: {}", "maglev: 7"
SEMANTIC = "maglev: {backends: {a: {address: 192.0.2.1, healthcheck: none}}}"


def check(pid: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the check in a directory and an environment that are not the daemon's."""
    return subprocess.run(
        [*MAGLEVD, "check", "--running", str(pid)],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], **environment},
    )


def test_the_file_that_the_daemon_was_told_in_its_environment_is_checked(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path], tmp_path: Path
) -> None:
    file = config_file(VALID)
    other = tmp_path / "other.yaml"
    other.write_text(INVALID)
    daemon = maglevd(environment={"MAGLEV_CONFIG": str(file)})
    daemon.until("ready")
    done = check(daemon.process.pid, MAGLEV_CONFIG=str(other))
    assert (done.returncode, done.stdout) == (0, f"{file}: valid: 0 frontends, 0 backends\n")
    for text, status in ((INVALID, 1), (SEMANTIC, 2)):
        file.write_text(text)
        done = check(daemon.process.pid)
        assert done.returncode == status
        assert done.stderr.startswith(f"{file}:1:")


def test_the_file_that_the_daemon_was_told_in_an_option_is_checked(
    maglevd: Callable[..., Any], config_file: Callable[[str], Path]
) -> None:
    # Relative to where the daemon was started, and written with the one dash of the original.
    file = os.path.relpath(config_file(VALID))
    daemon = maglevd("-config", file)
    daemon.until("ready")
    done = check(daemon.process.pid, MAGLEV_CONFIG="/nowhere")
    assert (done.returncode, done.stdout) == (0, f"{file}: valid: 0 frontends, 0 backends\n")


def test_the_plugins_of_the_daemon_count(maglevd: Callable[..., Any], config_file: Callable[[str], Path]) -> None:
    daemon = maglevd("--config", config_file(VALID), environment={"MAGLEV_LOAD_PLUGINS": ""})
    daemon.until("ready")
    Path(config_file("maglev: {healthchecks: {a: {type: http, port: 80}}}"))
    done = check(daemon.process.pid)
    assert done.returncode == 2
    assert "http" in done.stderr


def test_another_program_is_not_run() -> None:
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        done = check(sleeper.pid)
        sleeper.kill()
    assert (done.returncode, done.stderr) == (1, f"Error: process {sleeper.pid} is no maglevd\n")


def test_a_process_that_is_gone_is_named() -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    done = check(gone.pid)
    assert (done.returncode, done.stderr) == (1, f"Error: there is no process {gone.pid}\n")


def test_another_users_process_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(click.ClickException, match="another user's"):
        check_running(os.getpid())


def test_a_file_and_a_process_exclude_each_other() -> None:
    done = subprocess.run([*MAGLEVD, "check", "--running", "1", "x.yaml"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "exclude each other" in done.stderr


@pytest.mark.parametrize(
    "words,known",
    [
        (["/usr/sbin/maglevd", "--observe"], True),
        (["/usr/bin/python3", "/usr/sbin/maglevd"], True),
        (
            [
                "/usr/bin/python3.11",
                "-I",
                "-X",
                "dev",
                "-Wdefault",
                "-W",
                "error",
                "/opt/m/bin/maglevd",
                "-config",
                "x",
            ],
            True,
        ),
        (["python3", "-m", "maglev.cli"], True),
        (["python3", "-P", "-m", "maglev.cli", "--config", "x"], True),
        (["python3", "-m", "http.server", "/x/maglevd"], False),
        (["python3", "-c", "maglevd"], False),
        (["sleep", "maglevd-not"], False),
        (["/usr/sbin/maglevd-frontend"], False),
        (["python3"], False),
        ([""], False),
        ([], False),
    ],
)
def test_command_lines_of_the_daemon_are_known(words: list[str], known: bool) -> None:
    assert is_daemon(words) is known
