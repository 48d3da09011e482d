"""The reference page says what the command says."""

from __future__ import annotations

import os
from pathlib import Path

from maglev_web.reference import page

PAGE = Path(__file__).parents[3] / "docs/reference/maglevd-frontend.md"


def test_the_reference_page_is_current() -> None:
    text = page()
    if os.environ.get("MAGLEV_WRITE_DOCS"):
        PAGE.write_text(text, "utf-8")
    stale = "docs/reference/maglevd-frontend.md is stale: run this test with MAGLEV_WRITE_DOCS=1"
    assert PAGE.read_text("utf-8") == text, stale
