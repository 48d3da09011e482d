"""Durations and addresses."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.config import BackendConfig, HealthCheckConfig, format_duration, nanoseconds, parse_duration
from maglev.config.values import address, duration, server_address, zone_objection


@pytest.mark.parametrize(
    "text,seconds",
    [
        ("1m30s", 90),
        ("500ms", 0.5),
        ("1h", 3600),
        ("1.5s", 1.5),
        ("0", 0),
        ("1.h", 3600),
        (".5m", 30),
        ("3us", 3e-6),
        ("1000ns", 1e-6),
        ("2h45m", 9900),
        ("14d", 14 * 86_400),
        ("1d12h", 36 * 3600),
    ],
)
def test_durations_are_read_as_go_writes_them_or_in_days(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "1:30", "-1s", "1 s", "s", "1w", "1S", "٣s", "1s1", ".s", "1e3s", "9" * 40 + "h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: use a duration such as 500ms"):
        parse_duration(text)


@pytest.mark.parametrize("text,why", [("1ns", "finer than a microsecond"), ("100000h", "longer than ten years")])
def test_durations_out_of_bounds_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_duration(text)


@given(st.timedeltas(timedelta(), timedelta(days=3000)))
def test_what_is_written_is_read_back(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


@given(st.integers(0, 10**15))
def test_nanoseconds_are_exact(microseconds: int) -> None:
    assert nanoseconds(timedelta(microseconds=microseconds)) == microseconds * 1000


@given(st.text(alphabet="0123456789.dhmsnuµ ", max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert parse_duration(text) >= timedelta()
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017  (either outcome is right)


def test_code_may_give_durations_in_any_form() -> None:
    assert duration("90s") == duration(90) == duration(90.0) == duration(timedelta(seconds=90))
    wrongs: tuple[Any, ...] = (True, None, [], float("nan"), -1)
    for wrong in wrongs:
        with pytest.raises(ValueError, match="is not a duration"):
            duration(wrong)


NO_HOSTS = ["0.0.0.0", "255.255.255.255", "::", "224.0.0.1", "ff02::1", "x"]
WRITTEN_AS_IPV6 = ["::ffff:192.0.2.1", "::192.0.2.1", "::c000:201", "::0.0.0.2", "::ffff", "::255.255.255.255"]


@pytest.mark.parametrize("wrong", [*NO_HOSTS, *WRITTEN_AS_IPV6, "fe80::1%eth0", "::1"])
def test_only_addresses_of_hosts_are_taken(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        address(wrong)


@pytest.mark.parametrize("wrong", WRITTEN_AS_IPV6)
def test_an_ipv4_address_written_as_ipv6_is_told_how_to_be_written(wrong: str) -> None:
    with pytest.raises(ValueError, match=rf": write {ip_address(int(ip_address(wrong)) & 0xFFFFFFFF)}$"):
        server_address(wrong)


@pytest.mark.parametrize("right", ["::1", "::1:0:0", "::1:192.0.2.1", "::fffe:0:1", "2001:db8::192.0.2.1"])
def test_what_only_looks_like_ipv4_is_taken(right: str) -> None:
    assert server_address(right) == ip_address(right)


def test_address_may_be_text() -> None:
    assert address("2001:db8::1") == address(ip_address("2001:db8::1"))
    assert server_address("fe80::1%eth0") == ip_address("fe80::1%eth0")


@pytest.mark.parametrize(
    "good", ["fe80::1%eth0", "fe80::1%3", "febf::1%vlan.10", "fe80::1%a-b_c@d", "2001:db8::1", "192.0.2.1"]
)
def test_link_local_address_names_its_interface(good: str) -> None:
    assert zone_objection(ip_address(good)) == ""


@pytest.mark.parametrize(
    "wrong,words",
    [
        ("fe80::1", "needs a zone: fe80::1%eth0"),
        ("febf:ffff::1", "needs a zone"),
        ("2001:db8::1%eth0", "has a zone, which only link-local addresses have"),
        ("::1%lo", "has a zone, which only"),
        ("fe80::1%0", "has a zone that is not an interface"),
        ("fe80::1%a b", "has a zone that is not an interface"),
        ("fe80::1%a:b", "has a zone that is not an interface"),
        ("fe80::1%\x1b[2J", r"'fe80::1%\x1b[2J' has a zone that is not an interface"),
        ("fe80::1%abcdefghijklmnop", "has a zone that is not an interface"),
        ("fe80::1%eth\n", "has a zone that is not an interface"),
    ],
    ids=repr,
)
def test_link_local_address_without_an_interface_is_refused(wrong: str, words: str) -> None:
    assert words in zone_objection(ip_address(wrong))
    with pytest.raises(ValueError, match=re.escape(words)):
        BackendConfig(wrong)
    with pytest.raises(ValueError, match=re.escape(words)):
        HealthCheckConfig("tcp", probe_ipv6_src=ip_address(wrong))
