"""Laws: what is written is read back, and nothing but ConfigError ever comes out of the loader."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.api import IPProtocol
from maglev.config import (
    BackendConfig,
    Config,
    ConfigError,
    FrontendConfig,
    HealthCheckConfig,
    HealthCheckerConfig,
    LbConfig,
    MemberConfig,
    PoolConfig,
    check,
    format_duration,
    load_mapping,
    load_text,
)
from maglev.domain.model import WhenNoneUp
from tests.config.fakes import ALL, HttpOptions, TcpOptions

NAMES = st.text(alphabet="abcxyz0159.-_:é", min_size=1, max_size=12)
CADENCES = st.timedeltas(timedelta(milliseconds=10), timedelta(hours=1))


def written(value: Any) -> Any:
    """Write a value of the configuration as YAML would have it."""
    if attrs.has(type(value)):
        items = ((field.name, getattr(value, field.name)) for field in attrs.fields(type(value)))
        return {name.replace("_", "-"): written(item) for name, item in items if item is not None}
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, dict):
        return {key: written(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [written(item) for item in value]
    if isinstance(value, IPv4Address | IPv6Address):
        return str(value)
    return value.decode() if isinstance(value, bytes) else value


def as_mapping(config: Config) -> dict[str, Any]:
    plain = {key: value for key, value in written(config).items() if key not in ("lb", "dataplane-options")}
    for healthcheck in plain["healthchecks"].values():
        healthcheck["params"].pop("response-code", None)  # made by a converter: only its default can be written
    return {"maglev": plain | {config.dataplane: {"lb": written(config.lb)}}}


HEALTHCHECKS = st.builds(
    HealthCheckConfig,
    type=st.just("http"),
    port=st.integers(1, 65_535),
    params=st.builds(HttpOptions, path=st.text(st.characters(codec="utf-8", exclude_categories=["C"]))),
    interval=CADENCES,
    fast_interval=st.none() | CADENCES,
    down_interval=st.none() | CADENCES,
    timeout=CADENCES,
    rise=st.integers(1, 1000),
    fall=st.integers(1, 1000),
) | st.builds(
    HealthCheckConfig,
    type=st.just("tcp"),
    port=st.integers(1, 65_535),
    params=st.builds(TcpOptions, ssl=st.booleans(), expect=st.sampled_from(["", "no", "1e3", "012", "~", "a: b"])),
)
LBS = st.builds(
    LbConfig,
    sync_interval=st.timedeltas(timedelta(seconds=1), timedelta(hours=1)),
    flow_timeout=st.integers(1, 120),
    startup_min_delay=st.integers(0, 10),
    startup_max_delay=st.integers(10, 60),
    new_flow_table_length=st.sampled_from([16, 1024, 65_536]),
    weight_step=st.just("auto") | st.integers(1, 100),
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Draw a configuration without any problem."""
    healthchecks = draw(st.dictionaries(NAMES, HEALTHCHECKS, max_size=3))
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    form = draw(st.sampled_from(["192.0.2.{}", "2001:db8::{}", "fe80::{}%eth0"]))
    checks = st.none() | st.sampled_from([*healthchecks]) if healthchecks else st.none()
    backends = {
        name: BackendConfig(form.format(n), draw(checks), draw(st.booleans())) for n, name in enumerate(names, 1)
    }
    members = st.dictionaries(st.sampled_from(names), st.builds(MemberConfig, st.integers(0, 100)), min_size=1)
    pools = st.lists(
        st.builds(PoolConfig, NAMES, members, st.integers(1, 3)), min_size=1, max_size=3, unique_by=lambda p: p.name
    )
    frontends = {
        name: FrontendConfig(
            f"203.0.113.{n}",
            draw(pools),
            draw(st.sampled_from([IPProtocol.TCP, IPProtocol.UDP])),
            draw(st.integers(1, 65_535)),
            draw(st.sampled_from(["", "public site", "no", "1:30"])),
            draw(st.booleans()),
            draw(st.booleans()),
            draw(st.sampled_from(WhenNoneUp)),
        )
        for n, name in enumerate(draw(st.lists(NAMES, max_size=3, unique=True)), 1)
    }
    checker = HealthCheckerConfig(draw(st.integers(1, 100)), draw(st.none() | NAMES))
    return Config(checker, "memory", draw(LBS), None, {}, healthchecks, backends, frontends)


@given(configs(), st.booleans())
@settings(max_examples=60)
def test_what_is_written_is_read_back(config: Config, flow_style: bool) -> None:
    expected = check(config, ALL)
    text = yaml.safe_dump(as_mapping(config), allow_unicode=True, default_flow_style=flow_style, sort_keys=False)
    read = load_text(text, ALL)
    assert read.config == expected.config
    assert [warning.message for warning in read.warnings] != [] or expected.warnings == ()
    assert load_mapping(as_mapping(config), ALL).config == read.config


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["5s", "192.0.2.1", "http", "any"])
)
KEYS = st.sampled_from(
    (
        "maglev",
        "backends",
        "frontends",
        "healthchecks",
        "exporters",
        "vpp",
        "memory",
        "lb",
        "grpc",
        "dataplane",
        "address",
        "pools",
        "name",
        "weight",
        "type",
        "port",
        "params",
        "interval",
        "healthcheck",
        "protocol",
        "min-up",
        "a",
        "b",
    )
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=30
)


@given(TREES)
def test_any_data_is_loaded_or_refused(tree: Any) -> None:
    with contextlib.suppress(ConfigError):  # the one thing that may come out
        load_mapping({"maglev": tree}, ALL)


@given(st.dictionaries(KEYS, st.dictionaries(st.sampled_from("abc"), st.dictionaries(KEYS, TREES))))
def test_any_sections_are_loaded_or_refused(sections: Any) -> None:
    with contextlib.suppress(ConfigError):  # the one thing that may come out
        load_text(yaml.safe_dump({"maglev": sections}), ALL)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_source_is_loaded_or_refused(source: str | bytes) -> None:
    with contextlib.suppress(ConfigError):  # the one thing that may come out
        load_text(source, ALL)
