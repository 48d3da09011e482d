"""Histograms of probe durations, cheap to count into and cheap to write out."""

from __future__ import annotations

from functools import cache
from itertools import accumulate

from maglev_prometheus.catalogue import DURATIONS
from maglev_prometheus.text import escaped, number

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets in seconds: from an echo on loopback to the longest sane timeout."""
BOUNDS_NS = tuple(round(bound * 1e9) for bound in BOUNDS_S)
_MANY = 1_000_000
"""From here on numbers are written with exponents."""
_WHOSE = "\0"


class Histogram:
    """Durations by bucket. Who counts does it by hand, since a call costs as much as the counting.

    Args:
        type_: The type of check.
        backend: Whose durations; `None` for those of all backends of the type.
    """

    __slots__ = ("_type", "_whose", "buckets", "sum_ns")

    def __init__(self, type_: str, backend: str | None = None) -> None:
        self.buckets = [0] * (len(BOUNDS_NS) + 1)
        """How many durations were no longer than each bound (and longer than the one before), and longer than all."""
        self.sum_ns = 0
        self._type = type_
        self._whose = "" if backend is None else f'backend="{escaped(backend)}",'

    def text(self) -> str:
        """All its lines."""
        counts: list[int] = list(accumulate(self.buckets))
        counts.append(counts[-1])
        small = counts[-1] < _MANY
        values = counts if small else map(number, counts)
        # Names go in last, and cannot be taken for placeholders.
        written = _template(self._type, small=small) % (*values, number(self.sum_ns / 1e9))
        return written.replace(_WHOSE, self._whose)


@cache
def _template(type_: str, *, small: bool) -> str:
    value = "%d.0" if small else "%s"
    type_label = f'type="{escaped(type_)}"'.replace("%", "%%")
    bounds = [*map(number, BOUNDS_S), "+Inf"]
    name = DURATIONS.name
    lines = [f'{name}_bucket{{{_WHOSE}le="{bound}",{type_label}}} {value}\n' for bound in bounds]
    lines.append(f"{name}_count{{{_WHOSE}{type_label}}} {value}\n")
    lines.append(f"{name}_sum{{{_WHOSE}{type_label}}} %s\n")
    return "".join(lines)
