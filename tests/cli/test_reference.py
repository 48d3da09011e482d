"""The reference page of the command line says what the command says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maglev.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"


def test_the_page_is_current() -> None:
    text = reference()
    if os.environ.get("MAGLEV_WRITE_DOCS"):
        PAGE.write_text(text, "utf-8")
    stale = "docs/reference/command-line.md is stale: run this test with MAGLEV_WRITE_DOCS=1"
    assert PAGE.read_text("utf-8") == text, stale


@pytest.mark.parametrize("word", ["--config", "MAGLEV_STATE_DIR", "`check` `[FILE]`", "--once", "SIGHUP"])
def test_the_page_has_what_people_look_for(word: str) -> None:
    assert word in PAGE.read_text("utf-8")
