"""Builds the immutable snapshots that exporters see from the runtime's changing state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from maglev.api import (
    BackendSnapshot,
    BackendState,
    DataplaneSnapshot,
    DataplaneStatus,
    FrontendSnapshot,
    HealthCheckSnapshot,
    MemberSnapshot,
    MessageCount,
    ServerState,
    VipState,
    shown_options,
)
from maglev.config import Config, HealthCheckConfig, format_duration
from maglev.config.resolve import intervals
from maglev.domain.frontend import Effective
from maglev.domain.model import Member
from maglev.domain.state import State
from maglev.domain.table import Address, bucket_counts
from maglev.domain.weights import table_weight
from maglev.runtime.probe_jobs import ProbeRecord
from maglev.runtime.reconciler import Reconciler


def backend_snapshot(state: State, name: str, record: ProbeRecord) -> BackendSnapshot:
    """One backend now."""
    backend, health = state.config.backends[name], state.health[name]
    return BackendSnapshot(
        name=name,
        address=backend.address,
        healthcheck=backend.probe.check if backend.probe else None,
        state=health.state,
        counter=health.counter,
        counter_top=backend.rule.top if backend.rule else 0,
        enabled=backend.enabled,
        overridden=name in state.overrides.admin,
        frontends=state.users.get(name, ()),
        history=state.history[name],
        last_result=record.last_result,
        last_result_at_s=record.last_result_at_s,
        stale_since_s=record.stale_since_s,
        void_code=record.void_code,
        probes=record.probes,
        certificate_not_after_s=record.certificate_not_after_s,
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
    return {name: _in_words(value) for name, value in shown_options(options).items()}


def _in_words(value: Any) -> Any:
    return format_duration(value) if isinstance(value, timedelta) else value


def frontend_snapshot(
    state: State, name: str, *, in_sync: bool | None, unrouted: Collection[Address] = ()
) -> FrontendSnapshot:
    """One frontend now.

    Args:
        state: The State.
        name: The frontend.
        in_sync: Whether the dataplane held what was wanted at the last look; `None` while there is no connection.
        unrouted: Servers that the dataplane has no route to.
    """
    spec, assessment = state.frontends[name], state.assessments[name]
    held = state.dataplane.known_vip(spec.vip)
    attributes = held.attributes if held else spec.attributes
    drift = state.dataplane.drift.get(spec.vip.address, ())
    return FrontendSnapshot(
        name=name,
        description=spec.description,
        vip=spec.vip,
        state=assessment.state,
        active_pool=assessment.active_pool,
        why=assessment.why,
        pools=tuple(pool.name for pool in spec.pools),
        members=_members(state, name, held),
        table_length=attributes.table_length,
        weight_step=state.weight_step(spec),
        sticky=bool(attributes.sticky),
        flush_on_down=spec.flush_on_down,
        when_none_up=str(spec.when_none_up),
        holding=assessment.holding,
        released=state.released(spec.vip.address),
        in_sync=in_sync,
        drift=(*(item.what for item in drift if item.vip == spec.vip), *_without_route(held, unrouted)),
    )


def _without_route(held: VipState | None, unrouted: Collection[Address]) -> Iterator[str]:
    for server in unrouted:
        if held is not None and server in held.servers:
            yield f"the dataplane has no route to {server}: it drops packets for this server"


def _members(state: State, name: str, held: VipState | None) -> tuple[MemberSnapshot, ...]:
    spec, step = state.frontends[name], state.weight_step(state.frontends[name])
    configured = [(pool.name, member) for pool in spec.pools for member in pool.members]
    servers = held.servers if held else {}
    buckets = _buckets(held) if held else {}
    return tuple(
        _member(
            member,
            effective,
            step,
            state.health[member.backend].state,
            servers.get(member.address),
            buckets.get(member.address),
            overridden=(name, pool, member.backend) in state.overrides.weights,
        )
        for (pool, member), effective in zip(configured, state.assessments[name].members, strict=True)
    )


def _buckets(vip: VipState) -> Mapping[Address, int | None]:
    """Return the buckets that the dataplane reported; after a write, those computed from its weights."""
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
    state: BackendState,
    server: ServerState | None,
    buckets: int | None,
    *,
    overridden: bool,
) -> MemberSnapshot:
    return MemberSnapshot(
        pool=effective.pool,
        backend=member.backend,
        address=member.address,
        state=state,
        configured_weight=member.configured_weight,
        weight=member.weight,
        overridden=overridden,
        effective_weight=effective.weight,
        table_weight=table_weight(effective.weight, step).value,
        reason=effective.reason,
        dataplane_weight=server.weight if server else None,
        buckets=buckets,
        entries=server.entries if server else None,
    )


def dataplane_snapshot(reconciler: Reconciler, state: State, *, contents: bool) -> DataplaneSnapshot:
    """The connection to the dataplane now, with what it holds or without."""
    session, view, findings = reconciler.session, state.dataplane, reconciler.findings()
    connected = session is not None
    return DataplaneSnapshot(
        name=reconciler.dataplane.name,
        connected=connected,
        observing=reconciler.observe,
        info=session.info if session is not None else None,
        state=view.state() if connected and contents else None,
        unmanaged=tuple(view.unmanaged()) if connected else (),
        detail=reconciler.detail,
        drift=tuple(filter(None, (view.conf_drift, view.foreign))) if connected else (),
        api_messages=tuple(MessageCount(*key, count) for key, count in sorted(reconciler.api_messages().items())),
        unrouted=findings.unrouted,
        lost_bytes=findings.lost_bytes,
    )


def dataplane_status(reconciler: Reconciler) -> DataplaneStatus:
    """The connection to the dataplane now, without what it holds."""
    session = reconciler.session
    return DataplaneStatus(
        name=reconciler.dataplane.name,
        connected=session is not None,
        observing=reconciler.observe,
        info=session.info if session is not None else None,
        detail=reconciler.detail,
        api_messages=reconciler.api_messages(),
        operations=dict(reconciler.operations),
        findings=reconciler.findings(),
    )
