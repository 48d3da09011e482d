"""Counts transitions of backends from their events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from maglev.api import BackendEvent, BackendMetrics, BackendState, Event, EventFilter, EventKind, Snapshot, Transition
from maglev_prometheus.catalogue import TRANSITIONS
from maglev_prometheus.probes import Count
from maglev_prometheus.text import in_chunks, series

WANTED = EventFilter(kinds=frozenset({EventKind.BACKEND}))
BUFFER = 100_000
"""Undelivered events: a reload that removes ten thousand backends tells of all of them at once."""


@attrs.define(eq=False)
class Transitions:
    """Counters of transitions. A backend's are kept as `Probes` keeps its own."""

    _counts: dict[str, dict[tuple[BackendState, BackendState], Count]] = attrs.field(factory=dict, init=False)
    _counted_until_s: float = attrs.field(default=0.0, init=False)

    def begin(self, snapshot: Snapshot) -> None:
        """Count what happened before (or while nobody) listened, as far as histories go."""
        for name, backend in snapshot.backends.items():
            for transition in backend.history:
                # What a backend starts as is no change.
                if transition.at_s > self._counted_until_s and transition.why != "start":
                    self.count(name, transition)
        self._counted_until_s = snapshot.at_s

    def take(self, event: Event) -> None:
        """Count one event."""
        self._counted_until_s = max(self._counted_until_s, event.at_s)
        if isinstance(event, BackendEvent):
            self.count(event.backend, event.transition)

    def count(self, backend: str, transition: Transition) -> None:
        """Count one transition."""
        changes = self._counts.setdefault(backend, {})
        change = transition.from_state, transition.to_state
        count = changes.get(change)
        if count is None:
            states = {"from_": change[0].value, "to": change[1].value}
            count = changes[change] = Count(series(TRANSITIONS.name, backend=backend, **states))
        count.value += 1

    def lines(self, backends: Sequence[BackendMetrics]) -> Iterator[str]:
        """The lines of `maglev_backend_transitions_total`, some at a time; what is not configured is forgotten."""
        counts = self._counts
        self._counts = {b.name: counts[b.name] for b in backends if b.name in counts}
        return in_chunks(list(self._counts.values()), lambda changes: "".join([c.text() for c in changes.values()]))
