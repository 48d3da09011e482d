"""Runs the probes that the State asks for, and turns their results into verdicts. The only room that knows the prober.

`ProbeJobs.on_result` is the hot path: one call for every probe that ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import floor
from time import time

import anyio
import attrs

from maglev.api import (
    Checker,
    Code,
    EventKind,
    LagEvent,
    LoopLag,
    ProbeEvent,
    ProbeObserver,
    ProbePhase,
    ProbeResult,
    Target,
    Verdict,
)
from maglev.domain.expiry import DAY_S, must_warn
from maglev.domain.health import interval_ns, observe
from maglev.domain.model import ProbeSpec
from maglev.domain.state import StartProbe, StopProbe, SwapProbe, void_while_dataplane_lost
from maglev.domain.state import verdict as verdict_step
from maglev.probing import Job, Prober
from maglev.runtime.bus import Bus
from maglev.runtime.checkers import Checkers, unused
from maglev.runtime.logging import get_logger
from maglev.runtime.state_store import CloseChecker, ProbeQueue, StateStore
from maglev.runtime.void_log import VoidLog

_NO_INTERVAL_NS = 1_000_000_000
_CERTIFICATES_EVERY_S = 600.0
"""How often it is looked whether a certificate has come near to its end."""
# Looked up once, not with every probe.
_PASS, _FAIL, _VOID = Verdict.PASS, Verdict.FAIL, Verdict.VOID

log = get_logger("maglev.probes")


@attrs.define(eq=False)
class ProbeRecord:
    """The record of one backend's probes, for display only."""

    probe: ProbeSpec | None = None
    """How it is, or was last, probed."""
    job: Job | None = None
    """What the prober runs; `None` while it is not probed."""
    last_result: ProbeResult | None = None
    last_result_at_s: float | None = None
    stale_since_s: float | None = None
    void_code: str = ""
    probes: int = 0
    certificate_not_after_s: float | None = None
    """When the TLS certificate that the backend showed last ends; `None` if none was seen."""
    warned_at_s: float | None = None
    """When the log was last told that it ends soon."""


_NEVER_PROBED = ProbeRecord()


