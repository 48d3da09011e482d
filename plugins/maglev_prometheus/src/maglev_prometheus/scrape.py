"""Writes an exposition: in slices, once for all clients that ask at the same time, and at most half of the time.

The same process probes backends. So no slice is longer than a few milliseconds, and all slices together take at most
half of the time, however often somebody scrapes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from itertools import chain

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
from prometheus_client import ProcessCollector

from maglev.api import CommandError, Control, DataplaneError, RateLimit, VipCounters
from maglev_prometheus import catalogue
from maglev_prometheus.probes import Probes
from maglev_prometheus.state import (
    BACKEND_FAMILIES,
    FRONTEND_FAMILIES,
    LineCache,
    Section,
    backend_lines,
    daemon_lines,
    dataplane_lines,
    frontend_lines,
)
from maglev_prometheus.text import CHUNK, Format, header, render
from maglev_prometheus.traffic import Traffic
from maglev_prometheus.transitions import Transitions

SLICE_S = 0.003
COUNTERS_WITHIN_S = 2.0
_FRONTENDS_AT_ONCE = 16

log = logging.getLogger("maglev.prometheus")


@attrs.define
class Meters:
    """Counters. They belong to a controller, and outlive an exporter that crashes."""

    probes: Probes
    transitions: Transitions = attrs.field(factory=Transitions)
    traffic: Traffic = attrs.field(factory=Traffic)


@attrs.define
class Cost:
    """The cost of a scrape.

    Args:
        busy_s: All slices together, in seconds.
        longest_s: The longest slice, in seconds.
        slices: How many there were.
        size: Of the exposition, in bytes.
    """

    busy_s: float = 0.0
    longest_s: float = 0.0
    slices: int = 0
    size: int = 0


class Scrapes:
    """Makes expositions of a controller and of what is counted of it."""

    def __init__(self, control: Control, meters: Meters) -> None:
        self.cost: Cost | None = None
        """What the last scrape cost."""
        self._control = control
        self._meters = meters
        self._backends = LineCache(BACKEND_FAMILIES, backend_lines, CHUNK)
        self._frontends = LineCache(FRONTEND_FAMILIES, frontend_lines, _FRONTENDS_AT_ONCE)
        self._process = ProcessCollector(registry=None)
        self._turn = anyio.Lock()
        self._done: dict[Format, tuple[float, Sequence[bytes]]] = {}
        self._not_before_s = 0.0
        self._complaints = RateLimit()

    async def exposition(self, form: Format) -> Sequence[bytes]:
        """Write everything as it is now, encoded, in parts; clients that ask meanwhile share the next one."""
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
        process = await anyio.to_thread.run_sync(render, self._process, form)
        sections = (chain([header(family, form)], texts) for family, texts in self._sections(counters))
        texts = chain(chain.from_iterable(sections), [process + form.end])
        self.cost = Cost()
        parts = []
        try:
            while (part := _slice(texts, self.cost)) is not None:
                parts.append(part)
                await anyio.lowlevel.checkpoint()
            return parts
        finally:
            self._not_before_s = time.monotonic() + self.cost.busy_s

    def _sections(self, counters: Sequence[VipCounters]) -> Iterator[Section]:
        metrics = self._control.metrics()
        meters = self._meters
        backends = metrics.backends
        present = meters.probes.present(backends)
        yield catalogue.PROBES, meters.probes.totals(present)
        yield catalogue.DURATIONS, meters.probes.durations(present)
        yield catalogue.TRANSITIONS, meters.transitions.lines(backends)
        yield from self._backends.sections(backends)
        yield from self._frontends.sections(metrics.frontends)
        yield from dataplane_lines(metrics.status)
        meters.traffic.keep({frontend.vip for frontend in metrics.frontends}, counters)
        yield catalogue.VIP_PACKETS, meters.traffic.packets(counters)
        yield from zip((catalogue.ROUTE_PACKETS, catalogue.ROUTE_BYTES), meters.traffic.routes(counters), strict=True)
        yield from daemon_lines(metrics.status, self._control.lag())

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


def _slice(texts: Iterator[str], cost: Cost) -> bytes | None:
    """Take texts until a slice is over, and encode them; `None` if there were none."""
    began_s = time.perf_counter()
    taken = []
    for text in texts:
        taken.append(text)
        if time.perf_counter() - began_s >= SLICE_S:
            break
    if not taken:
        return None
    part = "".join(taken).encode("utf-8", "replace")
    took_s = time.perf_counter() - began_s
    cost.busy_s += took_s
    cost.longest_s = max(cost.longest_s, took_s)
    cost.slices += 1
    cost.size += len(part)
    return part
