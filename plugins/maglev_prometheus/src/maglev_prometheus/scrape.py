"""Writes an exposition: in slices, once for all clients that ask at the same time, and at most half of the time.

The same process probes backends. So no slice is longer than a few milliseconds, and all slices together take at most
half of the time, however often somebody scrapes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
from prometheus_client import CollectorRegistry, ProcessCollector

from maglev.api import CommandError, Control, DataplaneError, Metrics, RateLimit, VipCounters
from maglev_prometheus.catalogue import (
    DURATIONS,
    PROBES,
    ROUTE_BYTES,
    ROUTE_PACKETS,
    TRANSITIONS,
    VIP_PACKETS,
    Family,
)
from maglev_prometheus.probes import CHUNK, Probes
from maglev_prometheus.state import (
    BACKEND_COLUMNS,
    FRONTEND_COLUMNS,
    LineCache,
    backend_lines,
    daemon_lines,
    dataplane_lines,
    frontend_lines,
)
from maglev_prometheus.text import Format, header, render_registry
from maglev_prometheus.traffic import Traffic
from maglev_prometheus.transitions import Transitions

SLICE_S = 0.003
COUNTERS_WITHIN_S = 2.0
_FRONTENDS_AT_ONCE = 16

Section = tuple[Family, Iterable[str]]

log = logging.getLogger("maglev.prometheus")


@attrs.define
class Meters:
    """Counters. They belong to a controller, and outlive an exporter that crashes.

    Args:
        probes: Probes.
        transitions: Changes of backends' states.
        traffic: What the dataplane counts.
    """

    probes: Probes
    transitions: Transitions = attrs.field(factory=Transitions)
    traffic: Traffic = attrs.field(factory=Traffic)


@attrs.frozen
class Cost:
    """What a scrape cost.

    Args:
        busy_s: All slices together, in seconds.
        longest_s: The longest slice, in seconds.
        slices: How many there were.
        size: Of the exposition, in bytes.
    """

    busy_s: float
    longest_s: float
    slices: int
    size: int


class Scrapes:
    """Makes expositions of a controller.

    Args:
        control: The controller.
        meters: What is counted of it.
    """

    def __init__(self, control: Control, meters: Meters) -> None:
        self.cost: Cost | None = None
        """What the last scrape cost."""
        self._control = control
        self._meters = meters
        self._backends = LineCache(backend_lines, CHUNK)
        self._frontends = LineCache(frontend_lines, _FRONTENDS_AT_ONCE)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        self._turn = anyio.Lock()
        self._done: dict[Format, tuple[float, Sequence[bytes]]] = {}
        self._not_before_s = 0.0
        self._complaints = RateLimit()

    async def exposition(self, form: Format) -> Sequence[bytes]:
        """Write everything as it is now, encoded, in parts; clients that ask meanwhile share the next one.

        Args:
            form: How to write it.
        """
        asked_s = time.monotonic()
        async with self._turn:
            begun_s, parts = self._done.get(form, (-1.0, ()))
            if begun_s < asked_s:
                await anyio.sleep(max(0.0, self._not_before_s - time.monotonic()))
                begun_s = time.monotonic()
                parts = await self._make(form)
            self._done[form] = begun_s, parts
            if not self._turn.statistics().tasks_waiting:
                self._done.clear()
            return parts

    async def _make(self, form: Format) -> Sequence[bytes]:
        counters = await self._counters()
        process = await anyio.to_thread.run_sync(render_registry, self._process, form)
        sliced = _SlicedText()
        try:
            for family, texts in self._sections(counters):
                sliced.write(header(family, form))
                for text in texts:
                    await sliced.write_in_slices(text)
            sliced.write(process + form.end)
            return sliced.finish()
        finally:
            self.cost = sliced.cost
            self._not_before_s = time.monotonic() + sliced.cost.busy_s

    def _sections(self, counters: Sequence[VipCounters]) -> Iterator[Section]:
        metrics = self._control.metrics()
        meters = self._meters
        backends = metrics.backends
        present = meters.probes.present(backends)
        yield PROBES, meters.probes.totals(present)
        yield DURATIONS, meters.probes.durations(present)
        yield TRANSITIONS, meters.transitions.lines(backends)
        yield from _columns(BACKEND_COLUMNS, self._backends.first(backends), self._backends)
        yield from _columns(FRONTEND_COLUMNS, self._frontends.first(metrics.frontends), self._frontends)
        for family, text in dataplane_lines(metrics.status):
            yield family, (text,)
        yield from self._traffic(metrics, counters)
        for family, text in daemon_lines(metrics.status, self._control.lag()):
            yield family, (text,)

    def _traffic(self, metrics: Metrics, counters: Sequence[VipCounters]) -> Iterator[Section]:
        traffic = self._meters.traffic
        traffic.keep({frontend.vip for frontend in metrics.frontends}, counters)
        yield VIP_PACKETS, traffic.packets(counters)
        packets, octets = traffic.routes(counters)
        yield ROUTE_PACKETS, (packets,)
        yield ROUTE_BYTES, (octets,)

    async def _counters(self) -> Sequence[VipCounters]:
        if not self._control.status().dataplane.connected:
            return ()
        try:
            with anyio.fail_after(COUNTERS_WITHIN_S):
                return await self._control.counters()
        except (DataplaneError, CommandError, TimeoutError) as error:
            if self._complaints.allow():
                log.warning("scraped without the dataplane's counters: %s", str(error) or "no answer in time")
            return ()


def _columns(families: Sequence[Family], first: Iterator[str], lines: LineCache[Any]) -> Iterator[Section]:
    yield families[0], first
    for index, family in enumerate(families[1:], 1):
        yield family, lines.column(index)


class _SlicedText:
    """Collects text, encodes it, and yields to the event loop when a slice is over."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._gathered: list[str] = []
        self._began_s = time.perf_counter()
        self._busy_s = self._longest_s = 0.0
        self._slices = 0

    def write(self, text: str) -> None:
        self._gathered.append(text)

    async def write_in_slices(self, text: str) -> None:
        self._gathered.append(text)
        if time.perf_counter() - self._began_s >= SLICE_S:
            self._end_slice()
            await anyio.lowlevel.checkpoint()
            self._began_s = time.perf_counter()

    def finish(self) -> Sequence[bytes]:
        self._end_slice()
        return self._parts

    def _end_slice(self) -> None:
        self._parts.append("".join(self._gathered).encode("utf-8", "replace"))
        self._gathered.clear()
        took_s = time.perf_counter() - self._began_s
        self._busy_s += took_s
        self._longest_s = max(self._longest_s, took_s)
        self._slices += 1

    @property
    def cost(self) -> Cost:
        """What was spent so far."""
        return Cost(self._busy_s, self._longest_s, self._slices, sum(map(len, self._parts)))
