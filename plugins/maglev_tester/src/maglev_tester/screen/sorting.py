"""In which order the VIPs are shown, and which of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import attrs

from maglev_tester.record import Record
from maglev_tester.results import Results
from maglev_tester.vips import Vip
from maglev_tester.window import PERCENTILES

Shown = tuple[Vip, Record]


def _latency(name: str, record: Record) -> float:
    return record.window.percentiles()[name] or 0


_KEYS: dict[str, Callable[[Record], float]] = {
    "count": lambda record: record.count,
    "fail": lambda record: record.failed,
    "ok%": lambda record: 101.0 if record.ok_percent is None else record.ok_percent,
    **{name: partial(_latency, name) for name in PERCENTILES},
}
COLUMNS = ("name", *_KEYS)
"""What can be sorted by, in the order that the key goes through."""
_WORST_IS_LEAST = frozenset({"name", "ok%"})


@attrs.frozen
class View:
    """The user's choice of order and filter.

    Args:
        column: One of `COLUMNS`.
        reverse: The other way round than usual. Usual is: names from A, else the worst first.
        pattern: Only VIPs in whose name or `address:port` this is found.
    """

    column: str = "name"
    reverse: bool = False
    pattern: re.Pattern[str] | None = None

    def next_column(self) -> View:
        """Sort by the next column."""
        position = COLUMNS.index(self.column) + 1
        return attrs.evolve(self, column=COLUMNS[position % len(COLUMNS)], reverse=False)

    @property
    def descending(self) -> bool:
        """Whether the greatest comes first."""
        return (self.column not in _WORST_IS_LEAST) != self.reverse

    def shown(self, results: Results) -> list[Shown]:
        """The VIPs to show, in order; those that are alike by name."""
        pairs = [pair for pair in results.by_vip if self._wants(pair[0])]
        pairs.sort(key=lambda pair: pair[0].name, reverse=self.column == "name" and self.reverse)
        key = _KEYS.get(self.column)
        if key is not None:
            pairs.sort(key=lambda pair: key(pair[1]), reverse=self.descending)
        return pairs

    def _wants(self, vip: Vip) -> bool:
        return self.pattern is None or bool(self.pattern.search(vip.name) or self.pattern.search(vip.endpoint))
