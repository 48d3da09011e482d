"""Views as text, each line as long as it comes: quick, and all that is needed where nothing has to be folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from maglev_cli.views.model import Block, Cell, Facts, Line, Table, Tone, View

_GAP = "  "
_RESET = "\x1b[0m"
_CODES: Mapping[Tone, str] = {
    Tone.GOOD: "\x1b[32m",
    Tone.BAD: "\x1b[31m",
    Tone.ODD: "\x1b[33m",
    Tone.OFF: "\x1b[90m",
    Tone.TITLE: "\x1b[1m",
}


def text_of(view: View, *, colour: bool = False) -> str:
    """Write a view, with an empty line between its parts.

    Args:
        view: It.
        colour: Whether to colour it.
    """
    pieces: list[str] = []
    before: Block | None = None
    for block in view:
        if before is not None and not (isinstance(block, Line) and isinstance(before, Line)):
            pieces.append("")
        pieces += _lines(block, colour=colour)
        before = block
    return "".join(f"{piece}\n" for piece in pieces)


def _lines(block: Block, *, colour: bool) -> Iterator[str]:
    match block:
        case Line(cell):
            yield painted(cell.text, cell.tone, colour=colour)
        case Facts(pairs):
            names = [Cell(name, Tone.OFF) for name, _ in pairs]
            rows = [(name, cell) for name, (_, cell) in zip(names, pairs, strict=True)]
            yield from _aligned(rows, [False, False], colour=colour)
        case Table(rows=()):
            yield block.empty
        case Table():
            titles = [Cell(column.title, Tone.TITLE) for column in block.columns]
            yield from _aligned([titles, *block.rows], [column.right for column in block.columns], colour=colour)


def _aligned(rows: Sequence[Sequence[Cell]], rights: Sequence[bool], *, colour: bool) -> Iterator[str]:
    widths = [max((width_of(row[index].text) for row in rows), default=0) for index in range(len(rights))]
    for row in rows:
        written = ""
        blanks = 0  # put off, so that no line ends with some
        for cell, width, right in zip(row, widths, rights, strict=True):
            fill = width - width_of(cell.text)
            blanks += fill if right else 0
            if cell.text:
                written += " " * blanks + painted(cell.text, cell.tone, colour=colour)
                blanks = 0
            blanks += len(_GAP) + (0 if right else fill)
        yield written


def painted(text: str, tone: Tone, *, colour: bool) -> str:
    """Give a text its colour.

    Args:
        text: It.
        tone: What it means.
        colour: Whether to.
    """
    code = _CODES.get(tone, "") if colour and text else ""
    return f"{code}{text}{_RESET}" if code else text


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  (few texts need it)

    return cell_len(text)
