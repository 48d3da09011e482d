"""Writes the state of backends, frontends, dataplane and daemon as lines; keeps those of what did not change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar, get_args

import attrs

from maglev.api import (
    BackendMetrics,
    BackendState,
    DataplaneInfo,
    FrontendMetrics,
    FrontendState,
    LoopLag,
    Status,
    TroubleKind,
)
from maglev_prometheus import catalogue
from maglev_prometheus.catalogue import Family
from maglev_prometheus.text import line

BACKEND_STATES = tuple(state for state in BackendState if state is not BackendState.REMOVED)
"""A removed backend has no series any more."""
_NO_ERRORS = {(scope, "error"): 0 for scope in ("transition", "periodic", "operator", "reload", "fill")}
"""There before the first error: the rise of a series from nothing to 1 cannot be seen."""

T = TypeVar("T", bound=BackendMetrics | FrontendMetrics)
Section = tuple[Family, Iterable[str]]


@attrs.define(eq=False)
class LineCache(Generic[T]):
    """Lines of many objects in some families, written again only where an object was replaced since the last scrape.

    Args:
        families: The metric families, in their order.
        make: Makes the lines of one object, one text for each family.
        chunk: How many objects to look at in one go: about half a millisecond's worth.
    """

    _families: Sequence[Family]
    _make: Callable[[T], tuple[str, ...]]
    _chunk: int
    _known: dict[str, tuple[T, tuple[str, ...]]] = attrs.field(factory=dict, init=False)

    def sections(self, things: Sequence[T]) -> Iterator[Section]:
        """Each family with the lines of all objects, some at a time. They must be taken in this order."""
        rows: list[list[tuple[str, ...]]] = []
        yield self._families[0], self._first(things, rows)
        for index, family in enumerate(self._families[1:], 1):
            yield family, ("".join([row[index] for row in some]) for some in rows)

    def _first(self, things: Sequence[T], rows: list[list[tuple[str, ...]]]) -> Iterator[str]:
        before, self._known = self._known, {}
        for at in range(0, len(things), self._chunk):
            some = []
            for thing in things[at : at + self._chunk]:
                entry = before.get(thing.name)
                if entry is None or entry[0] is not thing:
                    entry = thing, self._make(thing)
                self._known[thing.name] = entry
                some.append(entry[1])
            rows.append(some)
            yield "".join([row[0] for row in some])


BACKEND_FAMILIES = (catalogue.BACKEND_STATE, catalogue.BACKEND_HEALTH, catalogue.BACKEND_ENABLED, catalogue.CERTIFICATE)
FRONTEND_FAMILIES = (catalogue.FRONTEND_STATE, catalogue.WEIGHT, catalogue.EFFECTIVE_WEIGHT)


def backend_lines(backend: BackendMetrics) -> tuple[str, ...]:
    """The lines of one backend, by `BACKEND_FAMILIES`."""
    state, health, enabled, certificate = BACKEND_FAMILIES
    name, ends_s = backend.name, backend.certificate_not_after_s
    return (
        "".join([line(state, each is backend.state, backend=name, state=each.value) for each in BACKEND_STATES]),
        # A backend that is not probed has no health.
        "" if backend.type is None else line(health, backend.counter, backend=name),
        line(enabled, backend.state is not BackendState.DISABLED, backend=name),
        "" if ends_s is None else line(certificate, ends_s, backend=name),
    )


def frontend_lines(frontend: FrontendMetrics) -> tuple[str, ...]:
    """The lines of one frontend, by `FRONTEND_FAMILIES`."""
    state, weight, effective = FRONTEND_FAMILIES
    name = frontend.name
    places = [({"frontend": name, "pool": m.pool, "backend": m.backend}, m) for m in frontend.members]
    return (
        "".join([line(state, each is frontend.state, frontend=name, state=each.value) for each in FrontendState]),
        "".join([line(weight, m.weight, **place) for place, m in places]),
        "".join([line(effective, m.effective_weight, **place) for place, m in places]),
    )


def dataplane_lines(status: Status) -> Iterator[Section]:
    """The lines of the connection to the dataplane, family by family."""
    dataplane, info = status.dataplane, status.dataplane.info
    yield catalogue.CONNECTED, [line(catalogue.CONNECTED, dataplane.connected)]
    started_s, connected_s = (info.boot_time_s, info.connected_at_s) if info else (None, None)
    for family, at_s in (catalogue.UPTIME, started_s), (catalogue.CONNECTED_FOR, connected_s):
        yield family, [] if at_s is None else [line(family, max(0.0, status.at_s - at_s))]
    yield catalogue.INFO, [] if info is None else [info_line(info)]
    messages = sorted(dataplane.api_messages.items())
    lines = [line(catalogue.MESSAGES, n, msg=key[0], direction=key[1], result=key[2]) for key, n in messages]
    yield catalogue.MESSAGES, lines
    operations = sorted({**_NO_ERRORS, **dataplane.operations}.items())
    yield catalogue.SYNCS, [line(catalogue.SYNCS, n, scope=key[0], kind=key[1]) for key, n in operations]
    unrouted, lost = dataplane.findings.unrouted, dataplane.findings.lost_bytes
    yield catalogue.UNROUTED, [line(catalogue.UNROUTED, len(unrouted))] if dataplane.connected else []
    yield catalogue.LOST, [] if lost is None else [line(catalogue.LOST, lost)]


def info_line(info: DataplaneInfo) -> str:
    """The line of `maglev_vpp_info`."""
    pid = "" if info.pid is None else str(info.pid)
    return line(catalogue.INFO, 1, version=info.version, build_date=info.build_date, pid=pid)


def daemon_lines(status: Status, lag: LoopLag) -> Iterator[Section]:
    """The lines of the daemon itself, family by family."""
    yield catalogue.LAG, [line(catalogue.LAG, lag.last_s)]
    yield catalogue.RELOADS, [line(catalogue.RELOADS, n, result=result) for result, n in status.reloads.items()]
    troubles = Counter(one.kind for one in status.troubles)
    yield catalogue.TROUBLES, [line(catalogue.TROUBLES, troubles[kind], kind=kind) for kind in get_args(TroubleKind)]
    yield catalogue.RELOADED_AT, [line(catalogue.RELOADED_AT, status.config_loaded_at_s)]
