"""Hatchling's hook for a distribution with a command: its wheel gets manual pages and completions, in `share/`.

They are made from the code by `make man`, which needs everything installed, and so before and not by a build. A build
without them goes on: what is installed works, and only lacks its pages. A source distribution has them in `share/`.

Distributions bear this file, by a link; those with a hook of their own run it from there. The names of their pages
stand in `pyproject.toml`, as `share` of the hook.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def own_files(names: Sequence[str]) -> re.Pattern[str]:
    """Return what the names of files match, without folders, that belong to some commands."""
    return re.compile(rf"_?({'|'.join(map(re.escape, names))})(\.fish|\.[1-9])?")


def add_share(root: Path, target: str, names: Sequence[str], build_data: dict[str, Any]) -> None:
    """Have the files of some commands included in what is built.

    Args:
        root: The folder of the distribution.
        target: `wheel` or `sdist`.
        names: The commands, and files with a manual page.
        build_data: What hatchling is to include; added to.
    """
    own = own_files(names)
    for folder in (root / "share", root / "build/share", root / "../../build/share"):
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and own.fullmatch(path.name)]
        if files:
            places = {str(path): f"share/{path.relative_to(folder)}" for path in files}
            build_data["shared_data" if target == "wheel" else "force_include"].update(places)
            return


class ShareHook(BuildHookInterface[Any]):
    """Adds the files to what is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Have them included, but not by an editable install: they would be old after the next change."""
        if version != "editable":
            add_share(Path(self.root), self.target_name, self.config["share"], build_data)
