"""The reference page says what the command does."""

from __future__ import annotations

from pathlib import Path

from tools.reference.maglevt import page


def test_page_names_every_option_and_no_place_of_this_machine() -> None:
    text = page()
    assert "| `--min-ok` `PERCENT` | `MAGLEV_MIN_OK` | `0` |" in text
    assert str(Path.home()) not in text
