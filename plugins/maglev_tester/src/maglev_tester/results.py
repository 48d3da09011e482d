"""The results of a run: a record for each VIP, and the latest errors of all of them."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence

import attrs

from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.record import Record
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import LeftOut, Vip

KEPT_ERRORS = 200


@attrs.define
class ErrorEntry:
    """An error of one VIP; repetitions are counted in one entry. Times are of the monotonic clock."""

    vip: str
    error: ErrorClass
    detail: str
    first_ns: int
    last_ns: int
    count: int = 1


class Results:
    """Collects the outcomes of a run; `clock_ns` is the clock of the outcomes, `wall_ns` counts from the epoch."""

    def __init__(
        self,
        settings: ProbeSettings,
        left_out: tuple[LeftOut, ...] = (),
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.settings = settings
        self.left_out = left_out
        self.host = platform.node() or "this host"
        self.paused = False
        self._clock_ns = clock_ns
        self._epoch_ns = wall_ns() - clock_ns()
        self.reset()

    def reset(self) -> None:
        """Forget all outcomes so far."""
        self.started_ns = self._clock_ns()
        self.records = tuple(Record() for _ in self.settings.vips)
        self._entries: dict[tuple[str, ErrorClass, str], ErrorEntry] = {}

    @property
    def by_vip(self) -> Sequence[tuple[Vip, Record]]:
        """Each VIP with what is known of it."""
        return tuple(zip(self.settings.vips, self.records, strict=True))

    @property
    def now_ns(self) -> int:
        """The monotonic clock."""
        return self._clock_ns()

    def wall_s(self, monotonic_ns: int) -> float:
        """Convert a time of the monotonic clock to seconds since the epoch."""
        return (self._epoch_ns + monotonic_ns) / 1e9

    @property
    def errors(self) -> Counter[ErrorClass]:
        """The number of errors of each class, over all VIPs."""
        return sum((record.errors for record in self.records), Counter[ErrorClass]())

    def add(self, index: int, outcome: Outcome) -> None:
        """Take an outcome of the VIP at this position in the settings. One from before the latest reset is too old."""
        if outcome.started_ns < self.started_ns:
            return
        record = self.records[index]
        noted = record.add(outcome)
        if noted is not None:
            detail = outcome.detail or _spike_detail(outcome, record)
            self._note(self.settings.vips[index].name, noted, detail, outcome.ended_ns)

    def _note(self, vip: str, error: ErrorClass, detail: str, now_ns: int) -> None:
        # The detail of a spike has its latency in it, which is hardly ever the same twice: one entry a VIP is enough.
        key = (vip, error, "" if error is ErrorClass.SPIKE else detail)
        entry = self._entries.pop(key, None) or ErrorEntry(vip, error, detail, now_ns, now_ns, 0)
        entry.count += 1
        entry.last_ns, entry.detail = now_ns, detail
        self._entries[key] = entry
        if len(self._entries) > KEPT_ERRORS:
            del self._entries[next(iter(self._entries))]

    @property
    def error_entries(self) -> Sequence[ErrorEntry]:
        """The errors from the oldest to the newest, by the time when they were last seen."""
        return tuple(self._entries.values())

    def interrupt(self) -> None:
        """Note that probing is paused: a pause is no gap in a VIP's service."""
        for record in self.records:
            record.failovers.interrupt()

    def below(self, min_ok: float) -> tuple[str, ...]:
        """List VIPs that were good less often than wanted, 0 to 100; one without any judged probe counts as 0 %."""
        return tuple(vip.name for vip, record in self.by_vip if (record.ok_percent or 0.0) < min_ok)


def _spike_detail(outcome: Outcome, record: Record) -> str:
    usual = record.window.percentiles()["p50"] or 0
    return f"{outcome.latency_ns / 1e6:.0f} ms, usually {usual / 1e6:.1f} ms"
