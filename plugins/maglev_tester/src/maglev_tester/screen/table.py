"""The widget that shows the VIPs. It draws the lines that can be seen, and no others: there may be hundreds."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from maglev_tester.results import Results
from maglev_tester.screen.rows import lines_per_vip, row
from maglev_tester.screen.sorting import Shown, View


class VipTable(ScrollView, can_focus=True):
    """The VIPs of a run."""

    DEFAULT_CSS = """
    VipTable { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """

    def __init__(self, results: Results) -> None:
        super().__init__()
        self._results = results
        self._shown: list[Shown] = []
        self._now_ns = results.now_ns

    def update(self, view: View) -> None:
        """Draw anew."""
        self._shown = view.shown(self._results)
        self._now_ns = self._results.now_ns
        self._measure()
        self.refresh()

    def on_resize(self, _event: events.Resize) -> None:
        """Take as many lines as it needs now."""
        self._measure()

    def _measure(self) -> None:
        width = self.scrollable_content_region.width
        lines = len(self._shown) * lines_per_vip(self.outer_size.width)
        if self.virtual_size != (width, lines):
            self.virtual_size = Size(width, lines)

    def render_line(self, y: int) -> Strip:
        """Draw one line of what can be seen."""
        width = self.scrollable_content_region.width
        height = lines_per_vip(self.outer_size.width)
        position, line = divmod(y + self.scroll_offset.y, height)
        if position < len(self._shown):
            return strip(row(self._shown[position], line, width, self._now_ns), width, self.app.console)
        if not self._shown and y == 0:
            return strip(Text("no VIP matches the filter", style="bright_black"), width, self.app.console)
        return Strip.blank(width)


def strip(text: Text, width: int, console: Console) -> Strip:
    """Turn a line of text into what widgets draw."""
    return Strip(text.render(console), text.cell_len).adjust_cell_length(width)
