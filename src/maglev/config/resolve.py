"""From the configuration to the values that the domain reasons about."""

from __future__ import annotations

from collections.abc import Mapping

from maglev.api import (
    DataplaneConf,
    DataplaneState,
    IPProtocol,
    ServerState,
    VipAttributes,
    VipKey,
    VipState,
)
from maglev.config.schema import Config, FrontendConfig, HealthCheckConfig, LbConfig, PoolConfig
from maglev.config.values import nanoseconds
from maglev.domain.model import (
    Backend,
    Frontend,
    HealthRule,
    Intervals,
    Member,
    Pool,
    ProbeSpec,
    ResolvedConfig,
    encap_for,
)
from maglev.domain.weights import weight_step


def vip_key(frontend: FrontendConfig) -> VipKey:
    """Return what names a frontend's VIP: without a port it takes all protocols."""
    protocol = frontend.protocol if frontend.port else IPProtocol.ANY
    return VipKey(frontend.address, protocol, frontend.port)


def weight_step_of(lb: LbConfig, frontend: FrontendConfig) -> int:
    """Return the granularity of a frontend's weights in the table, 1 to 100: fixed, or by its weights in the file."""
    if lb.weight_step == "auto":
        return weight_step(member.weight for pool in frontend.pools for member in pool.backends.values())
    return lb.weight_step


def resolve(config: Config) -> ResolvedConfig:
    """Resolve a configuration that was loaded or checked."""
    # One rule and one cadence for all backends of a health check: what every probe looks at stays in the cache.
    rules = {
        name: (HealthRule(check.rise, check.fall), intervals(check)) for name, check in config.healthchecks.items()
    }
    return ResolvedConfig(
        backends={name: _backend(config, name, rules) for name in config.backends},
        frontends={name: frontend(config, name) for name in config.frontends},
        conf=dataplane_conf(config),
        warm_up_min_ns=nanoseconds(config.lb.startup_min_delay),
        warm_up_max_ns=nanoseconds(config.lb.startup_max_delay),
        transition_history=config.healthchecker.transition_history,
        probes_in_netns=config.healthchecker.netns is not None,
        sync_interval_s=config.lb.sync_interval.total_seconds(),
    )


def everything(config: ResolvedConfig) -> DataplaneState:
    """Return what a dataplane has to hold at most: all VIPs, with the servers of all their pools."""
    vips = {
        each.vip: VipState(
            each.attributes, {m.address: ServerState(m.weight) for pool in each.pools for m in pool.members}
        )
        for each in config.frontends.values()
    }
    return DataplaneState(vips, config.conf)


def _backend(config: Config, name: str, rules: Mapping[str, tuple[HealthRule, Intervals]]) -> Backend:
    source = config.backends[name]
    if source.healthcheck is None:
        return Backend(name, source.address, source.enabled)
    check = config.healthchecks[source.healthcheck]
    probe = ProbeSpec(
        address=source.address,
        check=source.healthcheck,
        type=check.type,
        params=check.params,
        port=check.port,
        timeout_ns=nanoseconds(check.timeout),
        source=check.probe_ipv4_src if source.address.version == 4 else check.probe_ipv6_src,
        netns=config.healthchecker.netns,
    )
    return Backend(name, source.address, source.enabled, *rules[source.healthcheck], probe)


def frontend(config: Config, name: str) -> Frontend:
    """Resolve one frontend."""
    source = config.frontends[name]
    pools = tuple(_pool(config, pool) for pool in source.pools)
    return Frontend(
        name=name,
        vip=vip_key(source),
        pools=pools,
        attributes=VipAttributes(
            encap=encap_for(pools[0].members[0].address),
            table_length=config.lb.new_flow_table_length,
            sticky=source.src_ip_sticky,
        ),
        step=weight_step_of(config.lb, source),
        flush_on_down=source.flush_on_down,
        when_none_up=source.when_none_up,
        description=source.description,
    )


def _pool(config: Config, pool: PoolConfig) -> Pool:
    members = (
        Member(name, config.backends[name].address, member.weight, member.weight)
        for name, member in pool.backends.items()
    )
    return Pool(pool.name, tuple(members), pool.min_up)


def intervals(check: HealthCheckConfig) -> Intervals:
    """Return a check's cadence, with the defaults of the intervals that are not set."""
    return Intervals(
        normal_ns=nanoseconds(check.interval),
        fast_ns=nanoseconds(check.fast_interval or check.interval),
        down_ns=nanoseconds(check.down_interval or check.interval),
    )


def dataplane_conf(config: Config) -> DataplaneConf:
    """Return what holds for the whole dataplane."""
    lb = config.lb
    return DataplaneConf(
        ipv4_source=lb.ipv4_src_address,
        ipv6_source=lb.ipv6_src_address,
        sticky_buckets_per_core=lb.sticky_buckets_per_core,
        flow_timeout_s=round(lb.flow_timeout.total_seconds()),
    )
