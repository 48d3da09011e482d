"""Notices that the code on disk is no longer the code that runs: an upgrade, and the daemon was not started again.

A reload reads the configuration in another process, which would import the new code, and hand values of new classes to
the old ones here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

import attrs

_CORE = "maglev"

Stamp = tuple[int, int, int] | None
"""Inode, size and time of the last change of a file; `None` if it is not there."""


@attrs.define(eq=False)
class RunningCode:
    """The files that the running code came from, as they were on disk when it was noted.

    Args:
        files: Their stamps, by path.
    """

    files: Mapping[str, Stamp] = attrs.field(factory=dict, repr=False)

    def note(self, packages: Iterable[str] = ()) -> None:
        """Look at the files of all modules that are loaded now of this program and its plugins. Blocks.

        Args:
            packages: The plugins' import packages.
        """
        wanted = {_CORE, *packages}
        files = {
            str(path)
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] in wanted and (path := getattr(module, "__file__", None))
        }
        self.files = {path: _stamp(path) for path in files}

    def changed(self) -> tuple[str, ...]:
        """Return the files that are not as they were, sorted. Blocks."""
        return tuple(sorted(path for path, stamp in self.files.items() if _stamp(path) != stamp))


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - one call a file, for some hundreds
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
