"""Writes the state of backends, frontends, dataplane and daemon as lines; keeps those of what did not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from maglev.api import BackendMetrics, BackendState, FrontendMetrics, FrontendState, LoopLag, Status
from maglev_prometheus.catalogue import (
    BACKEND_ENABLED,
    BACKEND_HEALTH,
    BACKEND_STATE,
    CONNECTED,
    CONNECTED_FOR,
    EFFECTIVE_WEIGHT,
    FRONTEND_STATE,
    INFO,
    LAG,
    MESSAGES,
    RELOADED_AT,
    RELOADS,
    SYNCS,
    UPTIME,
    WEIGHT,
    Family,
)
from maglev_prometheus.text import number, series

BACKEND_STATES = tuple(state for state in BackendState if state is not BackendState.REMOVED)
"""A removed backend has no series any more."""


SCOPES = ("transition", "periodic", "operator", "reload", "fill")
_NO_ERRORS = {(scope, "error"): 0 for scope in SCOPES}
"""There before the first error: the rise of a series from nothing to 1 cannot be seen."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


class LineCache(Generic[T]):
    """Lines of many objects in some columns, written again only where an object was replaced since the last scrape.

    Args:
        make: Makes the lines of one thing, one text for each column.
        chunk: How many things to look at in one go: about half a millisecond's worth.
    """

    def __init__(self, make: Callable[[T], tuple[str, ...]], chunk: int) -> None:
        self._make = make
        self._chunk = chunk
        self._known: dict[str, tuple[T, tuple[str, ...]]] = {}
        self._rows: list[list[tuple[str, ...]]] = []

    def first(self, things: Sequence[T]) -> Iterator[str]:
        """Look at all things; the texts of the first column."""
        before, self._known, self._rows = self._known, {}, []
        for at in range(0, len(things), self._chunk):
            rows = []
            for thing in things[at : at + self._chunk]:
                entry = before.get(thing.name)
                if entry is None or entry[0] is not thing:
                    entry = thing, self._make(thing)
                self._known[thing.name] = entry
                rows.append(entry[1])
            self._rows.append(rows)
            yield "".join([row[0] for row in rows])

    def column(self, index: int) -> Iterator[str]:
        """The texts of a further column, of the things that `first` was exhausted with."""
        for rows in self._rows:
            yield "".join([row[index] for row in rows])


BACKEND_COLUMNS = (BACKEND_STATE, BACKEND_HEALTH, BACKEND_ENABLED)
FRONTEND_COLUMNS = (FRONTEND_STATE, WEIGHT, EFFECTIVE_WEIGHT)


def backend_lines(backend: BackendMetrics) -> tuple[str, ...]:
    """The lines of one backend, by `BACKEND_COLUMNS`."""
    name = backend.name
    states = [(series(BACKEND_STATE.name, backend=name, state=s.value), s is backend.state) for s in BACKEND_STATES]
    return (
        "".join([f"{line}{number(is_it)}\n" for line, is_it in states]),
        # A backend that is not probed has no health.
        "" if backend.type is None else f"{series(BACKEND_HEALTH.name, backend=name)}{number(backend.counter)}\n",
        f"{series(BACKEND_ENABLED.name, backend=name)}{number(backend.state is not BackendState.DISABLED)}\n",
    )


def frontend_lines(frontend: FrontendMetrics) -> tuple[str, ...]:
    """The lines of one frontend, by `FRONTEND_COLUMNS`."""
    name = frontend.name
    states = [(series(FRONTEND_STATE.name, frontend=name, state=s.value), s is frontend.state) for s in FrontendState]
    places = [({"frontend": name, "pool": m.pool, "backend": m.backend}, m) for m in frontend.members]
    return (
        "".join([f"{line}{number(is_it)}\n" for line, is_it in states]),
        "".join([f"{series(WEIGHT.name, **place)}{number(m.weight)}\n" for place, m in places]),
        "".join([f"{series(EFFECTIVE_WEIGHT.name, **place)}{number(m.effective_weight)}\n" for place, m in places]),
    )


def dataplane_lines(status: Status) -> Iterator[tuple[Family, str]]:
    """The lines of the connection to the dataplane, family by family."""
    dataplane, info = status.dataplane, status.dataplane.info
    yield CONNECTED, _one(CONNECTED, dataplane.connected)
    started = info.boot_time_s if info else None
    yield UPTIME, "" if started is None else _one(UPTIME, max(0.0, status.at_s - started))
    connected = info.connected_at_s if info else None
    yield CONNECTED_FOR, "" if connected is None else _one(CONNECTED_FOR, max(0.0, status.at_s - connected))
    yield INFO, info_line(status)
    messages = sorted(dataplane.api_messages.items())
    lines = [(series(MESSAGES.name, msg=key[0], direction=key[1], result=key[2]), count) for key, count in messages]
    yield MESSAGES, "".join([f"{line}{number(count)}\n" for line, count in lines])
    operations = {**_NO_ERRORS, **dataplane.operations}
    done = [(series(SYNCS.name, scope=key[0], kind=key[1]), operations[key]) for key in sorted(operations)]
    yield SYNCS, "".join([f"{line}{number(count)}\n" for line, count in done])


def info_line(status: Status) -> str:
    """The line of `maglev_vpp_info`; empty while not connected."""
    info = status.dataplane.info
    if info is None:
        return ""
    pid = "" if info.pid is None else str(info.pid)
    return f"{series(INFO.name, version=info.version, build_date=info.build_date, pid=pid)}1.0\n"


def daemon_lines(status: Status, lag: LoopLag) -> Iterator[tuple[Family, str]]:
    """The lines of the daemon itself, family by family."""
    yield LAG, _one(LAG, lag.last_s)
    reloads = [(series(RELOADS.name, result=result), count) for result, count in status.reloads.items()]
    yield RELOADS, "".join([f"{line}{number(count)}\n" for line, count in reloads])
    yield RELOADED_AT, _one(RELOADED_AT, status.config_loaded_at_s)


def _one(family: Family, value: float) -> str:
    return f"{series(family.name)}{number(value)}\n"
