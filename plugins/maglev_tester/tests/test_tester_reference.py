"""The reference page says what the command does."""

from __future__ import annotations

import os
from pathlib import Path

from maglev_tester.reference import reference

PAGE = Path(__file__).parents[3] / "docs/reference/maglevt.md"


def test_page_is_current() -> None:
    text = reference()
    if os.environ.get("MAGLEV_WRITE_DOCS"):
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text, "docs/reference/maglevt.md is stale: run this test with MAGLEV_WRITE_DOCS=1"


def test_page_names_every_option_and_no_place_of_this_machine() -> None:
    text = reference()
    assert "| `--min-ok` `PERCENT` | `MAGLEV_MIN_OK` | `0` |" in text
    assert str(Path.home()) not in text
