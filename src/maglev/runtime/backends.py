"""All backends: their probes, their health, their history. Probe results come in here, transitions go out.

`Backends.on_result` is the hot path: one call for every probe that ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from time import time
from typing import TypeVar, cast

import attrs

from maglev.api import (
    BackendState,
    Code,
    ProbeEvent,
    ProbeObserver,
    ProbePhase,
    ProbeResult,
    Transition,
    Verdict,
)
from maglev.config import BackendConfig, Config, nanoseconds
from maglev.config.resolve import health_rule, intervals
from maglev.domain import health as machine
from maglev.domain.health import Health, interval_ns, observe
from maglev.domain.model import BackendStatus, HealthRule, Intervals
from maglev.probing import Job, Prober
from maglev.runtime.bus import Bus
from maglev.runtime.checks import Checkers, ProbeSpec, spec_for
from maglev.runtime.logging import get_logger
from maglev.runtime.overrides import AdminOverride

_VOID_LOG_INTERVAL_S = 60.0
_NO_INTERVAL_NS = 1_000_000_000
# Looked up once, not with every probe.
_PASS, _FAIL, _VOID = Verdict.PASS, Verdict.FAIL, Verdict.VOID

Value = TypeVar("Value", Health, HealthRule, Intervals)

log = get_logger("maglev.backends")


@attrs.define(eq=False)
class Backend:
    """One backend's changing state. Only `Backends` writes it."""

    name: str
    config: BackendConfig
    health: Health
    history: deque[Transition]
    rule: HealthRule | None = None
    intervals: Intervals | None = None
    spec: ProbeSpec | None = None
    job: Job | None = None
    frontends: tuple[str, ...] = ()
    overridden: bool = False
    status: BackendStatus = attrs.field(factory=lambda: BackendStatus(BackendState.UNKNOWN))
    last_result: ProbeResult | None = None
    last_result_at_s: float | None = None
    stale_since_s: float | None = None
    void_code: str = ""
    probes: int = 0

    @property
    def static(self) -> bool:
        """Whether it has no health check."""
        return self.rule is None

    def interval_ns(self) -> int:
        """How long from the start of the last probe to the start of the next, in nanoseconds."""
        if self.rule is None or self.intervals is None:
            return _NO_INTERVAL_NS
        return interval_ns(self.health, self.rule, self.intervals)


