"""From the configuration to the values of the domain."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, ip_address
from typing import Literal

import attrs
import pytest

from maglev.api import DataplaneConf, Encap, IPProtocol, VipAttributes, VipKey
from maglev.config import BackendConfig, Config, HealthCheckConfig, LbConfig, MemberConfig, resolve
from maglev.domain.model import Backend, HealthRule, Intervals, Member, WhenNoneUp
from maglev.domain.overrides import OperatorOverrides, WeightOverride
from tests.config.wording import MINIMAL, loaded


@pytest.fixture
def config() -> Config:
    return loaded(MINIMAL)


def with_weights(config: Config, *weights: int, step: int | Literal["auto"] = "auto") -> Config:
    frontend = config.frontends["www"]
    members = dict(zip("ab", map(MemberConfig, weights), strict=True))
    pool = attrs.evolve(frontend.pools[0], backends=members)
    return attrs.evolve(
        config,
        frontends={"www": attrs.evolve(frontend, pools=[pool])},
        lb=attrs.evolve(config.lb, weight_step=step),
    )


def backend_of(check: HealthCheckConfig, address: str) -> Backend:
    config = Config(healthchecks={"web": check}, backends={"a": BackendConfig(address, "web")})
    return resolve.resolve(config).backends["a"]


def test_frontend_has_what_the_file_says(config: Config) -> None:
    frontend = resolve.frontend(config, "www")
    assert frontend.vip == VipKey(ip_address("203.0.113.80"), IPProtocol.TCP, 80)
    assert frontend.attributes == VipAttributes(Encap.GRE4, 16384, sticky=False)
    assert frontend.pools[0].members == (
        Member("a", ip_address("192.0.2.1"), 100, 100),
        Member("b", ip_address("192.0.2.2"), 100, 100),
    )
    assert (frontend.flush_on_down, frontend.when_none_up, frontend.pools[0].min_up) == (True, WhenNoneUp.DROP, 1)


def test_vip_without_a_port_takes_all_protocols(config: Config) -> None:
    frontend = attrs.evolve(config.frontends["www"], port=0)
    assert resolve.vip_key(frontend) == VipKey(ip_address("203.0.113.80"), IPProtocol.ANY, 0)


def test_encapsulation_follows_the_servers_not_the_vip(config: Config) -> None:
    backends = {name: attrs.evolve(b, address=f"2001:db8::{name}") for name, b in config.backends.items()}
    changed = attrs.evolve(config, backends=backends)
    assert resolve.frontend(changed, "www").attributes.encap is Encap.GRE6


@pytest.mark.parametrize(
    "weights,step", [((100, 100), 10), ((100, 75), 5), ((100, 1), 1), ((0, 0), 100), ((100, 0), 10)]
)
def test_step_is_by_the_weights_in_the_file(config: Config, weights: tuple[int, int], step: int) -> None:
    assert resolve.frontend(with_weights(config, *weights), "www").step == step


def test_step_may_be_fixed(config: Config) -> None:
    assert resolve.frontend(with_weights(config, 100, 1, step=25), "www").step == 25


def test_overridden_weight_takes_the_place_of_the_files_and_leaves_the_step(config: Config) -> None:
    weights = {("www", "primary", "a"): WeightOverride(7, 100), ("www", "gone", "a"): WeightOverride(1, 100)}
    overrides = OperatorOverrides(weights=weights)
    frontend = overrides.applied(resolve.resolve(config).frontends)["www"]
    assert [(m.weight, m.configured_weight) for m in frontend.pools[0].members] == [(7, 100), (100, 100)]
    assert frontend.step == 10


def test_intervals_default_to_the_normal_one() -> None:
    assert resolve.intervals(HealthCheckConfig("http", interval="3s")) == Intervals(*[3_000_000_000] * 3)
    check = HealthCheckConfig(
        "http", interval=2, fast_interval="500ms", down_interval=10, timeout="250ms", rise=4, fall=5
    )
    assert resolve.intervals(check) == Intervals(2_000_000_000, 500_000_000, 10_000_000_000)
    backend = backend_of(check, "192.0.2.1")
    assert backend.probe is not None
    assert backend.probe.timeout_ns == 250_000_000
    assert backend.rule == HealthRule(4, 5)


def test_source_address_is_of_the_backends_family() -> None:
    check = HealthCheckConfig("http", probe_ipv4_src="192.0.2.9")
    for address, source in (("192.0.2.1", ip_address("192.0.2.9")), ("2001:db8::1", None)):
        probe = backend_of(check, address).probe
        assert probe is not None
        assert probe.source == source


def test_all_backends_of_a_check_share_its_values() -> None:
    backends = {name: BackendConfig(f"192.0.2.{name}", "web") for name in "12"}
    resolved = resolve.resolve(Config(healthchecks={"web": HealthCheckConfig("http")}, backends=backends)).backends
    assert resolved["1"].rule is resolved["2"].rule
    assert resolved["1"].intervals is resolved["2"].intervals


def test_dataplane_conf() -> None:
    lb = LbConfig(ipv4_src_address="192.0.2.1", flow_timeout=timedelta(seconds=60), sticky_buckets_per_core=1024)
    assert resolve.dataplane_conf(Config(lb=lb)) == DataplaneConf(IPv4Address("192.0.2.1"), None, 1024, 60)


def test_everything_is_all_vips_with_the_servers_of_all_their_pools(config: Config) -> None:
    whole = resolve.everything(resolve.resolve(config))
    (vip,) = whole.vips.values()
    assert set(vip.servers) == {ip_address("192.0.2.1"), ip_address("192.0.2.2")}
    assert whole.conf == resolve.dataplane_conf(config)
