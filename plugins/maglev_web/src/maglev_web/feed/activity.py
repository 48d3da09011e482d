"""What goes between a daemon and its dataplane: messages of the dataplane's own API, in all and a second."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from maglev.api import MessageCount

SHOWN = 8
"""Kinds of messages that are told one by one, the busiest."""


@attrs.frozen
class _Line:
    """Messages of one name: sent, received, and of these errors."""

    tx: int = 0
    rx: int = 0
    errors: int = 0

    def __sub__(self, other: _Line) -> _Line:
        return _Line(self.tx - other.tx, self.rx - other.rx, self.errors - other.errors)

    def __add__(self, other: _Line) -> _Line:
        return _Line(self.tx + other.tx, self.rx + other.rx, self.errors + other.errors)


class Activity:
    """Remembers the last reading."""

    def __init__(self) -> None:
        self._last: dict[str, _Line] = {}
        self._at_s: float | None = None

    def forget(self) -> None:
        """Start anew: the next reading gives no rates."""
        self._last, self._at_s = {}, None

    def read(self, counts: Iterable[MessageCount], at_s: float) -> dict[str, Any] | None:
        """Take a reading.

        Args:
            counts: Messages since the daemon started.
            at_s: When it was read, in monotonic seconds.

        Returns:
            `total`, and `messages` by name, a request with what answers it, the busiest first. Each with `tx`, `rx`
            and `errors` since the daemon started, and `rates`, the same a second, or `None` where there is nothing to
            compare with. `None` for a dataplane that does not count.
        """
        now = _by_name(counts)
        if not now:
            self.forget()
            return None
        passed_s = at_s - self._at_s if self._at_s is not None else 0.0
        before, self._last, self._at_s = self._last, now, at_s
        total, total_before = sum(now.values(), _Line()), sum(before.values(), _Line())
        known = passed_s > 0 and total.tx + total.rx >= total_before.tx + total_before.rx
        lines = {name: _told(line, before.get(name, _Line()), passed_s if known else 0.0) for name, line in now.items()}
        busiest = sorted(lines.items(), key=_busyness)[:SHOWN]
        return {
            "total": _told(total, total_before, passed_s if known else 0.0),
            "messages": [{"message": name, **line} for name, line in busiest],
            "more": len(lines) - len(busiest),
        }


def _by_name(counts: Iterable[MessageCount]) -> dict[str, _Line]:
    lines: dict[str, _Line] = {}
    for one in counts:
        wrong = one.count if one.result == "error" else 0
        line = _Line(tx=one.count, errors=wrong) if one.direction == "tx" else _Line(rx=one.count, errors=wrong)
        name = _request(one.message)
        lines[name] = lines.get(name, _Line()) + line
    return lines


def _request(message: str) -> str:
    # As VPP names what answers: `x_reply`, and `y_details` to `y_dump`.
    name = message.removesuffix("_reply")
    return f"{name.removesuffix('_details')}_dump" if name.endswith("_details") else name


def _told(line: _Line, before: _Line, passed_s: float) -> dict[str, Any]:
    rates = None
    if passed_s > 0:
        rates = {name: round(max(0, grown) / passed_s, 2) for name, grown in attrs.asdict(line - before).items()}
    return {**attrs.asdict(line), "rates": rates}


def _busyness(item: tuple[str, dict[str, Any]]) -> tuple[float, int, str]:
    name, line = item
    rates = line["rates"] or {"tx": 0.0, "rx": 0.0}
    return -(rates["tx"] + rates["rx"]), -(line["tx"] + line["rx"]), name
