"""The reference says what the code says."""

from __future__ import annotations

import pytest

from tools.reference.pages import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == PAGES[name](), "run: python -m tools.reference"
