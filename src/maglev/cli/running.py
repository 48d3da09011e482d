"""Checks the configuration of a daemon that runs, as that daemon reads it: its options, environment, files and user.

What a service was started with is not what its unit says by now: an environment file may have changed since, and only a
restart takes that up. Nor is what it sees what is seen from outside: its unit may hide files, and give it keys.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

_COMMAND, _MODULE = "maglevd", "maglev.cli"
_WITH_VALUE = ("-W", "-X")
"""Options of Python whose value is an argument of its own."""
_CLONE_NEWNS = 0x00020000


def check_running(pid: int) -> NoReturn:
    """Become the daemon's own command line with `check` behind it.

    Root becomes the daemon's user first, and sees the files that the daemon sees.

    Args:
        pid: The daemon's process.

    Raises:
        click.ClickException: There is no such process, it is another user's, or it is no daemon of ours.
    """
    place = Path("/proc") / str(pid)
    try:
        owner = place.stat().st_uid
        if owner != os.geteuid() != 0:
            raise click.ClickException(f"process {pid} is another user's: check as that user, or as root")
        words = _strings(place / "cmdline")
        environment = dict(one.split("=", 1) for one in _strings(place / "environ") if "=" in one)
        if not is_daemon(words):
            raise click.ClickException(f"process {pid} is no {_COMMAND}")
        if owner == os.geteuid():
            os.chdir(place / "cwd")
        else:
            _become_as(place)
    except FileNotFoundError as error:
        raise click.ClickException(f"there is no process {pid}") from error
    except OSError as error:
        raise click.ClickException(f"process {pid} cannot be looked at: {os.strerror(error.errno or 0)}") from error
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(words[0], [*words, "check"], environment)  # noqa: S606  (no shell is wanted)


def is_daemon(words: Sequence[str]) -> bool:
    """Whether a command line is that of `maglevd`: itself, or Python that runs it."""
    rest = list(words)
    if rest and Path(rest[0]).name != _COMMAND:
        del rest[0]
        while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c", "-"):
            del rest[: 2 if rest[0] in _WITH_VALUE else 1]
    return rest[:2] == ["-m", _MODULE] or (bool(rest) and Path(rest[0]).name == _COMMAND)


def _become_as(place: Path) -> None:
    """Take on mounts, directory, groups and user of a process: its words are those of somebody with fewer rights."""
    fields = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
    user, group = int(fields["Uid"].split()[0]), int(fields["Gid"].split()[0])
    directory = (place / "cwd").readlink()
    mounts = os.open(place / "ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(mounts, _CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "its mounts")
    os.chdir(directory)
    os.setgroups([int(number) for number in fields["Groups"].split()])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def _strings(file: Path) -> list[str]:
    return [os.fsdecode(one) for one in file.read_bytes().removesuffix(b"\0").split(b"\0")]
