"""Tells the build: version, commit and date.

A wheel or source distribution carries commit and date in `maglev/_build.py`, written when it was built. A checkout asks
git. Anything else does not know.
"""

from __future__ import annotations

import functools
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attrs

from maglev._commit import UNKNOWN, commit_and_date


@attrs.frozen
class Build:
    """One build of the project.

    Args:
        version: Of the core's distribution.
        commit: The short commit, with `-dirty` behind it where files were changed since; `unknown` if not known.
        date: When that commit was made, ISO 8601; `unknown` if not known.
    """

    version: str
    commit: str = UNKNOWN
    date: str = UNKNOWN

    def __str__(self) -> str:
        return f"{self.version} (commit {self.commit}, {self.date})"


@functools.cache
def this_build() -> Build:
    """Tell which build is running. May run git once, so call it before an event loop starts."""
    try:
        number = version("maglevd")
    except PackageNotFoundError:
        number = UNKNOWN
    try:
        written = import_module("maglev._build")
    except ModuleNotFoundError:
        return Build(number, *commit_and_date(Path(__file__).resolve().parents[2]))
    return Build(number, written.COMMIT, written.DATE)
