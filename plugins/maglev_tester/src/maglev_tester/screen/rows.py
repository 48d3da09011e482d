"""Draws a VIP: on one line of a wide terminal, on two of a narrow one."""

from __future__ import annotations

from rich.text import Text

from maglev_tester.outcome import ErrorClass
from maglev_tester.record import Record, percent
from maglev_tester.screen.bars import DRAINED, FAILED, clipped, short, sparkline, tail, tally
from maglev_tester.screen.sorting import Shown, View
from maglev_tester.text_summary import duration
from maglev_tester.vips import Vip
from maglev_tester.window import PERCENTILES

WIDE = 186
"""From so many columns on a VIP has one line."""
_NUMBERS = ("COUNT", "FAIL", "OK%", *map(str.upper, PERCENTILES), "GAP")
_NUMBER = 6
_STATUS = 9
_NAME_AT_MOST = 44
_NUMBERS_WIDTH = len(_NUMBERS) * (_NUMBER + 1)
_ENDPOINT = 28
_ENDPOINT_BELOW = 20
_SPARK_WIDE = 24
_SPARK_BELOW = 13


def lines_per_vip(width: int) -> int:
    """Return how many lines a VIP takes in a terminal of this width."""
    return 1 if width >= WIDE else 2


def heading(view: View, width: int) -> Text:
    """The line above the VIPs, with an arrow at the column that they are sorted by."""
    text = Text(style="bold")
    text.append(clipped("VIP" + _arrow(view, "name"), _name_width(width)))
    if width >= WIDE:
        text.append(" " + clipped("ENDPOINT", _ENDPOINT))
    text.append(" " + clipped("LAST", _STATUS))
    for name in _NUMBERS:
        text.append(" " + (name + _arrow(view, name.lower())).rjust(_NUMBER))
    if width >= WIDE:
        text.append("  " + clipped("LATENCY", _SPARK_WIDE) + " WHO ANSWERED")
    return text


def _arrow(view: View, column: str) -> str:
    if view.column != column:
        return ""
    return "▼" if view.descending else "▲"


def _name_width(width: int) -> int:
    if width >= WIDE:
        return 22
    return min(max(width - _STATUS - _NUMBERS_WIDTH - 1, 8), _NAME_AT_MOST)


def row(shown: Shown, line: int, width: int, now_ns: int) -> Text:
    """Draw line 0 or 1 of a VIP for a terminal so many columns wide, at a time of the monotonic clock."""
    return (_second if line else _first)(*shown, width, now_ns)


def _first(vip: Vip, record: Record, width: int, now_ns: int) -> Text:
    text = Text()
    text.append(clipped(vip.name, _name_width(width)), "bold")
    if width >= WIDE:
        text.append(" " + tail(f"{vip.endpoint} {vip.kind}", _ENDPOINT), DRAINED)
    text.append(" " + clipped(record.status or "…", _STATUS), _status_style(record))
    text.append(" " + short(record.count).rjust(_NUMBER))
    text.append(" " + short(record.failed).rjust(_NUMBER), FAILED if record.failed else "")
    text.append(" " + percent(record.ok_percent).rjust(_NUMBER), FAILED if record.failed else "green")
    for value in record.window.percentiles().values():
        text.append(" " + duration(value).rjust(_NUMBER))
    gap_ns = record.failovers.longest_gap_ns(now_ns)
    text.append(" " + duration(gap_ns or None).rjust(_NUMBER), FAILED if record.failovers.failing else "")
    if width >= WIDE:
        text.append("  ")
        _append_pictures(text, record, _SPARK_WIDE, width, now_ns)
    return text


def _second(vip: Vip, record: Record, width: int, now_ns: int) -> Text:
    text = Text("  ")
    text.append(tail(vip.endpoint, _ENDPOINT_BELOW) + " ", DRAINED)
    _append_pictures(text, record, _SPARK_BELOW, width, now_ns)
    return text


def _append_pictures(text: Text, record: Record, spark: int, width: int, now_ns: int) -> None:
    text.append_text(sparkline(record.window.latest, spark))
    text.append(" ")
    text.append_text(tally(record.tally.entries(now_ns), max(width - text.cell_len, 1)))


def _status_style(record: Record) -> str:
    if record.error is None:
        return "green" if record.status else DRAINED
    return "yellow" if record.error is ErrorClass.LOCAL else FAILED
