"""The options of `tcp` are checked, and what is suspicious is said."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from maglev.api import Target
from maglev_tcp.checker import TcpChecker
from maglev_tcp.options import TcpOptions


@pytest.mark.parametrize("pattern", ["(", "(?=lookahead)", r"(a)\1"])
def test_pattern_that_is_not_re2_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not an RE2 pattern"):
        TcpChecker.build(TcpOptions(expect=pattern))


def test_pattern_that_could_hold_up_other_probes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"would hold up other probes: it has \d+ steps, at most 200"):
        TcpChecker.build(TcpOptions(expect="x.{500}y"))


def test_missing_file_of_authorities_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ca-file /nowhere\.pem cannot be used: No such file"):
        TcpChecker.build(TcpOptions(ssl=True, ca_file="/nowhere.pem"))


@pytest.mark.parametrize(
    "options,words",
    [
        (TcpOptions(send="QUIT\r\n"), "send without expect"),
        (TcpOptions(server_name="a.example"), "do nothing without ssl"),
        (TcpOptions(ssl=True), "no SNI"),
    ],
    ids=["send", "tls-options", "ssl"],
)
def test_suspicious_options_are_warned_about(options: TcpOptions, words: str) -> None:
    (line,) = TcpChecker.advice(options)
    assert words in line


@pytest.mark.parametrize(
    "options",
    [TcpOptions(), TcpOptions(send="a", expect="b"), TcpOptions(ssl=True, server_name="a.example")],
    ids=["plain", "dialogue", "ssl"],
)
def test_sound_options_are_not(options: TcpOptions) -> None:
    assert TcpChecker.advice(options) == ()


def test_clear_text_has_no_tls() -> None:
    assert TcpChecker(TcpOptions()).tls(Target("a", ip_address("192.0.2.1"), 1)) is None


@pytest.mark.parametrize("address,name", [("192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1")])
def test_certificate_must_name_the_address_where_no_name_is_given(address: str, name: str) -> None:
    tls = TcpChecker(TcpOptions(ssl=True)).tls(Target("a", ip_address(address), 1))
    assert tls is not None
    assert tls.server_name == name
    assert tls.context.check_hostname
