"""From the configuration to the values that the domain reasons about."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from maglev.api import DataplaneConf, IPProtocol, VipAttributes, VipKey
from maglev.config.schema import Config, FrontendConfig, HealthCheckConfig, LbConfig, PoolConfig
from maglev.config.values import nanoseconds
from maglev.domain.model import Frontend, HealthRule, Intervals, Member, Pool, encap_for
from maglev.domain.weights import weight_step

WeightKey = tuple[str, str, str]
"""Frontend, pool and backend."""


def vip_key(frontend: FrontendConfig) -> VipKey:
    """Return what names a frontend's VIP: without a port it takes all protocols."""
    protocol = frontend.protocol if frontend.port else IPProtocol.ANY
    return VipKey(frontend.address, protocol, frontend.port)


def weight_step_of(lb: LbConfig, frontend: FrontendConfig) -> int:
    """Return the granularity of a frontend's weights in the table, 1 to 100: fixed, or by its weights in the file."""
    if lb.weight_step == "auto":
        return weight_step(member.weight for pool in frontend.pools for member in pool.backends.values())
    return lb.weight_step


def frontends(config: Config, weights: Mapping[WeightKey, int] | None = None) -> dict[str, Frontend]:
    """Resolve all frontends.

    Args:
        config: A configuration that was loaded or checked.
        weights: Weights that commands have put in the place of the file's, 0 to 100; those of members that do not
            exist (any more) are passed over.

    Returns:
        By name, in the order of the file.
    """
    return {name: frontend(config, name, weights or {}) for name in config.frontends}


def frontend(config: Config, name: str, weights: Mapping[WeightKey, int]) -> Frontend:
    """Resolve one frontend. As `frontends`."""
    source = config.frontends[name]
    pools = tuple(_pool(config, name, pool, weights) for pool in source.pools)
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


def _pool(config: Config, frontend_name: str, pool: PoolConfig, weights: Mapping[WeightKey, int]) -> Pool:
    members = (
        Member(
            backend=name,
            address=config.backends[name].address,
            weight=weights.get((frontend_name, pool.name, name), member.weight),
            configured_weight=member.weight,
        )
        for name, member in pool.backends.items()
    )
    return Pool(pool.name, tuple(members), pool.min_up)


def health_rule(check: HealthCheckConfig) -> HealthRule:
    """Return when a check's results change a backend's state."""
    return HealthRule(check.rise, check.fall)


def intervals(check: HealthCheckConfig) -> Intervals:
    """Return a check's cadence, with the defaults of the intervals that are not set."""
    return Intervals(
        normal_ns=nanoseconds(check.interval),
        fast_ns=nanoseconds(check.fast_interval or check.interval),
        down_ns=nanoseconds(check.down_interval or check.interval),
    )


def timeout_ns(check: HealthCheckConfig) -> int:
    """Return how long one probe may take, in nanoseconds."""
    return nanoseconds(check.timeout)


def source_address(check: HealthCheckConfig, address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    """Return the local address to probe a backend from: the one of its family, if the check names one."""
    return check.probe_ipv4_src if address.version == 4 else check.probe_ipv6_src


def dataplane_conf(config: Config) -> DataplaneConf:
    """Return what holds for the whole dataplane."""
    lb = config.lb
    return DataplaneConf(
        ipv4_source=lb.ipv4_src_address,
        ipv6_source=lb.ipv6_src_address,
        sticky_buckets_per_core=lb.sticky_buckets_per_core,
        flow_timeout_s=round(lb.flow_timeout.total_seconds()),
    )
