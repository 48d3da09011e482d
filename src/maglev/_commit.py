"""Reads the commit of a checkout. Imports only the standard library: the build hook runs it before any installation."""

from __future__ import annotations

import subprocess
from pathlib import Path

UNKNOWN = "unknown"
_TIMEOUT_S = 5.0


def commit_and_date(root: Path) -> tuple[str, str]:
    """Name the commit that is checked out, and when it was made.

    Args:
        root: The root of a checkout; a folder that is none, or whose git says nothing, gives `unknown` twice.

    Returns:
        The short commit, with `-dirty` behind it where files were changed since, and the date as ISO 8601.
    """
    if not (root / ".git").exists():
        return UNKNOWN, UNKNOWN
    commit = _git(root, "describe", "--always", "--dirty", "--exclude=*")
    return commit, _git(root, "log", "-1", "--format=%cI") if commit != UNKNOWN else UNKNOWN


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            ["git", "-C", str(root), *words],  # noqa: S607 - wherever git is installed
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return done.stdout.strip() or UNKNOWN
