"""Hatchling's hook for the core: what is built remembers its commit, in `maglev/_build.py`, and has its manual pages.

A checkout that is installed editable gets no such files, since they would be old after the next commit. A wheel that is
built from a source distribution takes those that lie in it.
"""

from __future__ import annotations

import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_INSIDE = {"wheel": "maglev/_build.py", "sdist": "src/maglev/_build.py"}


class BuildInfoHook(BuildHookInterface[Any]):
    """Adds the file to what is built."""

    _folder: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file outside the tree and have it included, unless there is nothing to say or it is there."""
        root = Path(self.root)
        if version == "editable":
            return
        share = runpy.run_path(str(Path(__file__).with_name("share_hook.py")))
        share["add_share"](root, self.target_name, self.config.get("share", ()), build_data)
        if (root / "src/maglev/_build.py").exists():
            return
        commit, date = runpy.run_path(str(root / "src/maglev/_commit.py"))["commit_and_date"](root)
        self._folder = Path(tempfile.mkdtemp(prefix="maglev-build-"))
        file = self._folder / "_build.py"
        lines = ['"""Written when this was built."""', "", f'COMMIT = "{commit}"', f'DATE = "{date}"', ""]
        file.write_text("\n".join(lines), encoding="utf-8")
        build_data["force_include"][str(file)] = _INSIDE[self.target_name]

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clear away what was written outside the tree."""
        if self._folder is not None:
            shutil.rmtree(self._folder)
