"""Builds the metrics that metrics are made of, and keeps those of what did not change."""

from __future__ import annotations

from maglev.api import BackendMetrics, FrontendMetrics, MemberMetrics
from maglev.domain.frontend import Assessment
from maglev.domain.health import Health
from maglev.domain.model import Frontend
from maglev.runtime.backends import Backends
from maglev.runtime.frontends import Frontends

_KnownBackend = tuple[Health, str | None, BackendMetrics]
_KnownFrontend = tuple[Frontend, Assessment, FrontendMetrics]


class MetricsCache:
    """Makes metrics. What it makes them of is immutable, so the same object means: nothing changed.

    Args:
        backends: All backends.
        frontends: All frontends.
    """

    def __init__(self, backends: Backends, frontends: Frontends) -> None:
        self._backends = backends
        self._frontends = frontends
        self._known_backends: dict[str, _KnownBackend] = {}
        self._known_frontends: dict[str, _KnownFrontend] = {}

    def backends(self) -> tuple[BackendMetrics, ...]:
        """All backends now, in the order of the file."""
        known, now = self._known_backends, {}
        for backend in self._backends:
            health, type_ = backend.health, backend.job.check_type if backend.job is not None else None
            entry = known.get(backend.name)
            if entry is None or entry[0] is not health or entry[1] != type_:
                entry = health, type_, BackendMetrics(backend.name, type_, health.state, health.counter)
            now[backend.name] = entry
        self._known_backends = now
        return tuple([entry[2] for entry in now.values()])

    def frontends(self) -> tuple[FrontendMetrics, ...]:
        """All frontends now, in the order of the file."""
        known, now = self._known_frontends, {}
        for name, spec in self._frontends.specs.items():
            assessment = self._frontends.assessments[name]
            entry = known.get(name)
            if entry is None or entry[0] is not spec or entry[1] is not assessment:
                entry = spec, assessment, _figures(spec, assessment)
            now[name] = entry
        self._known_frontends = now
        return tuple([entry[2] for entry in now.values()])


def _figures(spec: Frontend, assessment: Assessment) -> FrontendMetrics:
    wanted = [member.weight for pool in spec.pools for member in pool.members]
    members = zip(assessment.members, wanted, strict=True)
    return FrontendMetrics(
        spec.name,
        spec.vip,
        assessment.state,
        tuple([MemberMetrics(member.pool, member.backend, weight, member.weight) for member, weight in members]),
    )
