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
        from_state: The old state.
        to_state: The new state.
        at_s: The time, in seconds since the epoch.
        result: The probe result that caused it; `None` for a command or a reload.
        why: The cause if it was not a probe: `pause`, `enable`, `reload`.
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
        at_s: The time, in seconds since the epoch.
        level: `debug`, `info`, `warning`, `error` or `critical`.
        message: The event's short name.
        fields: Its other fields.
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
        at_s: The time, in seconds since the epoch.
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
        at_s: The time, in seconds since the epoch.
        frontend: Its name.
        from_state: The old state.
        to_state: The new state.
        active_pool: The pool that serves now.
        why: The cause.
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
        at_s: The time, in seconds since the epoch.
        frontend: The frontend's name.
        pool: The pool's name.
        backend: The backend's name.
        weight: The configured (or overridden) weight, 0 to 100.
        effective: The effective weight now, 0 to 100.
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
        at_s: The time, in seconds since the epoch.
        name: The dataplane's name.
        change: The kind of change.
        detail: The dataplane's version, or the cause of the loss.
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
        at_s: The time of its end, in seconds since the epoch.
        scope: `transition`, `periodic`, `operator`, `reload` or `fill`.
        frontends: The frontends that it was for; empty for all.
        operations: The number of operations by kind (`set-weight`: 2).
        errors: The refused or unanswered operations, in words, each with its VIP and server.
        duration_s: Time from the first operation to the last reply, in seconds.
    """

    at_s: float
    scope: str
    frontends: tuple[str, ...]
    operations: Mapping[str, int]
    errors: tuple[str, ...] = ()
    duration_s: float = 0.0
    kind: EventKind = attrs.field(default=EventKind.SYNC, init=False)


class ProbePhase(StrEnum):
    """The phases of a probe."""

    START = "start"
    DONE = "done"


@attrs.frozen
class ProbeEvent:
    """A probe started or ended; made only while somebody asks for it.

    Args:
        at_s: The time, in seconds since the epoch.
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
"""One event, of any kind."""
