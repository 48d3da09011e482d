"""Measures the time from the start of the first failing probe to `down`, and computes how long it may be."""

from __future__ import annotations

from maglev.api import BackendEvent, BackendState, Event, HealthCheckSnapshot, ProbeEvent, ProbePhase, Verdict


def detection_bound_s(check: HealthCheckSnapshot) -> float:
    """The longest time from the start of the first failing probe to the verdict "down", in seconds.

    The first probe fails at once or after the time-out; each of the fall − 1 others starts a jittered `fast-interval`
    after the one before, or when that one ends if it takes longer; the last may take the time-out.
    """
    return (check.fall - 1) * max(1.1 * check.fast_interval_s, check.timeout_s) + check.timeout_s


class DetectionTimer:
    """Measures from probe and backend events how long each detection took."""

    def __init__(self) -> None:
        self.detected_s: dict[str, float] = {}
        """For each backend that went down: seconds from the start of its first failing probe."""
        self._started: dict[str, float] = {}
        self._failing_since: dict[str, float] = {}

    def clear(self) -> None:
        """Drop what was measured."""
        self.detected_s.clear()

    def add(self, event: Event) -> None:
        """Take account of one event; other kinds are ignored."""
        if isinstance(event, ProbeEvent):
            self._add_probe(event)
        elif isinstance(event, BackendEvent) and event.transition.to_state is BackendState.DOWN:
            since = self._failing_since.get(event.backend)
            if since is not None:
                self.detected_s[event.backend] = event.at_s - since

    def _add_probe(self, event: ProbeEvent) -> None:
        if event.phase is ProbePhase.START:
            self._started[event.backend] = event.at_s
        elif event.result is not None and event.result.verdict is Verdict.PASS:
            self._failing_since.pop(event.backend, None)
        elif event.result is not None and event.result.verdict is Verdict.FAIL:
            self._failing_since.setdefault(event.backend, self._started.get(event.backend, event.at_s))
