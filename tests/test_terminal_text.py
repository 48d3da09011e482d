"""Text that a terminal only shows."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.terminal_text import escape_warnings, escaped


@given(st.text())
def test_any_text_becomes_one_of_printable_characters(text: str) -> None:
    assert escaped(text).isprintable()
    if text.isprintable():
        assert escaped(text) == text


@pytest.mark.parametrize(
    "text, shown",
    [
        ("caf\xe9 \u65e5\u672c \u05d0", "caf\xe9 \u65e5\u672c \u05d0"),
        ("\x1b[31m\x9b\x7f", r"\x1b[31m\x9b\x7f"),
        ("a\r\nb\u2028", r"a\r\nb\u2028"),
        ("\u202egnorw\u2066", r"\u202egnorw\u2066"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
    ],
)
def test_what_acts_or_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_warnings_of_libraries_are_escaped_in_a_command_without_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = logging.lastResort
    assert last is not None
    monkeypatch.setattr(last, "formatter", None)
    escape_warnings()
    last.handle(logging.LogRecord("library", logging.WARNING, "", 0, "gone \x1b[2J %s", ("\u202e",), None))
    assert capsys.readouterr().err == "gone \\x1b[2J \\u202e\n"
