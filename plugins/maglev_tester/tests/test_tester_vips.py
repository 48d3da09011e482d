"""The right VIPs are probed in the right way, and the others are left out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev import BackendConfig, Config, FrontendConfig, HealthCheckConfig, MemberConfig, PoolConfig
from maglev.api import IPProtocol
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Kind, Vip, together, vips_of

ALL = re.compile("")


def config(
    port: int,
    check: HealthCheckConfig | None = None,
    protocol: str = "tcp",
    name: str = "web",
    address: str = "192.0.2.80",
) -> Config:
    return Config(
        healthchecks={"check": check} if check else {},
        backends={"server": BackendConfig("192.0.2.1", "check" if check else None)},
        frontends={
            name: FrontendConfig(
                address, [PoolConfig("pool", {"server": MemberConfig()})], protocol=IPProtocol(protocol), port=port
            )
        },
    )


def checked(type_: str, port: int | None, **params: str) -> HealthCheckConfig:
    return HealthCheckConfig(type_, port, params)


@pytest.mark.parametrize(
    "port, kind",
    [(80, "http"), (8080, "http"), (443, "https"), (8443, "https"), (25, "tcp"), (6379, "tcp")],
)
def test_usual_ports_tell_how_a_vip_is_probed(port: int, kind: str) -> None:
    ((vip,), left_out) = vips_of(config(port))
    assert (vip.kind, vip.port, left_out) == (kind, port, ())


@pytest.mark.parametrize(
    "port, check, kind",
    [
        (9000, checked("http", 9000), "http"),
        (8080, checked("https", 8080), "https"),
        (443, checked("http", 80), "https"),
        (6379, checked("http", 8081), "tcp"),
        (80, checked("icmp", None), "http"),
    ],
)
def test_health_check_on_the_vips_own_port_knows_better(port: int, check: HealthCheckConfig, kind: str) -> None:
    ((vip,), _) = vips_of(config(port, check))
    assert vip.kind == kind


def test_host_is_that_of_the_health_check() -> None:
    ((vip,), _) = vips_of(config(443, checked("https", 443, host="www.example.org")))
    assert vip.host == "www.example.org"


def test_host_that_cannot_be_asked_for_is_no_reason_to_fail_later() -> None:
    vips, (left_out,) = vips_of(config(443, checked("https", 443, host="a..b")))
    assert vips == ()
    assert "host 'a..b' cannot be sent" in left_out.why


def test_vip_for_all_ports_is_probed_where_its_backends_are() -> None:
    ((vip,), _) = vips_of(config(0, checked("http", 8081), protocol="any"))
    assert (vip.port, vip.kind) == (8081, Kind.HTTP)


@pytest.mark.parametrize("port, protocol, words", [(53, "udp", "UDP"), (0, "any", "all ports")])
def test_what_cannot_be_probed_is_left_out_with_a_reason(port: int, protocol: str, words: str) -> None:
    vips, (left_out,) = vips_of(config(port, protocol=protocol))
    assert vips == ()
    assert words in left_out.why


def test_vip_in_two_files_is_probed_once_and_one_name_for_two_vips_is_told_apart() -> None:
    files = [
        ("ams", config(80)),
        ("lon", config(80)),
        ("par", config(80, address="192.0.2.81")),
    ]
    vips, _ = together(files, ALL)
    assert [(vip.name, vip.address) for vip in vips] == [("web", "192.0.2.80"), ("par:web", "192.0.2.81")]


@pytest.mark.parametrize("pattern, found", [("^we", 1), ("192.0.2.80:80$", 1), ("nothing", 0)])
def test_filter_looks_at_name_and_endpoint(pattern: str, found: int) -> None:
    assert len(together([("a", config(80))], re.compile(pattern))[0]) == found


def test_endpoint_of_ipv6_is_in_brackets() -> None:
    assert Vip("a", "2001:db8::80", 443, Kind.HTTPS).endpoint == "[2001:db8::80]:443"


@given(
    st.builds(
        ProbeSettings,
        vips=st.lists(st.builds(Vip, st.text(), st.just("192.0.2.1"), st.integers(1, 65535), st.sampled_from(Kind)))
        .map(tuple),
        interval_ns=st.integers(1, 10**12),
        insecure=st.booleans(),
        once=st.integers(0, 10),
    )
)  # fmt: skip
def test_plan_that_is_written_down_reads_back(settings: ProbeSettings) -> None:
    text = settings.dumps()
    assert "\n" not in text
    assert ProbeSettings.loads(text) == settings
