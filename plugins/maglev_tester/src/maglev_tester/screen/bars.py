"""Small pictures made of characters: the sparkline of latencies, the bars of the tally."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from rich.text import Text

from maglev_tester.tally import Entry

_HEIGHTS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
FRESH = "bold bright_white"
DRAINED = "bright_black"
BAR = "cyan"
FAILED = "bold red"
_LEAST_CELL = 12
_GAP = 2


def sparkline(latest: Sequence[int | None], width: int) -> Text:
    """Draw the newest latencies, in nanoseconds, the newest to the right; `None` is a failure, a red cross.

    Heights are shares of the greatest among them; `width` is in characters.
    """
    shown = list(islice(reversed(latest), width))[::-1]
    top = max((value for value in shown if value is not None), default=1)
    text = Text(" " * (width - len(shown)))
    for value in shown:
        if value is None:
            text.append("×", FAILED)
        else:
            text.append(_HEIGHTS[min(value * len(_HEIGHTS) // max(top, 1), len(_HEIGHTS) - 1)], BAR)
    return text


def bar(share: float, width: int) -> str:
    """Draw a share, 0 to 1, of so many characters, exact to an eighth of one; what is not nothing is seen."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)


def tally(entries: Sequence[Entry], width: int) -> Text:
    """Draw who answered in so many characters: for each a name, a bar and a count; fresh in white, drained in grey.

    The most frequent has the longest bar.
    Those for whom there is no room are counted at the end; the drained ones first, then those with the fewest answers.
    """
    room = max((width + _GAP) // (_LEAST_CELL + _GAP), 1)
    shown = _chosen(entries, room)
    hidden = len(entries) - len(shown)
    more = f" +{hidden}" if hidden else ""
    if not shown:
        return Text(" " * width)
    cell = (width - len(more) + _GAP) // len(shown) - _GAP
    most = max(entry.count for entry in entries)
    text = Text()
    for position, entry in enumerate(shown):
        text.append(" " * _GAP if position else "")
        _append_cell(text, entry, most, cell)
    text.append(more, DRAINED)
    text.truncate(width, pad=True)
    return text


def _chosen(entries: Sequence[Entry], room: int) -> list[Entry]:
    if len(entries) <= room:
        return list(entries)
    best = sorted(entries, key=lambda entry: (not entry.fresh, -entry.count))[:room]
    return [entry for entry in entries if entry in best]


def _append_cell(text: Text, entry: Entry, most: int, width: int) -> None:
    count = short(entry.count, 5 if width > _LEAST_CELL + 4 else 4)
    name_width = min(len(entry.who), max(width - len(count) - 4, 3))
    length = max(width - name_width - len(count) - 2, 1)
    text.append(clipped(entry.who, name_width) + " ", FRESH if entry.fresh else DRAINED)
    text.append(bar(entry.count / most, min(length, 24)), BAR if entry.fresh else DRAINED)
    text.append(" " + count + " " * max(length - 24, 0), FRESH if entry.fresh else DRAINED)


def clipped(text: str, width: int) -> str:
    """Shorten to a width, with an ellipsis, or fill up with blanks."""
    return text.ljust(width) if len(text) <= width else text[: max(width - 1, 0)] + "…"


def tail(text: str, width: int) -> str:
    """As `clipped`, but keep the end: of an IPv6 address with a port that tells more."""
    return text.ljust(width) if len(text) <= width else "…" + text[len(text) - width + 1 :]


def short(count: int, width: int = 6) -> str:
    """A count in at most so many characters, at least four: `9999`, `123k`, `12M`."""
    for divisor, unit in ((1, ""), (1_000, "k")):
        text = f"{count // divisor}{unit}"
        if len(text) <= width:
            return text
    return f"{count // 1_000_000}M"
