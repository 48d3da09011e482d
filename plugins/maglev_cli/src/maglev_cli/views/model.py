"""Tables, fields and lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

import attrs

T = TypeVar("T")


class Style(StrEnum):
    """The meaning of a piece of text, which a terminal shows as a colour."""

    PLAIN = ""
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    DIM = "dim"
    BOLD = "bold"


def printable(text: str) -> str:
    """Make any text harmless for a terminal: blanks for line breaks, escapes for control characters."""
    if text.isascii() and text.isprintable():
        return text.rstrip()
    return "".join(map(_printable, text)).rstrip()


def _printable(character: str) -> str:
    if character in "\n\r\t\v\f\u2028\u2029":
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return character.encode("unicode_escape").decode("ascii")
    return character


@attrs.frozen
class Cell:
    """A piece of text without line breaks or control characters."""

    text: str = attrs.field(converter=printable)
    style: Style = Style.PLAIN


@attrs.frozen
class Column:
    """A column of a table; one of numbers stands to the `right`."""

    title: str
    right: bool = False


@attrs.frozen
class Table:
    """Rows under headings, as many cells each as there are columns; `empty` is said where there are no rows."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "none"


@attrs.frozen
class Fields:
    """Names and values, one a line."""

    pairs: tuple[tuple[str, Cell], ...]


@attrs.frozen
class Line:
    """A line of text."""

    cell: Cell


Block = Table | Fields | Line
View = tuple[Block, ...]


def table(items: Iterable[T], columns: Mapping[str, Callable[[T], object]], empty: str = "none") -> Table:
    """Make a table with a row for each of some things.

    Each heading comes with what gives the text or cell of a thing; one that begins with `#` has numbers.
    """
    titles = tuple(Column(title.removeprefix("#"), title.startswith("#")) for title in columns)
    return Table(titles, tuple(tuple(cell(get(item)) for get in columns.values()) for item in items), empty)


def cell(value: object) -> Cell:
    """Make a cell; `None` and empty text are a dash."""
    if isinstance(value, Cell):
        return value
    return Cell("-" if value is None or value == "" else str(value))


def fields(pairs: Iterable[tuple[str, object]]) -> Fields:
    """Make fields of names and whatever can be written as text."""
    return Fields(tuple((name, cell(value)) for name, value in pairs))


def text_line(text: str, style: Style = Style.PLAIN) -> Line:
    """Make a line."""
    return Line(Cell(text, style))
