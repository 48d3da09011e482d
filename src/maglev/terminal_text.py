"""Makes any text harmless for a terminal: what moves the cursor, turns lines round or cannot be seen is escaped."""

from __future__ import annotations

import logging


def escaped(text: str) -> str:
    r"""Escape what does not print as a character of its own.

    These are control characters, those that set the direction of writing, those of no width, line and paragraph
    separators, and code points without a character. An escape is written as Python writes it: `\x1b`, `\u202e`.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


class _Escaping(logging.Formatter):
    """Escapes all of a record but the line breaks of its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        return "\n".join(map(escaped, super().format(record).split("\n")))


def escape_warnings() -> None:
    """Escape what libraries log in a command that sets up no log: Python prints their warnings as they are."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Escaping())
