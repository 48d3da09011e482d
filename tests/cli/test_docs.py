"""What the documentation shows can be done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from maglev.config import load_text
from maglev.library import installed

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *(
        ROOT / "docs" / "how-to" / f"{name}.md"
        for name in ("run-as-a-service", "try-beside-another-controller", "embed")
    ),
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
]
EXPLAINED = ["pools-and-weights", "states", "tables-and-steps", "void-results", "warm-up"]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_every_explanation_is_looked_at() -> None:
    assert set(EXPLAINED) <= {page.stem for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_configurations_are_valid(page: Path) -> None:
    for text in blocks(page, "yaml"):
        load_text(text, installed())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_programs_are_python_and_the_names_they_use_exist(page: Path) -> None:
    import maglev

    for text in blocks(page, "python"):
        compile(text, name_of(page), "exec")
        for name in re.findall(r'(?<!")\bmaglev\.([A-Za-z_]+)', text):
            assert hasattr(maglev, name) or name == "api", f"maglev.{name}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s#]+)\)", page.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("example", ["loopback.yaml"])
def test_the_example_is_valid_without_a_warning(example: str) -> None:
    assert load_text((ROOT / "examples" / example).read_text("utf-8"), installed()).warnings == ()
