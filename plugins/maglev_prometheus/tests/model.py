"""The same metrics made the slow and obvious way, by prometheus_client, from plain data, and a control for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from maglev.api import (
    BackendMetrics,
    BackendState,
    Code,
    DataplaneFindings,
    DataplaneInfo,
    DataplaneStatus,
    FrontendMetrics,
    FrontendState,
    IPProtocol,
    LoopLag,
    Metrics,
    Status,
    Transition,
    Trouble,
    Verdict,
    VipCounters,
    VipKey,
)
from maglev_prometheus import catalogue
from maglev_prometheus.probes import BOUNDS_S

INFO = DataplaneInfo("vpp", "25.06", "1", build_date="2026-01-02", pid=4711, boot_time_s=100.0, connected_at_s=250.0)


def vip(address: str, port: int = 443) -> VipKey:
    """A VIP for TCP."""
    return VipKey(ip_address(address), IPProtocol.TCP, port)


def dataplane(**changes: Any) -> DataplaneStatus:
    """A connected dataplane that did a few things."""
    whole: dict[str, Any] = {
        "name": "vpp",
        "connected": True,
        "observing": False,
        "info": INFO,
        "detail": "",
        "findings": DataplaneFindings((ip_address("198.51.100.1"),), 65536),
        "api_messages": {("lb_add_del_vip", "tx", "ok"): 3, ("lb_add_del_vip_reply", "rx", "error"): 1},
        "operations": {("fill", "add-vip"): 2, ("transition", "set-weight"): 1_500_000, ("transition", "error"): 1},
    }
    return DataplaneStatus(**{**whole, **changes})


def status(**changes: Any) -> Status:
    """A daemon that runs for a while."""
    whole: dict[str, Any] = {
        "at_s": 1000.5,
        "version": "1.2.3",
        "started_at_s": 200.0,
        "config_loaded_at_s": 1_790_000_000.25,
        "reloads": {"success": 4, "failure": 1},
        "warm": True,
        "dataplane": dataplane(),
        "troubles": (Trouble("exporter", "grpc", "down", 900.0), Trouble("exporter", "grpc :9090", "in use", 900.0)),
    }
    return Status(**{**whole, **changes})


@attrs.define(eq=False)
class FakeControl:
    """Plain data, and as much of a `Control` as a scrape needs."""

    backends: Sequence[BackendMetrics] = ()
    frontends: Sequence[FrontendMetrics] = ()
    probes: Sequence[tuple[str, str, Code, int]] = ()
    transitions: Sequence[tuple[str, Transition]] = ()
    traffic: Sequence[VipCounters] = ()
    now: Status = attrs.field(factory=status)

    def status(self) -> Status:
        return self.now

    def metrics(self) -> Metrics:
        return Metrics(self.now, tuple(self.backends), tuple(self.frontends))

    async def counters(self) -> Sequence[VipCounters]:
        return self.traffic

    def lag(self) -> LoopLag:
        return LoopLag(0.00025, 0.5, 1)


class Model(Collector):
    """The metrics of a world.

    Args:
        world: The system under test, and what the model expects of it.
        each_backend: Whether each backend has a histogram.
    """

    def __init__(self, world: FakeControl, *, each_backend: bool) -> None:
        self._world = world
        self._each_backend = each_backend

    def collect(self) -> Iterable[Metric]:
        yield self._probes()
        yield self._durations()
        yield self._transitions()
        yield from self._backends()
        yield from self._frontends()
        yield from self._dataplane()
        yield from self._traffic()
        yield from self._daemon()

    def _probes(self) -> Metric:
        metric = counter(catalogue.PROBES)
        counted = Counter((backend, type_, code) for backend, type_, code, _ns in self._world.probes)
        for backend in self._world.backends:
            for (name, type_, code), count in counted.items():
                if (name, type_) == (backend.name, backend.type):
                    metric.add_metric([name, code.value, code.verdict.value, type_], count)
        return metric

    def _durations(self) -> Metric:
        labels = ["backend", "type"] if self._each_backend else ["type"]
        metric = HistogramMetricFamily(catalogue.DURATIONS.name, catalogue.DURATIONS.help, labels=labels)
        kept = {(b.name, b.type) for b in self._world.backends}
        types = {b.type for b in self._world.backends}
        groups: dict[tuple[str, ...], list[int]] = {}
        if self._each_backend:
            seen = {(name, type_) for name, type_, _code, _ns in self._world.probes}
            groups = {(b.name, b.type): [] for b in self._world.backends if b.type and (b.name, b.type) in seen}
        for name, type_, code, ns in self._world.probes:
            key: tuple[str, ...] = (name, type_) if self._each_backend else (type_,)
            if (name, type_) in kept if self._each_backend else type_ in types:
                groups.setdefault(key, []).extend([ns] if code.verdict is not Verdict.VOID else [])
        for labelled, durations in groups.items():
            bounds = [*BOUNDS_S, float("inf")]
            buckets = [(go(bound), sum(ns <= bound * 1e9 for ns in durations)) for bound in bounds]
            metric.add_metric(list(labelled), buckets, sum(durations) / 1e9)
        return metric

    def _transitions(self) -> Metric:
        metric = counter(catalogue.TRANSITIONS)
        counted = Counter((name, t.from_state.value, t.to_state.value) for name, t in self._world.transitions)
        for backend in self._world.backends:
            for (name, from_, to), count in counted.items():
                if name == backend.name:
                    metric.add_metric([name, from_, to], count)
        return metric

    def _backends(self) -> Iterator[Metric]:
        families = (
            catalogue.BACKEND_STATE, catalogue.BACKEND_HEALTH, catalogue.BACKEND_ENABLED, catalogue.CERTIFICATE
        )  # fmt: skip
        states, health, enabled, certificates = map(gauge, families)
        for backend in self._world.backends:
            for state in ("unknown", "up", "down", "paused", "disabled"):
                states.add_metric([backend.name, state], float(backend.state == state))
            if backend.type is not None:
                health.add_metric([backend.name], backend.counter)
            enabled.add_metric([backend.name], float(backend.state is not BackendState.DISABLED))
            if backend.certificate_not_after_s is not None:
                certificates.add_metric([backend.name], backend.certificate_not_after_s)
        yield from (states, health, enabled, certificates)

    def _frontends(self) -> Iterator[Metric]:
        families = (catalogue.FRONTEND_STATE, catalogue.WEIGHT, catalogue.EFFECTIVE_WEIGHT)
        states, weights, effective = map(gauge, families)
        for frontend in self._world.frontends:
            for state in FrontendState:
                states.add_metric([frontend.name, state.value], float(frontend.state is state))
            for member in frontend.members:
                weights.add_metric([member.backend, frontend.name, member.pool], member.weight)
                effective.add_metric([member.backend, frontend.name, member.pool], member.effective_weight)
        yield from (states, weights, effective)

    def _dataplane(self) -> Iterator[Metric]:
        now = self._world.now
        connected, uptime, connected_for = map(gauge, (catalogue.CONNECTED, catalogue.UPTIME, catalogue.CONNECTED_FOR))
        connected.add_metric([], float(now.dataplane.connected))
        info = InfoMetricFamily("maglev_vpp", catalogue.INFO.help)
        if (known := now.dataplane.info) is not None:
            uptime.add_metric([], now.at_s - (known.boot_time_s or 0))
            connected_for.add_metric([], now.at_s - (known.connected_at_s or 0))
            labels = {"version": known.version, "build_date": known.build_date, "pid": str(known.pid)}
            info.add_metric([], labels)
        messages, syncs = map(counter, (catalogue.MESSAGES, catalogue.SYNCS))
        for (message, direction, result), count in sorted(now.dataplane.api_messages.items()):
            messages.add_metric([direction, message, result], count)
        scopes = ("transition", "periodic", "operator", "reload", "fill")
        operations = {**{(scope, "error"): 0 for scope in scopes}, **now.dataplane.operations}
        for (scope, kind), count in sorted(operations.items()):
            syncs.add_metric([kind, scope], count)
        unrouted, lost = map(gauge, (catalogue.UNROUTED, catalogue.LOST))
        if now.dataplane.connected:
            unrouted.add_metric([], len(now.dataplane.findings.unrouted))
        if (lost_bytes := now.dataplane.findings.lost_bytes) is not None:
            lost.add_metric([], lost_bytes)
        yield from (connected, uptime, connected_for, info, messages, syncs, unrouted, lost)

    def _traffic(self) -> Iterator[Metric]:
        packets, routed, octets = map(counter, (catalogue.VIP_PACKETS, catalogue.ROUTE_PACKETS, catalogue.ROUTE_BYTES))
        for counted in self._world.traffic:
            prefix = f"{counted.vip.address}/{counted.vip.address.max_prefixlen}"
            for kind, count in counted.packets.items():
                packets.add_metric([kind, str(counted.vip.port), prefix, counted.vip.protocol.value], count)
            if counted.route_packets is not None and counted.route_bytes is not None:
                routed.add_metric([prefix], counted.route_packets)
                octets.add_metric([prefix], counted.route_bytes)
        yield from (packets, routed, octets)

    def _daemon(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(catalogue.LAG.name, catalogue.LAG.help, value=0.00025)
        reloads = counter(catalogue.RELOADS)
        for result, count in self._world.now.reloads.items():
            reloads.add_metric([result], count)
        yield reloads
        troubles = gauge(catalogue.TROUBLES)
        for kind in ("exporter", "exporter-options", "reload", "state"):
            troubles.add_metric([kind], sum(one.kind == kind for one in self._world.now.troubles))
        yield troubles
        loaded = self._world.now.config_loaded_at_s
        yield GaugeMetricFamily(catalogue.RELOADED_AT.name, catalogue.RELOADED_AT.help, value=loaded)


def counter(family: catalogue.Family) -> CounterMetricFamily:
    return CounterMetricFamily(family.name, family.help, labels=family.labels)


def gauge(family: catalogue.Family) -> GaugeMetricFamily:
    return GaugeMetricFamily(family.name, family.help, labels=family.labels)


def go(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)


def written(model: Model, *, openmetrics: bool) -> str:
    """What prometheus_client writes."""
    registry = CollectorRegistry()
    registry.register(model)
    if openmetrics:
        whole: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]  # it is not annotated
        return whole.decode()
    return generate_latest(registry).decode()


__all__ = ["FakeControl", "Model", "dataplane", "status", "vip", "written"]
