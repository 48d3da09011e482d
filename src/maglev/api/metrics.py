"""The part of a snapshot that metrics need, made so that 10 000 backends cost little.

A `Snapshot` says everything and is built whole each time. Metrics are made anew only for what changed, so that a value
that is the *same object* as at the last look has not changed, and what was made of it can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from maglev.api.dataplane import DataplaneInfo, VipKey
from maglev.api.events import BackendState, FrontendState
from maglev.api.findings import DataplaneFindings


@attrs.frozen
class DataplaneStatus:
    """The connection to the dataplane, without what it holds.

    Args:
        name: The plugin's name.
        connected: Whether there is a connection, and the dataplane's state is known.
        observing: Whether `--observe` prevents all writes.
        info: The dataplane's properties; `None` while not connected.
        detail: Why it is not connected; empty if it is.
        api_messages: Messages to and from it since maglevd started, by (message, `tx` or `rx`, `ok` or `error`);
            empty for a dataplane that does not count them.
        operations: Operations sent since maglevd started, by (scope of the pass, kind), and under the kind `error`
            those that failed.
        findings: Faults of the dataplane that only its operator can correct; none while not connected.
    """

    name: str
    connected: bool
    observing: bool
    info: DataplaneInfo | None
    detail: str
    api_messages: Mapping[tuple[str, str, str], int]
    operations: Mapping[tuple[str, str], int]
    findings: DataplaneFindings = attrs.field(factory=DataplaneFindings)


TroubleKind = Literal["exporter", "exporter-options", "reload", "state"]
"""`exporter`: an exporter does not serve. `exporter-options`: an exporter refused new options and serves with the old
ones. `reload`: the last reload was refused. `state`: changes by commands were not saved, and are lost at a restart."""


@attrs.frozen
class Trouble:
    """A trouble of the daemon itself, until it is resolved.

    Args:
        kind: The kind of trouble.
        name: The exporter's name; empty for the other kinds.
        message: What is wrong, in words.
        since_s: Since when, in seconds since the epoch.
    """

    kind: TroubleKind
    name: str
    message: str
    since_s: float


@attrs.frozen
class Status:
    """The daemon itself; costs next to nothing.

    Args:
        at_s: When this was taken, in seconds since the epoch.
        version: The daemon's version.
        started_at_s: When the daemon started, in seconds since the epoch.
        config_loaded_at_s: When the running configuration was loaded, in seconds since the epoch.
        reloads: How many reloads there were since the start, by `success` and `failure`.
        warm: Whether the warm-up is over.
        dataplane: The connection to the dataplane.
        troubles: Unresolved troubles of the daemon itself.
    """

    at_s: float
    version: str
    started_at_s: float
    config_loaded_at_s: float
    reloads: Mapping[str, int]
    warm: bool
    dataplane: DataplaneStatus
    troubles: tuple[Trouble, ...] = ()


@attrs.frozen
class BackendMetrics:
    """One backend.

    Args:
        name: Its name.
        type: The type of its health check; `None` for a static backend.
        state: Its state.
        counter: Its health counter, 0 to rise + fall - 1.
        certificate_not_after_s: When the TLS certificate that it showed last ends, in seconds since the epoch; `None`
            if none was seen.
    """

    name: str
    type: str | None
    state: BackendState
    counter: int
    certificate_not_after_s: float | None = None


@attrs.frozen
class MemberMetrics:
    """One backend's place in one pool of one frontend.

    Args:
        pool: The pool.
        backend: The backend.
        weight: The wanted weight, 0 to 100: from the file or a command.
        effective_weight: The effective weight now, 0 to 100.
    """

    pool: str
    backend: str
    weight: int
    effective_weight: int


@attrs.frozen
class FrontendMetrics:
    """One frontend.

    Args:
        name: Its name.
        vip: Its VIP.
        state: Its state.
        members: In the order of the file, pool by pool.
    """

    name: str
    vip: VipKey
    state: FrontendState
    members: tuple[MemberMetrics, ...]


@attrs.frozen
class Metrics:
    """Everything at one moment, in numbers.

    Args:
        status: The daemon itself.
        backends: All backends, in the order of the file.
        frontends: All frontends, in the order of the file.
    """

    status: Status
    backends: tuple[BackendMetrics, ...]
    frontends: tuple[FrontendMetrics, ...]
