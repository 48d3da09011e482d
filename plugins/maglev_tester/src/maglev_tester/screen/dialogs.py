"""The dialogs above the table: help, and the list of failovers."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

HELP = """\
This host probes each VIP by HTTP, HTTPS or a TCP connection.

 LAST       the latest outcome
 FAIL       probes that timed out, had a wrong answer, or no connection
 OK%        the share of good probes since the start, or since reset
 P50 … MAX  latencies of the good probes among the last 100
 GAP        the longest time without a good answer, with failures
 bars       answers by server: white within 5 seconds, grey if drained

 q Ctrl-C   quit, and print the summary
 p          pause probing; press again to go on
 r          reset all counts
 s S        sort by the next column; reverse
 /          show only VIPs that match; Escape shows all again
 f          list the failovers seen from this host
 ↑ ↓ PgUp PgDn Home End  scroll
"""


class Sheet(ModalScreen[None]):
    """A text to be read and put away."""

    DEFAULT_CSS = """
    Sheet { align: center middle; }
    Sheet VerticalScroll { width: auto; max-width: 96%; height: auto; max-height: 90%; border: round $primary;
        padding: 0 1; background: $surface; }
    Sheet Static { width: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "dismiss", "Close"),
        ("q", "dismiss", "Close"),
        ("question_mark", "dismiss", "Close"),
        ("f", "dismiss", "Close"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = self._title
            box.border_subtitle = "Escape closes"
            yield Static(Text(self._text))
