"""The errors panel: how many of each class, and the latest in words."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from maglev_tester.board import Board, Trouble
from maglev_tester.outcome import ErrorClass
from maglev_tester.screen.bars import DRAINED, FAILED, clipped, short
from maglev_tester.words import clock, error_counts

_STYLES = {ErrorClass.SPIKE: "yellow", ErrorClass.LOCAL: "yellow"}
_NAME = 18


class ErrorsPanel(Widget):
    """The errors of a board.

    Args:
        board: What to show.
    """

    DEFAULT_CSS = """
    ErrorsPanel { height: 30%; min-height: 6; max-height: 14; border-top: solid $primary; }
    """

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board

    def render(self) -> Text:
        """Draw the panel."""
        width, height = self.content_size
        text = self._counts()
        for trouble in list(reversed(self._board.troubles))[: max(height - 1, 0)]:
            text.append("\n")
            text.append_text(self._line(trouble, width))
        return text

    def _counts(self) -> Text:
        text = Text("Errors", style="bold")
        for error, count in error_counts(self._board):
            text.append(f"   {error} ", "default")
            text.append(short(count), _STYLES.get(error, FAILED) if count else DRAINED)
        return text

    def _line(self, trouble: Trouble, width: int) -> Text:
        count = f"×{short(trouble.count)}"
        text = Text(f"{clock(self._board, trouble.last_ns)} ", style=DRAINED)
        text.append(clipped(trouble.vip, _NAME) + " ", "default")
        text.append(clipped(trouble.error, 7) + " ", _STYLES.get(trouble.error, FAILED))
        text.append(clipped(trouble.detail, max(width - text.cell_len - len(count) - 1, 1)) + " ", "default")
        text.append(count, "bold default")
        return text
