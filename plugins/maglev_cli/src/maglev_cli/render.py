"""Writes answers and errors: views as text, coloured or not, and messages as JSON.

What fits is aligned here, in plain Python: importing rich would take a quarter of the time of a command. Only what is
wider than the terminal is left to it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TextIO

import attrs

from maglev_cli.views.model import Block, Cell, Fields, Line, Style, Table, View, printable

Format = Literal["text", "json"]

_GAP = 2
_RESET = "\x1b[0m"
_CODES: Mapping[Style, tuple[str, str]] = {
    Style.OK: ("\x1b[32m", "green"),
    Style.WARNING: ("\x1b[33m", "yellow"),
    Style.ERROR: ("\x1b[31m", "red"),
    Style.DIM: ("\x1b[90m", "bright_black"),
    Style.BOLD: ("\x1b[1m", "bold"),
}
"""What each style is for a terminal, and for rich."""


def text_of(view: View, *, colour: bool = False, width: int | None = None) -> str:
    """Write a view, with an empty line between its parts; what is wider than `width` columns is wrapped."""
    plain = "".join(_written(view, colour=False))
    if width is not None and any(width_of(line) > width for line in plain.splitlines()):
        return wrapped(view, colour=colour, width=width)
    return "".join(_written(view, colour=True)) if colour else plain


def _written(view: View, *, colour: bool) -> Iterator[str]:
    for block, has_gap in _spaced(view):
        if has_gap:
            yield "\n"
        rows = _rows(block)
        widths = [max(width_of(cell.text) for cell in cells) for cells in zip(*rows, strict=True)]
        for row in rows:
            yield _aligned(row, widths, block, colour=colour) + "\n"


def _spaced(view: View) -> Iterator[tuple[Block, bool]]:
    """The blocks, each with whether an empty line comes before it."""
    for index, block in enumerate(view):
        yield block, index > 0 and not (isinstance(block, Line) and isinstance(view[index - 1], Line))


def _rows(block: Block) -> Sequence[tuple[Cell, ...]]:
    match block:
        case Line(cell):
            return [(cell,)]
        case Fields(pairs):
            return [(Cell(name, Style.DIM), cell) for name, cell in pairs]
        case Table(rows=()):
            return [(Cell(block.empty),)]
        case Table():
            return [tuple(Cell(column.title, Style.BOLD) for column in block.columns), *block.rows]


def _is_right(block: Block, index: int) -> bool:
    return isinstance(block, Table) and bool(block.rows) and block.columns[index].right


def _aligned(row: Sequence[Cell], widths: Sequence[int], block: Block, *, colour: bool) -> str:
    written = []
    for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
        text, blanks = styled(cell.text, cell.style, colour=colour), " " * (width - width_of(cell.text))
        written.append(blanks + text if _is_right(block, index) else text + blanks)
    return (" " * _GAP).join(written).rstrip(" ")


def wrapped(view: View, *, colour: bool, width: int) -> str:
    """Write a view for a narrow terminal; the arguments are those of `text_of`."""
    from rich.console import Console  # noqa: PLC0415  (see above)
    from rich.table import Column, Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(width=width, color_system="standard" if colour else None, force_terminal=colour)
    with console.capture() as captured:
        for block, has_gap in _spaced(view):
            rows = _rows(block)
            columns = (
                Column(
                    justify="right" if _is_right(block, index) else "left",
                    overflow="fold",
                    no_wrap=isinstance(block, Fields) and index == 0,
                )
                for index in range(len(rows[0]))
            )
            grid = Table.grid(*columns, padding=(0, _GAP, 0, 0))
            for row in rows:
                grid.add_row(*(Text(cell.text, _CODES.get(cell.style, ("", ""))[1]) for cell in row))
            console.print(*([""] if has_gap else []), grid, sep="\n")
    return captured.get()


def styled(text: str, style: Style, *, colour: bool) -> str:
    """Give a text its style, if there is colour."""
    code = _CODES[style][0] if colour and text and style in _CODES else ""
    return f"{code}{text}{_RESET}" if code else text


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  (few texts need it)

    return cell_len(text)


def wants_colour(asked: bool | None, stream: TextIO) -> bool:  # noqa: FBT001  (a flag's value)
    """Whether to colour what goes to a stream; `None` leaves it to `NO_COLOR` and the terminal."""
    if asked is not None:
        return asked
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


@attrs.frozen
class Output:
    """Writes answers and errors; `colour` is what the flag said, as in `wants_colour`."""

    format: Format = "text"
    colour: bool | None = None

    def show(self, view: View) -> None:
        """Write a view to standard output."""
        sys.stdout.write(self.text(view))
        sys.stdout.flush()

    def text(self, view: View) -> str:
        """A view as it is to be written to standard output."""
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        return text_of(view, colour=wants_colour(self.colour, sys.stdout), width=width)

    def answer(self, message: Any, view: Callable[[], View]) -> None:
        """Write an answer to standard output: the API's message as JSON, or the view of it that a function makes."""
        if self.format == "json":
            self.json(message, indent=2)
        else:
            self.show(view())

    def json(self, message: Any, indent: int | None = None) -> None:
        """Write a message as JSON, on one line unless it is indented."""
        sys.stdout.write(json_of(message, indent) + "\n")
        sys.stdout.flush()

    def error(self, message: str) -> None:
        """Write an error to standard error: one line, red where there is colour."""
        told = styled(one_line(message), Style.ERROR, colour=wants_colour(self.colour, sys.stderr))
        with suppress(OSError):  # nobody is left to tell; the exit status says it
            sys.stderr.write(f"{told}\n")
            sys.stderr.flush()


def one_line(message: str) -> str:
    """Put a message on one line that does a terminal no harm."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    joined = "".join(line + (" " if line.endswith(":") else "; ") for line in lines[:-1]) + "".join(lines[-1:])
    return printable(joined)


def json_of(message: Any, indent: int | None = None) -> str:
    """A message as JSON, with the names of the API's fields; what is not set is there too if it has a zero value."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415  (text does not need it)

    content = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return json.dumps(content, indent=indent)
