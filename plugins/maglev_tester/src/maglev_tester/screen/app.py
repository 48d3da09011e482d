"""The full-screen view: keys, and what is where."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import ClassVar

import anyio
import attrs
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Footer, Input, Static

from maglev import format_duration
from maglev_tester.outcome import Outcome
from maglev_tester.results import Results
from maglev_tester.screen.dialogs import HELP, Sheet
from maglev_tester.screen.errors import ErrorsPanel
from maglev_tester.screen.rows import heading
from maglev_tester.screen.sorting import View
from maglev_tester.screen.table import VipTable
from maglev_tester.text_summary import failovers

REDRAWN_EVERY_S = 0.5
LEAST_WIDTH, LEAST_HEIGHT = 80, 24
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class VipsApp(App[None]):
    """Shows the results of a run until it is left, or so many seconds after the first outcome.

    `send` gives `pause` or `resume` to the probing process.
    """

    CSS = """
    #top { height: 1; background: $primary; color: $text; }
    #heading { height: 1; }
    #small { display: none; align: center middle; content-align: center middle; height: 1fr; }
    #filter { display: none; height: 1; }
    Screen.small #all { display: none; }
    Screen.small #small { display: block; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("p", "pause", "Pause"),
        Binding("r", "reset", "Reset"),
        Binding("s", "sort", "Sort"),
        Binding("S", "reverse", "Reverse"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("f", "failovers", "Failovers"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("escape", "show_all", "All", show=False),
    ]

    def __init__(
        self, results: Results, send: Callable[[str], Awaitable[None]], duration_s: float | None = None
    ) -> None:
        super().__init__()
        self.left = anyio.Event()
        """Set when the terminal is as it was."""
        self._results = results
        self._send = send
        self._duration_s = duration_s
        self._view = View()

    def compose(self) -> ComposeResult:
        yield Static(id="small")
        with Vertical(id="all"):
            yield Static(id="top")
            yield Static(id="heading")
            yield VipTable(self._results)
            yield ErrorsPanel(self._results)
            yield Input(id="filter", placeholder="regular expression, Enter", compact=True)
            yield Footer()

    def on_mount(self) -> None:
        """Begin to draw; signals leave as the key does."""
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self.exit)
        self.query_one(VipTable).focus()
        self.set_interval(REDRAWN_EVERY_S, self.draw)
        self.draw()

    def take(self, index: int, outcome: Outcome) -> None:
        """Take an outcome from the probing process. With the first one the time to leave begins to run."""
        if self._duration_s is not None:
            asyncio.get_running_loop().call_later(self._duration_s, self.exit)
            self._duration_s = None
        self._results.add(index, outcome)

    def on_resize(self, event: events.Resize) -> None:
        """Draw for the new size, or ask for a greater one."""
        width, height = event.size
        self.screen.set_class(width < LEAST_WIDTH or height < LEAST_HEIGHT, "small")
        self.query_one("#small", Static).update(
            f"{width}×{height} is too small: maglevt needs {LEAST_WIDTH}×{LEAST_HEIGHT}.\nProbing goes on; q quits."
        )
        self.draw()

    def draw(self) -> None:
        """Draw all; nothing while the screen is being taken down, when the timer may fire a last time."""
        if not self.query("#top"):
            return
        self.query_one("#top", Static).update(self._top())
        self.query_one("#heading", Static).update(heading(self._view, self.size.width))
        self.query_one(VipTable).update(self._view)
        self.query_one(ErrorsPanel).refresh()

    def _top(self) -> Text:
        results = self._results
        seconds = (results.now_ns - results.started_ns) // 1_000_000_000
        interval = format_duration(timedelta(microseconds=results.settings.interval_ns // 1_000))
        took = format_duration(timedelta(seconds=seconds))
        parts = [f" maglevt on {results.host}", f"{len(results.settings.vips)} VIPs", f"every {interval}", took]
        if self._view.pattern is not None:
            parts.append(f"filter {self._view.pattern.pattern}")
        text = Text("  ·  ".join(parts), style="bold", no_wrap=True, overflow="ellipsis")
        if results.paused:
            text.append("  PAUSED ", "bold black on yellow")
        return text

    async def action_pause(self) -> None:
        """Stop probing, or go on."""
        self._results.paused = not self._results.paused
        self._results.interrupt()
        await self._send("pause" if self._results.paused else "resume")
        self.draw()

    def action_reset(self) -> None:
        self._results.reset()
        self.draw()

    def action_sort(self) -> None:
        self._look(self._view.next_column())

    def action_reverse(self) -> None:
        self._look(attrs.evolve(self._view, reverse=not self._view.reverse))

    def action_show_all(self) -> None:
        """Leave the filter's input, or show all VIPs again."""
        entry = self.query_one("#filter", Input)
        if entry.display:
            entry.display = False
            self.query_one(VipTable).focus()
        else:
            self._look(attrs.evolve(self._view, pattern=None))

    def action_filter(self) -> None:
        entry = self.query_one("#filter", Input)
        entry.display = True
        entry.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            pattern = re.compile(event.value) if event.value else None
        except re.error as error:
            self.notify(f"{event.value!r} is not a regular expression: {error}", severity="error")
            return
        event.input.display = False
        self.query_one(VipTable).focus()
        self._look(attrs.evolve(self._view, pattern=pattern))

    def _look(self, view: View) -> None:
        self._view = view
        self.draw()

    async def action_failovers(self) -> None:
        lines = failovers(self._results) or ["No probe has failed so far."]
        await self.push_screen(Sheet("Failovers", "\n".join(lines)))

    async def action_help(self) -> None:
        await self.push_screen(Sheet("maglevt", HELP))

    async def run_until_left(self) -> None:
        """Show the screen; returns when the terminal is as it was."""
        try:
            await self.run_async()
        finally:
            self.left.set()
