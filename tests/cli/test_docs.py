"""What the documentation shows can be done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from maglev.config import load_text
from maglev.library import installed

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_configurations_are_valid(page: Path) -> None:
    for text in blocks(page, "yaml"):
        if not text.startswith("rule_files:"):  # that one is Prometheus's
            load_text(text, installed())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_programs_are_python_and_the_names_they_use_exist(page: Path) -> None:
    import maglev

    for text in blocks(page, "python"):
        compile(dedent(text), name_of(page), "exec")
        for name in re.findall(r'(?<!")\bmaglev\.([A-Za-z_]+)', text):
            assert hasattr(maglev, name) or name == "api", f"maglev.{name}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s#]+)\)", page.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_examples_are_valid(example: Path) -> None:
    load_text(example.read_text("utf-8"), installed())


def test_the_example_of_the_tutorial_is_valid_without_a_warning() -> None:
    assert load_text((ROOT / "examples" / "loopback.yaml").read_text("utf-8"), installed()).warnings == ()