class ProbeJobs:
    """Keeps the prober's jobs as the State wants them.

    Args:
        store: The live State, which verdicts change.
        queue: Probes to start, stop or swap.
        bus: Where probe and lag events go.
    """

    def __init__(self, store: StateStore, queue: ProbeQueue, bus: Bus) -> None:
        self.prober = Prober(
            self.on_result, on_start=self._on_start, on_lag=self._on_lag, on_certificate=self.on_certificate
        )
        self.checkers: Checkers = {}
        self._store = store
        self._queue = queue
        self._bus = bus
        self._records: dict[str, ProbeRecord] = {}
        self._closing: list[Checker] = []
        self._observers: list[ProbeObserver] = []
        self._void_log = VoidLog()

    def record(self, backend: str) -> ProbeRecord:
        """Return the record of one backend's probes."""
        return self._records.get(backend, _NEVER_PROBED)

    def observe(self, observer: ProbeObserver) -> Callable[[], None]:
        """Report every ended probe to an observer; returns what ends that."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def watch_starts(self) -> None:
        """Report starts and ends of probes on the bus only while somebody listens: each costs CPU."""
        self.prober.report_starts = self._bus.wants(EventKind.PROBE)

    def certificates(self) -> Mapping[str, float]:
        """The ends of the TLS certificates that backends showed last, in seconds since the epoch."""
        found = ((name, record.certificate_not_after_s) for name, record in self._records.items())
        return {name: ends_s for name, ends_s in found if ends_s is not None}

    def lag(self) -> LoopLag:
        """The delay of the event loop."""
        lag = self.prober.lag
        return LoopLag(lag.last_ns / 1e9, lag.max_ns / 1e9, lag.stalls)

    # --- what the State asks for ----------------------------------------------------------------------------------

    def use(self, checkers: Checkers) -> None:
        """Use a configuration's checkers from now on; those that it has no more use for are closed.

        To be called right after the step that takes the configuration over, and `follow` right before it: what was
        asked for until then needs the old checkers.
        """
        old, self.checkers = self.checkers, checkers
        self.follow()
        retired = unused(old, checkers)
        self._swap_from(retired)
        self._queue.close(retired)
        backends = self._store.state.config.backends
        for name, record in tuple(self._records.items()):
            backend = backends.get(name)
            if backend is None or record.probe is None or record.probe.address != backend.address:
                del self._records[name]

    def _swap_from(self, retired: Sequence[Checker]) -> None:
        """Probe with the new checkers where nothing but a file that the options name has changed."""
        gone = {id(checker) for checker in retired}
        for name, record in self._records.items():
            if record.probe is not None and record.job is not None and id(record.job.checker) in gone:
                self._swap(SwapProbe(name, record.probe))

    def follow(self) -> None:
        """Start, stop and swap what is asked for."""
        for effect in self._queue.take():
            match effect:
                case StartProbe():
                    self._start(effect)
                case StopProbe():
                    self._stop(effect.backend)
                case SwapProbe():
                    self._swap(effect)
                case CloseChecker():
                    self._closing.append(effect.checker)

    async def run(self) -> None:
        """Probe until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.prober.run, name="prober")
            tasks.start_soon(self._void_log.run, name="log of void results")
            tasks.start_soon(self._watch_certificates, name="certificates")
            while True:
                self.follow()
                while self._closing:
                    tasks.start_soon(self._release, self._closing.pop())
                await self._queue.wait()

    async def _release(self, checker: Checker) -> None:
        # A daemon that stops waits for it: it takes a few seconds at most, and nobody else would close the checker.
        with anyio.CancelScope(shield=True):
            await self.prober.release(checker)

    async def aclose(self) -> None:
        """Close the prober and all checkers; `run` must have ended."""
        self.follow()
        await self.prober.aclose()
        for checker in (*self._closing, *(built.checker for built in self.checkers.values())):
            await self.prober.release(checker)

    def _start(self, effect: StartProbe) -> None:
        record = self._records.get(effect.backend)
        if record is None or record.probe is None or record.probe.address != effect.probe.address:
            record = self._records[effect.backend] = ProbeRecord()
        record.probe, record.job = effect.probe, self._job(effect.backend, effect.probe)
        self.prober.add(record.job, effect.within_ns)

    def _stop(self, backend: str) -> None:
        record = self._records[backend]
        if record.job is not None:
            self.prober.remove(record.job)
        record.job = None

    def _swap(self, effect: SwapProbe) -> None:
        record = self._records[effect.backend]
        old, new = record.job, self._job(effect.backend, effect.probe)
        if effect.probe != record.probe:
            record.certificate_not_after_s = None  # Another way of probing may meet another certificate, or none.
        record.probe, record.job = effect.probe, new
        if old is not None:
            self.prober.swap(old, new)

    def _job(self, backend: str, probe: ProbeSpec) -> Job:
        target = Target(
            backend=backend,
            address=probe.address,
            port=probe.port,
            timeout_ns=probe.timeout_ns,
            source=probe.source,
            netns=probe.netns,
        )
        return Job(backend, self.checkers[probe.check].checker, target, probe.type)

    # --- results --------------------------------------------------------------------------------------------------

    def on_result(self, job: Job, result: ProbeResult, started_ns: int, ended_ns: int) -> int:
        """Take one ended probe's result.

        Args:
            job: The job that the probe belongs to.
            result: How it ended.
            started_ns: When it started, on the prober's clock.
            ended_ns: When it ended, on the same clock.

        Returns:
            How long from its start to the start of the next, in nanoseconds, before jitter.
        """
        name = job.name
        record, state = self._records[name], self._store.state
        backend = state.config.backends.get(name)
        if backend is None or backend.probe is not record.probe or backend.rule is None or backend.intervals is None:
            return _NO_INTERVAL_NS  # The backend is another one by now, and this probe about to be stopped or swapped.
        verdict = result.code.verdict
        if verdict is _FAIL and void_while_dataplane_lost(state, name, ended_ns):
            result, verdict = ProbeResult(Code.DPLOST, f"dataplane lost; was {result}", result.duration_ns), _VOID
        record.probes += 1
        for observer in self._observers:
            observer(name, job.check_type, result, result.duration_ns)
        if self.prober.report_starts:
            self._bus.publish(ProbeEvent(time(), name, ProbePhase.DONE, result))
        if verdict is _VOID:
            self._void(name, record, result)
        else:
            record.last_result = result
            record.last_result_at_s = time()
            record.stale_since_s = None
            record.void_code = ""
            passed, health = verdict is _PASS, state.health[name]
            if observe(health, backend.rule, passed) is not health:
                self._store.step(verdict_step, name, result, passed=passed)
        return interval_ns(state.health[name], backend.rule, backend.intervals)

    def on_certificate(self, job: Job, not_after_s: float | None) -> None:
        """Take when a backend's certificate ends, in seconds since the epoch; called when it shows another one.

        Args:
            job: Whose probe saw it.
            not_after_s: `None` if it could not be read.
        """
        record = self._records.get(job.name)
        if record is None or record.job is not job:
            return
        record.certificate_not_after_s, record.warned_at_s = not_after_s, None
        self._warn_of_certificate(job.name, record, time())

    async def _watch_certificates(self) -> None:
        while True:
            await anyio.sleep(_CERTIFICATES_EVERY_S)
            self.warn_of_certificates()

    def warn_of_certificates(self) -> None:
        """Warn of certificates that have come near to their end."""
        now_s = time()
        for name, record in self._records.items():
            self._warn_of_certificate(name, record, now_s)

    def _warn_of_certificate(self, name: str, record: ProbeRecord, now_s: float) -> None:
        ends_s = record.certificate_not_after_s
        if (
            ends_s is None
            or record.job is None
            or not must_warn(
                ends_s, now_s, within_s=record.job.checker.expiry_warning_s, warned_at_s=record.warned_at_s
            )
        ):
            return
        record.warned_at_s = now_s
        ends = datetime.fromtimestamp(ends_s, UTC).isoformat()
        log.warning("certificate-expires", backend=name, not_after=ends, days=floor((ends_s - now_s) / DAY_S))

    def _void(self, name: str, record: ProbeRecord, result: ProbeResult) -> None:
        now = time()
        record.void_code = result.code
        if record.stale_since_s is None:
            record.stale_since_s = record.last_result_at_s if record.last_result_at_s is not None else now
        self._void_log.note(name, result)

    def _on_start(self, job: Job, _started_ns: int) -> None:
        self._bus.publish(ProbeEvent(time(), job.name, ProbePhase.START))

    def _on_lag(self, lag_ns: int, voided: int) -> None:
        log.warning("stalled", lag_ms=lag_ns // 1_000_000, voided=voided)
        self._bus.publish(LagEvent(time(), lag_ns / 1e9, voided))
