"""The reference and the stubs are made from the `.proto` that is here, and the `.proto` explains everything."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tools import api_reference

PLUGIN = Path(__file__).parents[1]
PROTO = api_reference.PROTOS / api_reference.PROTO


@pytest.fixture(scope="module")
def page() -> str:
    return api_reference.page()


def test_the_reference_is_current(page: str) -> None:
    assert api_reference.PAGE.read_text(encoding="utf-8") == page, "run: python -m tools.api_reference"


def test_everything_is_explained(page: str) -> None:
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 300
    assert [row for row in rows if row.endswith("|  |")] == []
    paragraphs = page.split("\n\n")
    headings = [index for index, paragraph in enumerate(paragraphs) if paragraph.startswith(("### ", "## Service"))]
    assert [paragraphs[index] for index in headings if not paragraphs[index + 1].strip()] == []


def test_the_stubs_are_current(tmp_path: Path) -> None:
    hook: dict[str, Any] = runpy.run_path(str(PLUGIN / "hatch_build.py"))
    hook["generate"](api_reference.PROTOS, PROTO, tmp_path)
    for stub in hook["stubs_of"](PROTO):
        made = (tmp_path / stub.relative_to(api_reference.PROTOS)).read_text()
        assert stub.read_text() == made, "the .proto has changed: run make, which installs the plugin again"


def test_a_proto_that_does_not_compile_fails_the_build(tmp_path: Path) -> None:
    hook: dict[str, Any] = runpy.run_path(str(PLUGIN / "hatch_build.py"))
    broken = tmp_path / "broken.proto"
    broken.write_text("this is no proto")
    assert not hook["is_current"](broken)
    with pytest.raises(RuntimeError, match="does not compile"):
        hook["generate"](tmp_path, broken, tmp_path)
