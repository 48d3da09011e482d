"""What the documentation shows can be done."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from maglev.config import load_text
from maglev.library import installed
from tools.pages.blocks import ROOT, blocks, name_of, pages

PAGES = pages()
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_configurations_are_valid(page: Path) -> None:
    for block in blocks(page, "yaml"):
        if not block.text.startswith("rule_files:"):  # that one is Prometheus's
            loaded = load_text(block.text, installed())
            assert not ("file" in block.notes and loaded.warnings), "a reader runs it"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_programs_are_python_and_the_names_they_use_exist(page: Path) -> None:
    import maglev

    for block in blocks(page, "python"):
        text = block.text
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
