"""Prints the demonstration, in a terminal of 80 columns."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from maglev.api import (
    BackendEvent,
    DataplaneState,
    Event,
    FrontendEvent,
    FrontendSnapshot,
    Snapshot,
    SyncEvent,
    WeightEvent,
)
from maglev.cli.demo.predictions import Comparison

_WIDTH = 80
_SINCE = re.compile(r" since \S+Z")
_STYLES = {"up": "green", "down": "red", "unknown": "yellow", "paused": "cyan", "disabled": "cyan"}


class Screen:
    """Prints titles, text, events and tables."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self.console.width = min(self.console.width, _WIDTH)
        self._step_began_s: float | None = time.time()

    def title(self, text: str) -> None:
        """Print the title of a step."""
        self.console.print()
        self.console.print(Rule(Text(text, style="bold"), align="left", style="dim"))

    def text(self, text: str) -> None:
        """Print prose, with rich's markup."""
        self.console.print(Padding(Text.from_markup(text), (0, 1)))

    def lines(self, text: str) -> None:
        """Print lines as they are."""
        self.console.print(Text(text), soft_wrap=True)

    def time_from_now(self) -> None:
        """Print events with the seconds since now."""
        self._step_began_s = time.time()

    def time_of_day(self) -> None:
        """Print events with the time of day."""
        self._step_began_s = None

    def event(self, event: Event) -> bool:
        """Print an event; returns whether it is one that is shown."""
        words = _words(event)
        if words is not None:
            self.console.print(Text.assemble((self._time(event.at_s), "dim"), words))
        return words is not None

    def _time(self, at_s: float) -> str:
        if self._step_began_s is None:
            return time.strftime(" %H:%M:%S  ", time.localtime(at_s))
        return f"{max(0.0, at_s - self._step_began_s):6.2f} s  "

    def detection(self, backend: str, took_s: float, bound_s: float) -> None:
        """Print how long it took to detect a failure, and how long it may take."""
        style = "green" if took_s <= bound_s else "yellow"
        words = f"{backend}: down {took_s:.2f} s after its first failing probe began"
        self.console.print(Text.assemble(" ", words, (f"  (bound: {bound_s:.2f} s)", style)))

    def state(
        self, snapshot: Snapshot, dataplane: DataplaneState, comparisons: Mapping[str, Comparison] | None = None
    ) -> None:
        """Print all frontends, their servers, and what the dataplane holds of them.

        `comparisons` holds the comparison with the prediction, by frontend, if there was one.
        """
        for name, frontend in snapshot.frontends.items():
            comparison = (comparisons or {}).get(name)
            self.console.print()
            self.console.print(_frontend_line(frontend))
            if comparison is None or not comparison.unchanged:
                self.console.print(_members(frontend, dataplane, comparison))
            if comparison is not None:
                self.console.print(_result(comparison))


def _words(event: Event) -> Text | None:
    match event:
        case BackendEvent(_, backend, _, transition):
            why = str(transition.result) if transition.result is not None else transition.why
            return Text.assemble(
                (f"{backend:<6}", "bold"), _state(transition.from_state), " → ", _state(transition.to_state), f"  {why}"
            )
        case FrontendEvent(_, frontend, _, new, _, why):
            return Text.assemble((f"{frontend:<6}", "bold"), _state(new), f"  {why}")
        case WeightEvent(_, frontend, pool, backend):
            return Text(f"{frontend:<6}{pool}/{backend}: weight {event.previous} → {event.effective}")
        case SyncEvent(_, scope, _, operations, errors):
            if not operations and not errors:
                return None
            done = ", ".join(f"{count} {kind}" for kind, count in operations.items()) or "nothing done"
            return Text.assemble(f"dataplane: {done}" + (f" ({scope})" if scope != "transition" else ""), *errors)
        case _:
            return None


def _state(state: str) -> Text:
    return Text(state, _STYLES.get(state, ""))


def _frontend_line(frontend: FrontendSnapshot) -> Text:
    return Text.assemble(
        " ", (frontend.name, "bold"), f"  {frontend.vip}  ", _state(frontend.state), f", pool {frontend.active_pool}"
    )


def _members(frontend: FrontendSnapshot, dataplane: DataplaneState, comparison: Comparison | None) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=True)
    for heading in ("pool", "backend", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("weight", "predicted", "buckets") if comparison else ("weight", "buckets"):
        table.add_column(heading, justify="right")
    table.add_column("because", overflow="fold", ratio=1)
    predicted = comparison.prediction.table.counts() if comparison else {}
    vip = dataplane.vips.get(frontend.vip)
    previous = ""
    for member in frontend.members:
        server = vip.servers.get(member.address) if vip is not None else None
        buckets = "-" if server is None else str(server.buckets)
        columns = [str(predicted.get(member.address, 0)), buckets] if comparison else [buckets]
        pool = "" if member.pool == previous else member.pool
        previous = member.pool
        weight = Text(str(member.effective_weight), "" if member.effective_weight else "dim")
        # Without the time, which the events have shown.
        table.add_row(pool, member.backend, _state(member.state), weight, *columns, _SINCE.sub("", member.reason))
    return table


def _result(comparison: Comparison) -> Text:
    if comparison.differences:
        return Text(f" ✗ not as predicted: {'; '.join(comparison.differences)}", "bold red")
    right = Text.assemble((" ✓ ", "green"), f"all {len(comparison.table)} buckets as predicted")
    if comparison.unchanged:
        return right.append(", and as they were")
    moved = comparison.moved
    if moved is not None and moved.changed:
        right.append(f"; {moved.moved:.1%} of new flows change server")
    if moved is not None and moved.changed and moved.surviving:
        right.append(f",\n   {moved.moved_avoidable:.1%} of those of servers that stay")
    return right
