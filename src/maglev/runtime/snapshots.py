"""Builds the immutable snapshots that exporters see from the runtime's changing state."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs

from maglev.api import (
    BackendSnapshot,
    DataplaneSnapshot,
    DataplaneState,
    DataplaneStatus,
    FrontendSnapshot,
    HealthCheckSnapshot,
    MemberSnapshot,
    MessageCount,
    ServerState,
    VipState,
    option_info,
)
from maglev.config import Config, HealthCheckConfig
from maglev.config.resolve import intervals
from maglev.domain.frontend import Assessment, Effective
from maglev.domain.model import Frontend, Member
from maglev.domain.table import Address, bucket_counts
from maglev.domain.weights import table_weight
from maglev.runtime.backends import Backend
from maglev.runtime.frontends import Frontends
from maglev.runtime.ledger import Ledger
from maglev.runtime.overrides import Overrides
from maglev.runtime.reconciler import Reconciler

_SECRET = "(secret)"


def backend_snapshot(backend: Backend) -> BackendSnapshot:
    """One backend now."""
    return BackendSnapshot(
        name=backend.name,
        address=backend.config.address,
        healthcheck=backend.config.healthcheck,
        state=backend.health.state,
        counter=backend.health.counter,
        counter_top=backend.rule.top if backend.rule else 0,
        enabled=backend.config.enabled,
        overridden=backend.overridden,
        frontends=backend.frontends,
        history=tuple(backend.history),
        last_result=backend.last_result,
        last_result_at_s=backend.last_result_at_s,
        stale_since_s=backend.stale_since_s,
        void_code=backend.void_code,
        probes=backend.probes,
    )


def healthcheck_snapshot(name: str, check: HealthCheckConfig, config: Config) -> HealthCheckSnapshot:
    """One health check as configured."""
    lengths = intervals(check)
    return HealthCheckSnapshot(
        name=name,
        type=check.type,
        port=check.port,
        interval_s=lengths.normal_ns / 1e9,
        fast_interval_s=lengths.fast_ns / 1e9,
        down_interval_s=lengths.down_ns / 1e9,
        timeout_s=check.timeout.total_seconds(),
        rise=check.rise,
        fall=check.fall,
        source_ipv4=check.probe_ipv4_src,
        source_ipv6=check.probe_ipv6_src,
        params=_shown(check.params),
        backends=tuple(n for n, backend in config.backends.items() if backend.healthcheck == name),
    )


def _shown(options: Any) -> Mapping[str, Any]:
    if not attrs.has(type(options)):
        return {}
    shown = {}
    for field in attrs.fields(type(options)):
        value = getattr(options, field.name)
        secret = option_info(field).secret and value not in (None, "")
        shown[field.name.replace("_", "-")] = _SECRET if secret else value
    return shown


class FrontendSnapshots:
    """Builds frontend snapshots.

    Args:
        frontends: What they come to.
        ledger: What the dataplane holds.
        reconciler: Whether they are in sync.
    """

    def __init__(self, frontends: Frontends, ledger: Ledger, reconciler: Reconciler) -> None:
        self._frontends = frontends
        self._ledger = ledger
        self._reconciler = reconciler

    def build(self, name: str, backends: Mapping[str, Backend], overrides: Overrides) -> FrontendSnapshot:
        """One frontend now."""
        spec, assessment = self._frontends.specs[name], self._frontends.assessments[name]
        held = self._ledger.vip(spec.vip) if self._ledger.known else None
        step = self._frontends.step(spec) or spec.step
        address = spec.vip.address
        drift = self._ledger.drift.get(address, ())
        return FrontendSnapshot(
            name=name,
            description=spec.description,
            vip=spec.vip,
            state=assessment.state,
            active_pool=assessment.active_pool,
            why=assessment.why,
            pools=tuple(pool.name for pool in spec.pools),
            members=self._members(spec, assessment, held, step, backends, overrides),
            table_length=held.attributes.table_length if held else spec.attributes.table_length,
            weight_step=step,
            sticky=held.attributes.sticky if held else spec.attributes.sticky,
            flush_on_down=spec.flush_on_down,
            when_none_up=str(spec.when_none_up),
            holding=assessment.holding,
            released=self._frontends.released(address),
            in_sync=self._reconciler.in_sync(address),
            drift=tuple(item.what for item in drift if item.vip == spec.vip),
        )

    def _members(
        self,
        spec: Frontend,
        assessment: Assessment,
        held: VipState | None,
        step: int,
        backends: Mapping[str, Backend],
        overrides: Overrides,
    ) -> tuple[MemberSnapshot, ...]:
        configured = [(pool.name, member) for pool in spec.pools for member in pool.members]
        servers = held.servers if held else {}
        buckets = _buckets(held) if held else {}
        return tuple(
            _member(
                member,
                effective,
                step,
                backends[member.backend],
                servers.get(member.address),
                buckets.get(member.address),
                overridden=(spec.name, pool, member.backend) in overrides.weights,
            )
            for (pool, member), effective in zip(configured, assessment.members, strict=True)
        )


def _buckets(vip: VipState) -> Mapping[Address, int | None]:
    """What the dataplane said of its buckets; after a write, what its own algorithm makes of the weights it holds."""
    told = {address: server.buckets for address, server in vip.servers.items()}
    if None not in told.values():
        return told
    return _computed(tuple((a, s.weight) for a, s in vip.servers.items()), vip.attributes.table_length) or told


@lru_cache(maxsize=4096)
def _computed(weights: tuple[tuple[Address, int], ...], length: int) -> Mapping[Address, int] | None:
    try:
        return bucket_counts(dict(weights), length)
    except ValueError:
        return None  # Weights that only somebody else could have written.


def _member(
    member: Member,
    effective: Effective,
    step: int,
    backend: Backend,
    server: ServerState | None,
    buckets: int | None,
    *,
    overridden: bool,
) -> MemberSnapshot:
    return MemberSnapshot(
        pool=effective.pool,
        backend=member.backend,
        address=member.address,
        state=backend.health.state,
        configured_weight=member.configured_weight,
        weight=member.weight,
        overridden=overridden,
        effective_weight=effective.weight,
        table_weight=table_weight(effective.weight, step).value,
        reason=effective.reason,
        dataplane_weight=server.weight if server else None,
        buckets=buckets,
        flows=server.flows if server else None,
    )


def dataplane_snapshot(reconciler: Reconciler, ledger: Ledger, state: DataplaneState | None) -> DataplaneSnapshot:
    """The connection to the dataplane now, with what it holds or without."""
    session = reconciler.session
    connected = session is not None
    return DataplaneSnapshot(
        name=reconciler.dataplane.name,
        connected=connected,
        observing=reconciler.passes.observe,
        info=session.info if session is not None else None,
        state=state if connected else None,
        unmanaged=tuple(sorted(ledger.vips().keys() - ledger.owned)) if connected else (),
        detail=reconciler.detail,
        drift=(ledger.conf_drift,) if connected and ledger.conf_drift else (),
        api_messages=tuple(MessageCount(*key, count) for key, count in sorted(reconciler.api_messages().items())),
    )


def dataplane_status(reconciler: Reconciler) -> DataplaneStatus:
    """The connection to the dataplane now, without what it holds."""
    session = reconciler.session
    return DataplaneStatus(
        name=reconciler.dataplane.name,
        connected=session is not None,
        observing=reconciler.passes.observe,
        info=session.info if session is not None else None,
        detail=reconciler.detail,
        api_messages=reconciler.api_messages(),
        operations=dict(reconciler.operations),
    )
