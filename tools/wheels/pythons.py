"""Finds the Pythons of this machine that maglevd supports."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OLDEST = (3, 11)
_NEWEST_LOOKED_FOR = 19
_TELL = "import sys, ensurepip; print(*sys.version_info[:2])"


@cache
def pythons() -> dict[tuple[int, int], Path]:
    """Return the interpreters found, by version, the oldest first: those on the path, and those of pyenv."""
    found: dict[tuple[int, int], Path] = {}
    for path in _candidates():
        version = _version(path)
        if version is not None and version >= OLDEST:
            found.setdefault(version, path)
    return dict(sorted(found.items()))


def _candidates() -> Iterator[Path]:
    names = ("python3", *(f"python3.{minor}" for minor in range(OLDEST[1], _NEWEST_LOOKED_FOR)))
    yield from (Path(path) for name in names if (path := shutil.which(name)))
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip()
        yield from sorted(Path(root).glob("versions/3.*/bin/python3"))


def _version(path: Path) -> tuple[int, int] | None:
    """Ask an interpreter, which may be a link to none."""
    done = subprocess.run([path, "-c", _TELL], capture_output=True, text=True, check=False)
    try:
        major, minor = map(int, done.stdout.split())
    except ValueError:
        return None
    return major, minor
