"""The reference page of the command line says what the command says."""

from __future__ import annotations

from pathlib import Path

import pytest

from maglev.cli.reference import reference
from maglev.library import installed

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
OFFICIAL = "maglev-"


def test_the_page_is_current() -> None:
    plugins = installed(environ={})
    foreign = [plugin.distribution for plugin in plugins.plugins if not plugin.distribution.startswith(OFFICIAL)]
    assert foreign == ["built-in"]
    assert PAGE.read_text() == reference(plugins), (
        "run: python -m maglev.cli.reference > docs/reference/command-line.md"
    )


@pytest.mark.parametrize("word", ["--config", "MAGLEV_STATE_DIR", "`check` `[FILE]`", "--once", "SIGHUP"])
def test_the_page_has_what_people_look_for(word: str) -> None:
    assert word in PAGE.read_text()
