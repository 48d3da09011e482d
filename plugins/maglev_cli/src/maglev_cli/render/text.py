"""Views as text, coloured or not, each line as long as it comes or wrapped within its columns.

What fits is aligned here, in plain Python: importing rich would take a quarter of the time of a command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from maglev_cli.views.model import Block, Cell, Fields, Line, Style, Table, View

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
    """Write a view, with an empty line between its parts.

    Args:
        view: The view.
        colour: Whether to colour it.
        width: Columns of the terminal: what is wider is wrapped. `None`: nothing is.
    """
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
    written, blanks = "", 0  # blanks are put off, so that no line ends with some
    for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
        fill, is_right = width - width_of(cell.text), _is_right(block, index)
        blanks += fill if is_right else 0
        if cell.text:
            written += " " * blanks + styled(cell.text, cell.style, colour=colour)
            blanks = 0
        blanks += _GAP + (0 if is_right else fill)
    return written


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
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  (few texts need it)

    return cell_len(text)
