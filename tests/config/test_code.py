"""Configurations that are made in code obey the same rules."""

from __future__ import annotations

import pickle
from datetime import timedelta
from ipaddress import ip_address

import pytest

from maglev.config import (
    BackendConfig,
    Config,
    ConfigError,
    FrontendConfig,
    HealthCheckConfig,
    LbConfig,
    Loaded,
    MemberConfig,
    PluginSet,
    PoolConfig,
    check,
)
from tests.config.fakes import ALL, GrpcOptions, HttpOptions, VppOptions
from tests.config.wording import MINIMAL, loaded


def config() -> Config:
    return Config(
        healthchecks={"web": HealthCheckConfig("http", 80)},
        backends={name: BackendConfig(f"192.0.2.{n}", "web") for n, name in enumerate("ab", 1)},
        frontends={
            "www": FrontendConfig(
                "203.0.113.80",
                [PoolConfig("primary", {"a": MemberConfig(), "b": MemberConfig()})],
                protocol="tcp",
                port=80,
            )
        },
    )


def test_what_is_made_in_code_equals_what_is_read() -> None:
    assert check(config(), ALL).config == loaded(MINIMAL)


def test_values_may_be_given_in_friendly_forms() -> None:
    made = HealthCheckConfig("http", interval="1m30s", fast_interval=0.5, timeout=timedelta(seconds=1))
    assert (made.interval, made.fast_interval) == (timedelta(seconds=90), timedelta(milliseconds=500))
    assert BackendConfig("2001:db8::1").address == ip_address("2001:db8::1")
    assert LbConfig(ipv4_src_address="192.0.2.1").ipv4_src_address == ip_address("192.0.2.1")


@pytest.mark.parametrize("weight", [-1, 101])
def test_value_that_is_wrong_by_itself_is_refused_at_once(weight: int) -> None:
    with pytest.raises(ValueError, match="0 to 100 is allowed"):
        MemberConfig(weight)


def test_params_may_be_options_or_keys_or_nothing() -> None:
    for params in (HttpOptions(path="/x"), {"path": "/x"}):
        given = Config(healthchecks={"w": HealthCheckConfig("http", 80, params=params)})
        assert check(given, ALL).config.healthchecks["w"].params == HttpOptions(path="/x")
    assert check(config(), ALL).config.healthchecks["web"].params == HttpOptions()


def test_options_of_dataplane_and_exporters_are_completed() -> None:
    lb = LbConfig(ipv4_src_address="192.0.2.1", ipv6_src_address="2001:db8::1")
    made = check(Config(dataplane="vpp", lb=lb, exporters={"grpc": {"addr": ":1"}}), ALL).config
    assert made.dataplane_options == VppOptions()
    assert made.exporters["grpc"] == GrpcOptions(addr=":1")
    options = VppOptions(api_addr="/x")
    assert check(Config(dataplane="vpp", lb=lb, dataplane_options=options), ALL).config.dataplane_options == options


def test_meaning_is_checked() -> None:
    wrong = Config(
        healthchecks={"web": HealthCheckConfig("http", params={"pth": "/"})},
        backends={"a": BackendConfig("192.0.2.1", "wbe")},
        frontends={"f": FrontendConfig("203.0.113.1", [PoolConfig("p", {"b": MemberConfig()})])},
        dataplane="vpp",
    )
    with pytest.raises(ConfigError) as caught:
        check(wrong, ALL)
    assert [problem.path for problem in caught.value.problems] == [
        "maglev.healthchecks.web.params.pth",
        "maglev.vpp.lb.ipv4-src-address",
        "maglev.vpp.lb.ipv6-src-address",
        "maglev.healthchecks.web.port",
        "maglev.backends.a.healthcheck",
        "maglev.frontends.f.pools[0].backends.b",
    ]


def test_warnings_are_given() -> None:
    assert [w.message for w in check(Config(backends={"a": BackendConfig("192.0.2.1")}), ALL).warnings] == [
        "backend 'a' is in no pool"
    ]


def test_dataplane_must_be_installed() -> None:
    with pytest.raises(ConfigError, match="there is no dataplane 'memory'; installed: none"):
        check(Config(), PluginSet())


def test_what_was_loaded_and_what_was_refused_can_be_pickled() -> None:
    good = check(config(), ALL)
    assert pickle.loads(pickle.dumps(good)) == good
    assert isinstance(good, Loaded)
    with pytest.raises(ConfigError) as caught:
        check(Config(dataplane="x"), ALL)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.problems, copy.status) == (caught.value.problems, 2)
