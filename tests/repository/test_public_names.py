"""Whoever imports from `maglev` imports what is there: its `__getattr__` hides a wrong name from mypy."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import maglev

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "plugins", "tests", "examples", "benchmarks", "tools")


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_that_are_imported_from_maglev_are_there(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {each.name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "node_modules" not in path.parts
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module == "maglev" and not node.level
        for each in node.names
        if each.name not in maglev.__all__
        and not (ROOT / "src/maglev" / each.name).exists()
        and not (ROOT / f"src/maglev/{each.name}.py").exists()
    ]
    assert wrong == []
