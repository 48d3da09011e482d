"""The reference page says what the list of commands and the options say."""

from __future__ import annotations

from maglev_cli.forms import SHOWN
from tools.reference.maglevc import page


def test_page_has_every_command_and_every_option() -> None:
    text = page().replace("\\|", "|")
    assert [form.syntax for form in SHOWN if f"| `{form.syntax}` |" not in text] == []
    for option in ("--server", "--output", "--color` / `--no-color", "--ca", "--cert", "--key", "--token-file"):
        assert f"| `{option}`" in text
    assert "`MAGLEV_SERVER` | `localhost:9090`" in text
