"""The reference page says what the list of commands and the options say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from maglev_cli.forms import FORMS
from maglev_cli.reference import page


def test_page_is_current(written_docs: Callable[[str, str], Path]) -> None:
    path = written_docs("reference/maglevc.md", page())
    stale = "docs/reference/maglevc.md is stale: run this test with MAGLEV_WRITE_DOCS=1"
    assert path.read_text("utf-8") == page(), stale


def test_page_has_every_command_and_every_option() -> None:
    text = page().replace("\\|", "|")
    assert [form.syntax for form in FORMS if f"| `{form.syntax}` |" not in text] == []
    for option in ("--server", "--output", "--color` / `--no-color", "--ca", "--cert", "--key", "--token-file"):
        assert f"| `{option}`" in text
    assert "`MAGLEV_SERVER` | `localhost:9090`" in text
