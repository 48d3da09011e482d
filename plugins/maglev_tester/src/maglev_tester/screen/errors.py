"""The errors panel: how many of each class, and the latest in words."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from maglev_tester.outcome import ErrorClass
from maglev_tester.results import ErrorEntry, Results
from maglev_tester.screen.bars import DRAINED, FAILED, clipped, short
from maglev_tester.text_summary import clock, error_counts

_STYLES = {ErrorClass.SPIKE: "yellow", ErrorClass.LOCAL: "yellow"}
_NAME = 18


class ErrorsPanel(Widget):
    """The errors of a run."""

    DEFAULT_CSS = """
    ErrorsPanel { height: 30%; min-height: 6; max-height: 14; border-top: solid $primary; }
    """

    def __init__(self, results: Results) -> None:
        super().__init__()
        self._results = results

    def render(self) -> Text:
        width, height = self.content_size
        newest = reversed(self._results.error_entries[-max(height - 1, 1) :])
        return Text("\n").join([self._counts(), *(self._line(entry, width) for entry in newest)])

    def _counts(self) -> Text:
        text = Text("Errors", style="bold")
        for error, count in error_counts(self._results):
            text.append(f"   {error} ", "default")
            text.append(short(count), _STYLES.get(error, FAILED) if count else DRAINED)
        return text

    def _line(self, entry: ErrorEntry, width: int) -> Text:
        count = f"×{short(entry.count)}"
        text = Text(f"{clock(self._results, entry.last_ns)} ", style=DRAINED)
        text.append(clipped(entry.vip, _NAME) + " ", "default")
        text.append(clipped(entry.error, 7) + " ", _STYLES.get(entry.error, FAILED))
        text.append(clipped(entry.detail, max(width - text.cell_len - len(count) - 1, 1)) + " ", "default")
        text.append(count, "bold default")
        return text
