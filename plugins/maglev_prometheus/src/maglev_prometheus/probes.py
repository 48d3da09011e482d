"""Counts probes. `Probes.__call__` is on the probing path: one call a probe, so it is as short as it can be."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from maglev.api import BackendMetrics, Code, ProbeResult, Verdict
from maglev_prometheus.catalogue import PROBES
from maglev_prometheus.histogram import BOUNDS_NS, Histogram
from maglev_prometheus.text import in_chunks, number, series


class Count:
    """One counter.

    Args:
        line: Its line up to the value.
        timed: Whether the duration of what it counts says anything.
    """

    __slots__ = ("line", "timed", "value")

    def __init__(self, line: str, *, timed: bool = False) -> None:
        self.line = line
        self.timed = timed
        self.value = 0

    def text(self) -> str:
        """Its whole line."""
        return f"{self.line}{number(self.value)}\n"


class Meter:
    """What is counted of one backend under one type of check."""

    __slots__ = ("backend", "counts", "histogram", "type")

    def __init__(self, backend: str, type_: str, histogram: Histogram) -> None:
        self.backend = backend
        self.type = type_
        self.histogram = histogram
        self.counts: dict[Code, Count] = {}

    def begin(self, code: Code) -> Count:
        """Begin to count a code."""
        verdict = code.verdict
        line = series(PROBES.name, backend=self.backend, type=self.type, result=verdict.value, code=code.value)
        count = self.counts[code] = Count(line, timed=verdict is not Verdict.VOID)
        return count

    def text(self) -> str:
        """The lines of its counters."""
        return "".join([count.text() for count in self.counts.values()])


class Probes:
    """All meters; a `maglev.api.ProbeObserver`.

    Counters of a backend that left the configuration are kept until a scrape was made without it: if it comes back
    before, they must not start at 0.

    Args:
        each_backend: Whether each backend has a histogram of its own, or only each type of check.
    """

    def __init__(self, *, each_backend: bool) -> None:
        self._each_backend = each_backend
        self._meters: dict[str, Meter] = {}
        self._replaced: dict[tuple[str, str], Meter] = {}
        self._by_type: dict[str, Histogram] = {}

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
            meter = Meter(backend, checker, shared or Histogram(checker, backend))
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
