"""Times, durations, shares and states in format."""

from __future__ import annotations

import time

from maglev_cli.views.model import Cell, Style

_TONES = {
    "up": Style.OK,
    "down": Style.ERROR,
    "unknown": Style.WARNING,
    "paused": Style.WARNING,
    "disabled": Style.DIM,
    "removed": Style.DIM,
}


def state(text: str) -> Cell:
    """A state of a backend or a frontend."""
    return Cell(text, _TONES.get(text, Style.PLAIN))


def age(seconds: float) -> str:
    """Format a time span in at most two units, as `3m12s`; never negative."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, secs = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (secs, "s")]
    first = next((index for index, (number, _) in enumerate(parts) if number), 3)
    return "".join(f"{number}{unit}" for number, unit in parts[first : first + 2] if number) or "0s"


def moment(at_s: float | None, now_s: float) -> str:
    """A moment, in seconds since the epoch as is `now_s`, in local time, and how long ago it was; empty if none."""
    if at_s is None:
        return ""
    return f"{local(at_s)} ({age(now_s - at_s)} ago)"


def local(at_s: float) -> str:
    """A moment, in seconds since the epoch, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))


def duration(seconds: float) -> str:
    """A duration as it is written in the configuration, as `1.5s` or `500ms`."""
    if seconds and seconds < 1:
        return f"{seconds * 1000:g}ms"
    return f"{seconds:g}s" if seconds < 60 or seconds % 60 else f"{seconds / 60:g}m"


def share(part: float) -> str:
    """A share, 0 to 1, in percent."""
    return f"{part * 100:.1f} %"


def yes(value: bool) -> str:  # noqa: FBT001  (what it words)
    """`yes` or `no`."""
    return "yes" if value else "no"


def in_sync(value: bool | None) -> Cell:  # noqa: FBT001  (what it words)
    """Whether the dataplane holds what is wanted; not known while there is no connection."""
    if value is None:
        return Cell("unknown", Style.WARNING)
    return Cell("in sync", Style.OK) if value else Cell("differs", Style.ERROR)
