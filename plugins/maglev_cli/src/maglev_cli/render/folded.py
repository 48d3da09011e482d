"""Views folded to the width of a terminal, by rich."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.table import Column as RichColumn
from rich.table import Table as RichTable
from rich.text import Text

from maglev_cli.render.plain import text_of as plain_text
from maglev_cli.views.model import Block, Cell, Facts, Line, Table, Tone, View

_STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.ODD: "yellow",
    Tone.OFF: "bright_black",
    Tone.TITLE: "bold",
}


def text_of(view: View, *, colour: bool, width: int) -> str:
    """Write a view.

    Args:
        view: It.
        colour: Whether to colour it.
        width: Columns of the terminal.
    """
    console = Console(
        file=io.StringIO(),
        width=width,
        color_system="standard" if colour else None,
        force_terminal=colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(Group(*_spaced(view)))
    return captured.get()


def _spaced(view: View) -> list[RenderableType]:
    pieces: list[RenderableType] = []
    before: Block | None = None
    for block in view:
        if before is not None and not (isinstance(block, Line) and isinstance(before, Line)):
            pieces.append(Text(""))
        pieces.append(_piece(block))
        before = block
    return pieces


def _piece(block: Block) -> RenderableType:
    match block:
        case Line(cell):
            return _text(cell)
        case Facts(pairs):
            grid = RichTable.grid(RichColumn(no_wrap=True), RichColumn(overflow="fold"), padding=(0, 2, 0, 0))
            for name, cell in pairs:
                grid.add_row(_text(Cell(name, Tone.OFF)), _text(cell))
            return grid
        case Table(rows=()):
            return Text(plain_text((block,)).rstrip("\n"))
        case Table():
            return _table(block)


def _table(table: Table) -> RichTable:
    made = RichTable(box=None, show_edge=False, pad_edge=False, padding=(0, 1))
    for column in table.columns:
        made.add_column(
            _text(Cell(column.title, Tone.TITLE)), justify="right" if column.right else "left", overflow="fold"
        )
    for row in table.rows:
        made.add_row(*map(_text, row))
    return made


def _text(cell: Cell) -> Text:
    return Text(cell.text, _STYLES[cell.tone])
