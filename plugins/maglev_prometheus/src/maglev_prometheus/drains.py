"""Follows backends that lose their weight: from the first failed probe to the acknowledged write to the dataplane.

Pure: what happens is told to `Drains`, and what it has understood is taken from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import attrs

from maglev.api import BackendEvent, BackendState, Event, ProbeResult, SyncEvent, Transition, Verdict, WeightEvent

GIVE_UP_S = 300.0
"""A drain whose write does not succeed for this long is told as one that did not end."""
_CLOCKS_DIFFER_S = 0.001
"""When a write began is reckoned back from its end, on another clock."""

_DRAINED = (BackendState.DOWN, BackendState.PAUSED, BackendState.DISABLED, BackendState.REMOVED)


@attrs.frozen
class Write:
    """A pass over the dataplane that was to take a backend's weight away. Times are in seconds since the epoch."""

    scope: str
    began_s: float
    ended_s: float
    frontends: tuple[str, ...]
    errors: tuple[str, ...]


@attrs.define
class Drain:
    """One backend that lost its weight. Times are in seconds since the epoch.

    Args:
        backend: Its name.
        began_s: When the first probe of the failures in a row started; for a command, when the state changed.
        transition: The change of its state.
        frontends: Where it carried weight.
        waiting: Those of them that the dataplane has not acknowledged.
        writes: The passes, in order; the last one's success ends the drain.
        why_not: What came in between, if it did not end.
    """

    backend: str
    began_s: float
    transition: Transition
    frontends: tuple[str, ...] = ()
    waiting: set[str] = attrs.field(factory=set)
    writes: list[Write] = attrs.field(factory=list)
    why_not: str = ""

    @property
    def finished(self) -> bool:
        """Whether the dataplane has acknowledged all of it."""
        return not self.waiting

    @property
    def ended_s(self) -> float:
        """The time of its end: the last write, or the transition if there was none."""
        return max([self.transition.at_s, *(write.ended_s for write in self.writes)])

    @property
    def took_s(self) -> float:
        """Its length, in seconds."""
        return self.ended_s - self.began_s


@attrs.define(eq=False)
class Drains:
    """Puts drains together; `clock_s` gives the seconds since the epoch."""

    _clock_s: Callable[[], float] = time.time
    _failing_since_s: dict[str, float] = attrs.field(factory=dict, init=False)
    _pending: dict[str, Drain] = attrs.field(factory=dict, init=False)
    _done: list[Drain] = attrs.field(factory=list, init=False)

    def probed(self, backend: str, checker: str, result: ProbeResult, duration_ns: int) -> None:
        """Take note of one ended probe; a `maglev.api.ProbeObserver`."""
        verdict = result.verdict
        if verdict is Verdict.PASS:
            self._failing_since_s.pop(backend, None)
        elif verdict is Verdict.FAIL and backend not in self._failing_since_s:
            self._failing_since_s[backend] = self._clock_s() - duration_ns / 1e9

    def take(self, events: Iterable[Event]) -> tuple[Drain, ...]:
        """Take note of events that were published without a pause in between, and return the drains that ended."""
        for event in events:
            if isinstance(event, BackendEvent):
                self._moved(event.backend, event.transition)
            elif isinstance(event, WeightEvent) and event.effective == 0 < event.previous:
                self._lowered(event)
            elif isinstance(event, SyncEvent):
                self._written(event)
        self._settle()
        done, self._done = tuple(self._done), []
        return done

    def _moved(self, backend: str, transition: Transition) -> None:
        self._end(backend, f"it became {transition.to_state}")
        if transition.to_state in _DRAINED and transition.from_state is not transition.to_state:
            probed = transition.result is not None
            began_s = self._failing_since_s.get(backend, transition.at_s) if probed else transition.at_s
            self._pending[backend] = Drain(backend, min(began_s, transition.at_s), transition)
        if transition.to_state is BackendState.REMOVED:
            self._failing_since_s.pop(backend, None)

    def _lowered(self, event: WeightEvent) -> None:
        pending = self._pending.get(event.backend)
        if pending is not None and event.frontend not in pending.waiting:
            pending.frontends += (event.frontend,)
            pending.waiting.add(event.frontend)

    def _written(self, event: SyncEvent) -> None:
        began_s = event.at_s - event.duration_s
        for backend, pending in list(self._pending.items()):
            touched = pending.waiting.intersection(event.frontends) if event.frontends else pending.waiting
            if not touched or began_s < pending.transition.at_s - _CLOCKS_DIFFER_S:
                continue
            names = tuple(name for name in pending.frontends if name in touched)
            pending.writes.append(Write(event.scope, began_s, event.at_s, names, event.errors))
            if not event.errors:
                pending.waiting = pending.waiting - touched
                if not pending.waiting:
                    self._end(backend)

    def _settle(self) -> None:
        """Forget who carried no weight: the loss of weight is told in one breath with the transition."""
        now_s = self._clock_s()
        for backend, pending in list(self._pending.items()):
            if not pending.frontends:
                del self._pending[backend]
            elif now_s - pending.transition.at_s > GIVE_UP_S:
                self._end(backend, f"not written within {GIVE_UP_S:g} s")

    def _end(self, backend: str, why_not: str = "") -> None:
        drain = self._pending.pop(backend, None)
        if drain is not None and drain.frontends:
            drain.why_not = why_not
            self._done.append(drain)
