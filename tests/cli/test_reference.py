"""The reference page of the command line says what the command says."""

from __future__ import annotations

import pytest

from tools.reference.command_line import page


@pytest.mark.parametrize("word", ["--config", "MAGLEV_STATE_DIR", "`check` `[FILE]`", "--once", "SIGHUP"])
def test_the_page_has_what_people_look_for(word: str) -> None:
    assert word in page()
