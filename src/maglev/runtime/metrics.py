"""Builds the metrics that metrics are made of, and keeps those of what did not change."""

from __future__ import annotations

from collections.abc import Mapping

from maglev.api import BackendMetrics, FrontendMetrics, MemberMetrics
from maglev.domain.frontend import Assessment
from maglev.domain.health import Health
from maglev.domain.model import Frontend
from maglev.domain.state import State

_KnownBackend = tuple[Health, str | None, float | None, BackendMetrics]
_KnownFrontend = tuple[Frontend, Assessment, FrontendMetrics]


class MetricsCache:
    """Makes metrics. What it makes them of is immutable, so the same object means: nothing changed."""

    def __init__(self) -> None:
        self._backends: dict[str, _KnownBackend] = {}
        self._frontends: dict[str, _KnownFrontend] = {}

    def backends(self, state: State, certificates: Mapping[str, float]) -> tuple[BackendMetrics, ...]:
        """All backends now, in the order of the file.

        Args:
            state: The State.
            certificates: When the certificate of a backend ends, by its name, where that is known.
        """
        known, now = self._backends, {}
        for name, backend in state.config.backends.items():
            health, type_ = state.health[name], backend.probe.type if backend.probe is not None else None
            ends_s = certificates.get(name)
            entry = known.get(name)
            if entry is None or entry[0] is not health or entry[1] != type_ or entry[2] != ends_s:
                entry = health, type_, ends_s, BackendMetrics(name, type_, health.state, health.counter, ends_s)
            now[name] = entry
        self._backends = now
        return tuple([entry[-1] for entry in now.values()])

    def frontends(self, state: State) -> tuple[FrontendMetrics, ...]:
        """All frontends now, in the order of the file."""
        known, now = self._frontends, {}
        for name, spec in state.frontends.items():
            assessment = state.assessments[name]
            entry = known.get(name)
            if entry is None or entry[0] is not spec or entry[1] is not assessment:
                entry = spec, assessment, _metrics(spec, assessment)
            now[name] = entry
        self._frontends = now
        return tuple([entry[2] for entry in now.values()])


def _metrics(spec: Frontend, assessment: Assessment) -> FrontendMetrics:
    wanted = [member.weight for pool in spec.pools for member in pool.members]
    members = zip(assessment.members, wanted, strict=True)
    return FrontendMetrics(
        spec.name,
        spec.vip,
        assessment.state,
        tuple([MemberMetrics(member.pool, member.backend, weight, member.weight) for member, weight in members]),
    )
