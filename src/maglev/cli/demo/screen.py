"""What the demonstration shows, in a terminal of 80 columns."""

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
    MemberSnapshot,
    Snapshot,
    SyncEvent,
    WeightEvent,
)
from maglev.cli.demo.forecast import Found

_WIDTH = 80
_SINCE = re.compile(r" since \S+Z")
_STYLES = {"up": "green", "down": "red", "unknown": "yellow", "paused": "cyan", "disabled": "cyan"}


class Screen:
    """Writes the demonstration.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self.console.width = min(self.console.width, _WIDTH)
        self._began_s: float | None = time.time()

    def title(self, text: str) -> None:
        """Begin an act."""
        self.console.print()
        self.console.print(Rule(Text(text, style="bold"), align="left", style="dim"))

    def say(self, text: str) -> None:
        """Say something to the reader, in prose."""
        self.console.print(Padding(Text.from_markup(text), (0, 1)))

    def clock(self) -> None:
        """Count the time of what follows from now."""
        self._began_s = time.time()

    def time_of_day(self) -> None:
        """Tell the time of day from now on."""
        self._began_s = None

    def _time(self, at_s: float) -> str:
        if self._began_s is None:
            return time.strftime(" %H:%M:%S  ", time.localtime(at_s))
        return f"{max(0.0, at_s - self._began_s):6.2f} s  "

    def tell(self, event: Event) -> bool:
        """Narrate an event; returns whether there was anything to tell a reader."""
        words = _words(event)
        if words is not None:
            self.console.print(Text.assemble((self._time(event.at_s), "dim"), words))
        return words is not None

    def print(self, text: str) -> None:
        """Print lines as they are."""
        self.console.print(Text(text), soft_wrap=True)

    def detection(self, backend: str, took_s: float, bound_s: float) -> None:
        """Show how long a failure took to be seen, and how long it may take."""
        style = "green" if took_s <= bound_s else "yellow"
        words = f"{backend}: down {took_s:.2f} s after its first failing probe began"
        self.console.print(Text.assemble(" ", words, (f"  (bound: {bound_s:.2f} s)", style)))

    def state(self, snapshot: Snapshot, dataplane: DataplaneState, found: Mapping[str, Found] | None = None) -> None:
        """Show all frontends, their servers, and what the dataplane holds of them.

        Args:
            snapshot: What the controller holds.
            dataplane: What the dataplane holds.
            found: The comparison with what was predicted, if something was.
        """
        for name, frontend in snapshot.frontends.items():
            one = found.get(name) if found else None
            self.console.print()
            self.console.print(_frontend_line(frontend))
            if one is None or not one.untouched:
                self.console.print(_members(frontend, dataplane, one))
            if one is not None:
                self.console.print(_verdict(one))


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


def _members(frontend: FrontendSnapshot, dataplane: DataplaneState, found: Found | None) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=True)
    table.add_column("pool", no_wrap=True)
    table.add_column("backend", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("weight", justify="right")
    if found is not None:
        table.add_column("predicted", justify="right")
    table.add_column("buckets", justify="right")
    table.add_column("because", overflow="fold", ratio=1)
    predicted = found.expected.table.counts() if found is not None else {}
    vip = dataplane.vips.get(frontend.vip)
    shown = ""
    for member in frontend.members:
        server = vip.servers.get(member.address) if vip is not None else None
        buckets = "-" if server is None else str(server.buckets)
        forecast = [str(predicted.get(member.address, 0))] if found is not None else []
        pool = "" if member.pool == shown else member.pool
        shown = member.pool
        table.add_row(pool, member.backend, _state(member.state), _weight(member), *forecast, buckets, _reason(member))
    return table


def _weight(member: MemberSnapshot) -> Text:
    return Text(str(member.effective_weight), "" if member.effective_weight else "dim")


def _reason(member: MemberSnapshot) -> str:
    """Its reason without the time, which the story has told already."""
    return _SINCE.sub("", member.reason)


def _verdict(found: Found) -> Text:
    if found.wrong:
        return Text(f" ✗ not as predicted: {'; '.join(found.wrong)}", "bold red")
    right = Text.assemble((" ✓ ", "green"), f"all {found.agreeing} buckets as predicted")
    if found.untouched:
        return right.append(", and as they were")
    moved = found.moved
    if moved is not None and moved.changed:
        right.append(f"; {moved.moved:.1%} of new flows change server")
    if moved is not None and moved.changed and moved.surviving:
        right.append(f",\n   {moved.moved_avoidable:.1%} of those of servers that stay")
    return right
