"""Events as values: frozen, made once, and shared by all subscribers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from maglev.api.results import ProbeResult


class BackendState(StrEnum):
    """The state of a backend."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    PAUSED = "paused"
    DISABLED = "disabled"
    REMOVED = "removed"


class FrontendState(StrEnum):
    """The state of a frontend: up if some effective weight is not 0."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class EventKind(StrEnum):
    """The kinds a subscriber can choose from."""

    LOG = "log"
    BACKEND = "backend"
    FRONTEND = "frontend"
    WEIGHT = "weight"
    DATAPLANE = "dataplane"
    SYNC = "sync"
    PROBE = "probe"
    LAG = "lag"


@attrs.frozen
class Transition:
    """One change of a backend's state.

    Args:
        from_state: What it was.
        to_state: What it is.
        at_s: When, in seconds since the epoch.
        result: The probe result that decided it; `None` for a command or a reload.
        why: The cause where no probe decided: `pause`, `enable`, `reload`.
    """

    from_state: BackendState
    to_state: BackendState
    at_s: float
    result: ProbeResult | None = None
    why: str = ""


@attrs.frozen
class LogEvent:
    """A log record.

    Args:
        at_s: When, in seconds since the epoch.
        level: `debug`, `info`, `warning`, `error` or `critical`.
        message: The event's short name.
        fields: What else the record holds.
    """

    at_s: float
    level: str
    message: str
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    kind: EventKind = attrs.field(default=EventKind.LOG, init=False)


@attrs.frozen
class BackendEvent:
    """A backend changed state; as a replay for a new subscriber, from and to are equal.

    Args:
        at_s: When, in seconds since the epoch.
        backend: Its name.
        frontends: The names of the frontends that use it.
        transition: From, to and why.
    """

    at_s: float
    backend: str
    frontends: tuple[str, ...]
    transition: Transition
    kind: EventKind = attrs.field(default=EventKind.BACKEND, init=False)


@attrs.frozen
class FrontendEvent:
    """A frontend changed state or its active pool; as a replay, from and to are equal.

    Args:
        at_s: When, in seconds since the epoch.
        frontend: Its name.
        from_state: What it was.
        to_state: What it is.
        active_pool: The pool that serves now.
        why: What decided it.
    """

    at_s: float
    frontend: str
    from_state: FrontendState
    to_state: FrontendState
    active_pool: str
    why: str = ""
    kind: EventKind = attrs.field(default=EventKind.FRONTEND, init=False)


@attrs.frozen
class WeightEvent:
    """A configured or effective weight changed.

    Args:
        at_s: When, in seconds since the epoch.
        frontend: Of which frontend.
        pool: Of which pool.
        backend: Of which backend.
        weight: The configured (or overridden) weight, 0 to 100.
        effective: What it comes to now, 0 to 100.
        previous: The effective weight before.
        reason: Why the effective weight is what it is.
    """

    at_s: float
    frontend: str
    pool: str
    backend: str
    weight: int
    effective: int
    previous: int
    reason: str
    kind: EventKind = attrs.field(default=EventKind.WEIGHT, init=False)


class DataplaneChange(StrEnum):
    """Changes of the connection to the dataplane."""

    CONNECTED = "connected"
    LOST = "lost"
    RESTARTED = "restarted"


@attrs.frozen
class DataplaneEvent:
    """The connection to the dataplane changed.

    Args:
        at_s: When, in seconds since the epoch.
        name: The dataplane's name.
        change: What became of it.
        detail: Version, or why it was lost.
    """

    at_s: float
    name: str
    change: DataplaneChange
    detail: str = ""
    kind: EventKind = attrs.field(default=EventKind.DATAPLANE, init=False)


@attrs.frozen
class SyncEvent:
    """A plan was carried out.

    Args:
        at_s: When it ended, in seconds since the epoch.
        scope: `transition`, `periodic`, `operator`, `reload` or `fill`.
        frontends: What it was for; empty for all.
        operations: How many operations by kind (`set-weight`: 2).
        errors: What was refused or unanswered, in words, each naming VIP and server.
        duration_s: From the first operation to the last reply, in seconds.
    """

    at_s: float
    scope: str
    frontends: tuple[str, ...]
    operations: Mapping[str, int]
    errors: tuple[str, ...] = ()
    duration_s: float = 0.0
    kind: EventKind = attrs.field(default=EventKind.SYNC, init=False)


class ProbePhase(StrEnum):
    """A probe's two ends."""

    START = "start"
    DONE = "done"


@attrs.frozen
class ProbeEvent:
    """A probe started or ended; made only while somebody asks for it.

    Args:
        at_s: When, in seconds since the epoch.
        backend: Whose probe.
        phase: Start or done.
        result: How it ended; `None` at the start.
    """

    at_s: float
    backend: str
    phase: ProbePhase
    result: ProbeResult | None = None
    kind: EventKind = attrs.field(default=EventKind.PROBE, init=False)


@attrs.frozen
class LagEvent:
    """This process was stalled: deadlines of probes move by as much, and a peer that hung up meanwhile is asked again.

    Args:
        at_s: When it ended, in seconds since the epoch.
        lag_s: How long it was, in seconds.
        voided: How many probe results were voided for it, so far.
    """

    at_s: float
    lag_s: float
    voided: int = 0
    kind: EventKind = attrs.field(default=EventKind.LAG, init=False)


Event = LogEvent | BackendEvent | FrontendEvent | WeightEvent | DataplaneEvent | SyncEvent | ProbeEvent | LagEvent
