"""Docstrings open with a statement and say something about each argument."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "plugins", "examples", "benchmarks", "tools", "tests", "packaging")

# "What becomes of …" leaves the reader to find the verb: "Computes …", or the name of the thing, says it.
_QUESTION = re.compile(r"(What|Who|Whom|Whose|Where|When|Which|Why|How|Whether)\b")
_SAYS_NOTHING = re.compile(
    r"^ *\*{0,2}(\w+): (?:It|Them|Likewise|The same|Which one|Where|Whose|With what|What for|In words|How many)\.$",
    re.MULTILINE,
)


def modules() -> Iterator[Path]:
    """Our own modules: nothing that is generated or installed."""
    yield ROOT / "conftest.py"
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" not in path.parts and not path.name.endswith("_pb2.py"):
                yield path


def faults(source: str) -> list[str]:
    """List what is wrong with the docstrings of a module.

    Args:
        source: The text of the module.
    """
    tree = ast.parse(source)
    found = []
    if _QUESTION.match(opening := ast.get_docstring(tree) or ""):
        found.append(f"opens with a question word: {opening.splitlines()[0]}")
    for node in ast.walk(tree) if _SAYS_NOTHING.search(source) else ():  # walking all trees takes seconds
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _, _, arguments = (ast.get_docstring(node) or "").partition("Args:\n")
            found += [f"{node.name} says nothing about {match[1]}" for match in _SAYS_NOTHING.finditer(arguments)]
    return found


@pytest.mark.parametrize(
    "source, found",
    [
        ('"""Computes the weight of a server."""', []),
        ('"""What a server weighs."""', ["opens with a question word: What a server weighs."]),
        (
            'def f(a, b):\n    """Add.\n\n    Args:\n        a: It.\n        b: It, in seconds.\n    """',
            ["f says nothing about a"],
        ),
        ('class A:\n    """One.\n\n    Args:\n        port: Likewise.\n    """', ["A says nothing about port"]),
    ],
)
def test_a_docstring_that_says_too_little_is_found(source: str, found: list[str]) -> None:
    assert faults(source) == found


def test_docstrings_open_with_a_statement_and_say_something_about_each_argument() -> None:
    assert [f"{path.relative_to(ROOT)}: {fault}" for path in modules() for fault in faults(path.read_text())] == []