class Backends:
    """Owns every backend.

    Args:
        checkers: The checker instances.
        bus: Where probe events go.
        moved: Told of every transition, after the backend itself was changed.
        excused: Whether a failure that ended at that time (ns) proves nothing about that backend, because the dataplane
            that its probes travel through was lost.
    """

    def __init__(
        self,
        checkers: Checkers,
        bus: Bus,
        moved: Callable[[Backend, Transition], None],
        excused: Callable[[Backend, int], bool],
    ) -> None:
        self.prober: Prober
        """Runs the probes; set before the first configuration, since it is made with `on_result`."""
        self._checkers = checkers
        self._bus = bus
        self._moved = moved
        self._excused = excused
        self._all: dict[str, Backend] = {}
        self._statuses: dict[str, BackendStatus] = {}
        self._observers: list[ProbeObserver] = []
        self._scheduled: set[Job] = set()
        self._values: dict[object, object] = {}
        self._void_logged_s = 0.0
        self._void_unlogged = 0

    def __getitem__(self, name: str) -> Backend:
        return self._all[name]

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def __iter__(self) -> Iterator[Backend]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> Mapping[str, Backend]:
        """All backends by name."""
        return self._all

    def statuses(self) -> Mapping[str, BackendStatus]:
        """What is known of each, by name; a live view, since every transition asks."""
        return self._statuses

    def observe(self, observer: ProbeObserver) -> Callable[[], None]:
        """Report every ended probe to an observer; returns what ends that."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    # --- results -------------------------------------------------------------------------------------------------

    def on_result(self, job: Job, result: ProbeResult, started_ns: int, ended_ns: int) -> int:
        """Take one ended probe's result.

        Args:
            job: Whose.
            result: How it ended.
            started_ns: When it started, on the prober's clock.
            ended_ns: When it ended, on the same clock.

        Returns:
            How long from its start to the start of the next, in nanoseconds, before jitter.
        """
        backend = self._all[job.name]
        verdict = result.code.verdict
        if verdict is _FAIL and self._excused(backend, ended_ns):
            result, verdict = ProbeResult(Code.DPLOST, f"dataplane lost; was {result}", result.duration_ns), _VOID
        backend.probes += 1
        for observer in self._observers:
            observer(job.name, job.check_type, result, result.duration_ns)
        if self.prober.report_starts:  # set while somebody watches probes
            self._bus.publish(ProbeEvent(time(), job.name, ProbePhase.DONE, result))
        if verdict is _VOID:
            self._void(backend, result)
        else:
            self._verdict(backend, result, passed=verdict is _PASS)
        rule, lengths = backend.rule, backend.intervals
        return _NO_INTERVAL_NS if rule is None or lengths is None else interval_ns(backend.health, rule, lengths)

    def on_start(self, job: Job, started_ns: int) -> None:
        """Tell whoever watches that a probe started."""
        self._bus.publish(ProbeEvent(time(), job.name, ProbePhase.START))

    def _void(self, backend: Backend, result: ProbeResult) -> None:
        now = time()
        backend.void_code = result.code
        if backend.stale_since_s is None:
            backend.stale_since_s = backend.last_result_at_s if backend.last_result_at_s is not None else now
        self._void_unlogged += 1
        if now - self._void_logged_s >= _VOID_LOG_INTERVAL_S:
            log.warning("probe-void", backend=backend.name, result=str(result), count=self._void_unlogged)
            self._void_logged_s, self._void_unlogged = now, 0

    def _verdict(self, backend: Backend, result: ProbeResult, *, passed: bool) -> None:
        backend.last_result = result
        backend.last_result_at_s = time()
        backend.stale_since_s = None
        backend.void_code = ""
        if backend.rule is not None:
            new = observe(backend.health, backend.rule, passed)
            if new is not backend.health:
                self._become(backend, self._shared(new), result, "")

    def _become(self, backend: Backend, new: Health, result: ProbeResult | None, why: str) -> None:
        old, backend.health = backend.health, new
        if old.state is new.state:
            return
        transition = Transition(old.state, new.state, time(), result, why)
        backend.history.append(transition)
        cause = str(result) if result is not None else why
        backend.status = self._statuses[backend.name] = BackendStatus(new.state, cause, transition.at_s)
        self._moved(backend, transition)

    # --- commands ------------------------------------------------------------------------------------------------

    def pause(self, backend: Backend) -> bool:
        """No more probes. Returns whether anything changed; raises `FailedPrecondition` if it is disabled."""
        return self._command(backend, machine.pause(backend.health), "pause")

    def resume(self, backend: Backend) -> bool:
        """Probe again, from unknown. Returns whether anything changed; raises `FailedPrecondition` if disabled."""
        return self._command(backend, machine.resume(backend.health, backend.rule), "resume")

    def disable(self, backend: Backend) -> bool:
        """No probes and no flows. Returns whether anything changed."""
        return self._command(backend, machine.disable(backend.health), "disable")

    def enable(self, backend: Backend) -> bool:
        """Use it again, from unknown. Returns whether anything changed."""
        return self._command(backend, machine.enable(backend.health, backend.rule), "enable")

    def _command(self, backend: Backend, new: Health, why: str) -> bool:
        changed = new.state is not backend.health.state
        self._become(backend, new, None, why)
        self._schedule(backend, 0)
        return changed

    # --- configuration -------------------------------------------------------------------------------------------

    def configure(
        self, config: Config, users: Mapping[str, tuple[str, ...]], admin: Mapping[str, AdminOverride], why: str
    ) -> None:
        """Make the backends what a configuration says; what did not change goes on undisturbed.

        Args:
            config: The configuration; its checkers are built.
            users: The frontends that use each backend.
            admin: Overrides of admin states in force.
            why: The cause of the transitions this makes (`start`, `reload`).
        """
        for backend in [b for b in self if not _same_backend(config, b)]:
            del self._all[backend.name]
            self._remove(backend, why)
        for name in config.backends:
            if name in self._all:
                self._change(config, self._all[name], users.get(name, ()), admin.get(name))
            else:
                self._new(config, name, users.get(name, ()), admin.get(name), why)
            self._all[name].overridden = name in admin
        self._all = {name: self._all[name] for name in config.backends}
        self._statuses = {name: backend.status for name, backend in self._all.items()}

    def _new(self, config: Config, name: str, users: tuple[str, ...], admin: AdminOverride | None, why: str) -> Backend:
        wanted = config.backends[name]
        backend = Backend(
            name, wanted, Health(BackendState.UNKNOWN, 0), deque(maxlen=config.healthchecker.transition_history)
        )
        backend.frontends = users
        self._take_check(config, backend)
        start = machine.initial(backend.rule, enabled=_enabled(wanted, admin))
        if admin is not None and admin.admin == "paused":
            start = machine.pause(start)
        backend.health = start
        backend.status = self._statuses[name] = BackendStatus(start.state, why, time())
        first = Transition(BackendState.UNKNOWN, start.state, time(), None, why)
        if start.state is not BackendState.UNKNOWN:
            backend.history.append(first)
        self._all[name] = backend
        self._schedule(backend, self._first_within_ns(config, backend))
        return backend

    def _change(self, config: Config, backend: Backend, users: tuple[str, ...], admin: AdminOverride | None) -> None:
        was_enabled, backend.config = backend.config.enabled, config.backends[backend.name]
        backend.frontends = users
        if backend.history.maxlen != config.healthchecker.transition_history:
            backend.history = deque(backend.history, config.healthchecker.transition_history)
        if self._take_check(config, backend):
            self._become(backend, machine.swapped(backend.health, backend.rule), None, "reload")
        if admin is None and (backend.overridden or was_enabled != backend.config.enabled):
            self._become(backend, self._as_filed(backend), None, "reload")
        self._schedule(backend, self._first_within_ns(config, backend))

    def as_filed(self, backend: Backend) -> bool:
        """Undo a command: the file decides the admin state again. Returns whether the state changed."""
        new = self._as_filed(backend)
        changed = new.state is not backend.health.state
        backend.overridden = False
        self._become(backend, new, None, "reset")
        self._schedule(backend, 0)
        return changed

    def _as_filed(self, backend: Backend) -> Health:
        if not backend.config.enabled:
            return machine.disable(backend.health)
        if backend.health.state is BackendState.PAUSED:
            return machine.resume(backend.health, backend.rule)
        return machine.enable(backend.health, backend.rule)

    def _take_check(self, config: Config, backend: Backend) -> bool:
        """Take over what the configuration says of the check; returns whether what is counted changed."""
        before = (backend.rule, backend.spec)
        check = config.healthchecks[name] if (name := backend.config.healthcheck) is not None else None
        backend.rule = self._shared(health_rule(check)) if check else None
        backend.intervals = self._shared(intervals(check)) if check else None
        spec = spec_for(config, backend.config)
        if spec != backend.spec:
            backend.spec = spec
            self._replace_job(backend, self._checkers.job(backend.name, spec) if spec else None)
        return before != (backend.rule, spec)

    def _shared(self, value: Value) -> Value:
        """The one value of all that are equal, so that what every probe looks at stays in the cache."""
        return cast("Value", self._values.setdefault(value, value))

    def _replace_job(self, backend: Backend, job: Job | None) -> None:
        old, backend.job = backend.job, job
        if old is not None and old in self._scheduled:
            if job is not None and backend.health.probed:
                self.prober.swap(old, job)
                self._scheduled.add(job)
            else:
                self.prober.remove(old)
            self._scheduled.discard(old)

    def _schedule(self, backend: Backend, first_within_ns: int) -> None:
        """Probe what is to be probed, and nothing else."""
        job = backend.job
        if job is None:
            return
        if backend.health.probed and job not in self._scheduled:
            self.prober.add(job, first_within_ns)
            self._scheduled.add(job)
        elif not backend.health.probed and job in self._scheduled:
            self.prober.remove(job)
            self._scheduled.discard(job)

    def _first_within_ns(self, config: Config, backend: Backend) -> int:
        spread = backend.intervals.fast_ns if backend.intervals else 0
        warm_up = nanoseconds(config.lb.startup_min_delay) // 2
        return min(spread, warm_up) if warm_up else spread

    def _remove(self, backend: Backend, why: str) -> None:
        self._replace_job(backend, None)
        self._become(backend, machine.removed(backend.health), None, why)


def _enabled(config: BackendConfig, admin: AdminOverride | None) -> bool:
    return config.enabled if admin is None else admin.admin != "disabled"


def _same_backend(config: Config, backend: Backend) -> bool:
    """Only a changed address makes a new backend."""
    wanted = config.backends.get(backend.name)
    return wanted is not None and wanted.address == backend.config.address
