"""Checks the configuration of a daemon that runs, as that daemon reads it: its options, environment and directory.

What a service was started with is not what its unit says by now: an environment file may have changed since, and only a
restart takes that up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

_COMMAND, _MODULE = "maglevd", "maglev.cli"
_WITH_VALUE = ("-W", "-X")
"""Options of Python whose value is an argument of its own."""


def check_running(pid: int) -> NoReturn:
    """Become the daemon's own command line with `check` behind it.

    Args:
        pid: The daemon's process.

    Raises:
        click.ClickException: There is no such process, it is another user's, or it is no daemon of ours.
    """
    place = Path("/proc") / str(pid)
    try:
        # Its words are run as a program: never those of somebody else.
        if place.stat().st_uid != os.geteuid():
            raise click.ClickException(f"process {pid} is another user's: check as that user")
        words = _strings(place / "cmdline")
        environment = dict(one.split("=", 1) for one in _strings(place / "environ") if "=" in one)
        if not is_daemon(words):
            raise click.ClickException(f"process {pid} is no {_COMMAND}")
        os.chdir(place / "cwd")
    except FileNotFoundError as error:
        raise click.ClickException(f"there is no process {pid}") from error
    except OSError as error:
        raise click.ClickException(f"process {pid} cannot be looked at: {os.strerror(error.errno or 0)}") from error
    _become([*words, "check"], environment)


def is_daemon(words: Sequence[str]) -> bool:
    """Whether a command line is that of `maglevd`: itself, or Python that runs it."""
    rest = list(words)
    if rest and Path(rest[0]).name != _COMMAND:
        del rest[0]
        while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c", "-"):
            del rest[: 2 if rest[0] in _WITH_VALUE else 1]
    return rest[:2] == ["-m", _MODULE] or (bool(rest) and Path(rest[0]).name == _COMMAND)


def _strings(file: Path) -> list[str]:
    return [os.fsdecode(one) for one in file.read_bytes().removesuffix(b"\0").split(b"\0")]


def _become(words: list[str], environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(words[0], words, environment)  # noqa: S606  (no shell is wanted)
