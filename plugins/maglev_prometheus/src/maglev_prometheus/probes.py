"""Counts probes. `Probes.__call__` is on the probing path: one call a probe, so it is as short as it can be."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate

import attrs

from maglev.api import BackendMetrics, Code, ProbeResult, Verdict
from maglev_prometheus.catalogue import DURATIONS, PROBES
from maglev_prometheus.text import EXPONENTS_FROM, escaped, in_chunks, number, series

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets in seconds: from an echo on loopback to the longest sane timeout."""
BOUNDS_NS = tuple(round(bound * 1e9) for bound in BOUNDS_S)
_WHOSE = "\0"


@attrs.define(eq=False)
class Count:
    """One counter.

    Args:
        line: Its line up to the value.
        timed: Whether the duration of what it counts says anything.
        value: How much was counted.
    """

    line: str
    timed: bool = False
    value: int = 0

    def text(self) -> str:
        """Its whole line."""
        return f"{self.line}{number(self.value)}\n"


@attrs.define(eq=False)
class Meter:
    """The counts of one backend under one type of check."""

    backend: str
    type: str
    histogram: Histogram
    counts: dict[Code, Count] = attrs.field(factory=dict)

    def begin(self, code: Code) -> Count:
        """Begin to count a code."""
        verdict = code.verdict
        line = series(PROBES.name, backend=self.backend, type=self.type, result=verdict.value, code=code.value)
        count = self.counts[code] = Count(line, timed=verdict is not Verdict.VOID)
        return count

    def text(self) -> str:
        """The lines of its counters."""
        return "".join([count.text() for count in self.counts.values()])


@attrs.define(eq=False)
class Histogram:
    """Durations by bucket. Who counts does it by hand, since a call costs as much as the counting.

    Args:
        type: The type of check.
        whose: The label of the backend, with a comma; empty for the durations of all backends of the type.
        buckets: How many were no longer than each bound (and longer than the one before), and longer than all.
        sum_ns: All durations together, in nanoseconds.
    """

    type: str
    whose: str = ""
    buckets: list[int] = attrs.field(factory=lambda: [0] * (len(BOUNDS_NS) + 1))
    sum_ns: int = 0

    def text(self) -> str:
        """All its lines."""
        counts: list[int] = list(accumulate(self.buckets))
        counts.append(counts[-1])
        small = counts[-1] < EXPONENTS_FROM
        values = counts if small else map(number, counts)
        # Names go in last, and cannot be taken for placeholders.
        written = _template(self.type, small=small) % (*values, number(self.sum_ns / 1e9))
        return written.replace(_WHOSE, self.whose)


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


@attrs.define(eq=False)
class Probes:
    """All meters; a `maglev.api.ProbeObserver`.

    Counters of a backend that left the configuration are kept until a scrape was made without it: if it comes back
    before, they must not start at 0.

    Args:
        each_backend: Whether each backend has a histogram of its own, or only each type of check.
    """

    _each_backend: bool
    _meters: dict[str, Meter] = attrs.field(factory=dict, init=False)
    _replaced: dict[tuple[str, str], Meter] = attrs.field(factory=dict, init=False)
    _by_type: dict[str, Histogram] = attrs.field(factory=dict, init=False)

    def __call__(self, backend: str, checker: str, result: ProbeResult, duration_ns: int) -> None:
        """Take note of one ended probe."""
        meter = self._meters.get(backend)
        if meter is None or meter.type != checker:
            meter = self._change(backend, checker)
        code = result.code
        count = meter.counts.get(code)
        if count is None:
            count = meter.begin(code)
        count.value += 1
        if count.timed:
            histogram = meter.histogram
            histogram.buckets[bisect_left(BOUNDS_NS, duration_ns)] += 1
            histogram.sum_ns += duration_ns

    def _change(self, backend: str, checker: str) -> Meter:
        before = self._meters.get(backend)
        if before is not None:
            self._replaced[backend, before.type] = before
        meter = self._replaced.pop((backend, checker), None)
        if meter is None:
            shared = None if self._each_backend else self._by_type.setdefault(checker, Histogram(checker))
            meter = Meter(backend, checker, shared or Histogram(checker, f'backend="{escaped(backend)}",'))
        self._meters[backend] = meter
        return meter

    def present(self, backends: Sequence[BackendMetrics]) -> list[Meter]:
        """The meters of what is configured, in its order; all others are forgotten."""
        kept = []
        for backend in backends:
            meter = self._meters.get(backend.name)
            if meter is not None and meter.type != backend.type:
                meter = self._replaced.get((backend.name, backend.type or ""))
            if meter is not None:
                kept.append(meter)
        if len(kept) < len(self._meters) or self._replaced:
            self._meters = {meter.backend: meter for meter in kept}
            self._replaced.clear()
            types = {backend.type for backend in backends}
            self._by_type = {type_: histogram for type_, histogram in self._by_type.items() if type_ in types}
        return kept

    def totals(self, meters: Sequence[Meter]) -> Iterator[str]:
        """The lines of `maglev_probe_total`, some at a time."""
        return in_chunks(meters, Meter.text)

    def durations(self, meters: Sequence[Meter]) -> Iterator[str]:
        """The lines of `maglev_probe_duration_seconds`, some at a time."""
        histograms = [meter.histogram for meter in meters] if self._each_backend else list(self._by_type.values())
        return in_chunks(histograms, Histogram.text)
