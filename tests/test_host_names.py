"""Names that servers cannot have, or TLS not carry, are refused wherever an option takes one."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maglev.api import Checker, StreamChecker, Target
from maglev.host_names import check_host, check_name, name_of
from maglev.plugin import PluginManager

LONGEST = ".".join(["a" * 63] * 3 + ["a" * 61])
TARGET = Target("a", ip_address("192.0.2.1"), 443)
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
PARTS = st.sampled_from(
    [
        *"a A-b _x . .. - : :: 1 256 80 xn-- xn--9ca [ ] % é * fe80::1 192.0.2.1".split(),  # noqa: SIM905  (shorter)
        " ",
        "\0",
        "\n",
        "b" * 64,
        LONGEST,
    ]
)
NAMES = st.one_of(st.lists(PARTS, min_size=1, max_size=6).map("".join), st.text(min_size=1, max_size=12))
GOOD = ["a", "www.example.org", "_a.b_c", "xn--9ca.example", "192.0.2.1", "2001:db8::1", "1.2.3.4.5", "web.1", LONGEST]
BAD = [
    "a..b",
    ".a",
    "a b",
    "é.example",
    "a\0",
    "b" * 64,
    f"x{LONGEST}",
    "256.1.1.1",
    "a:b:c",
    "fe80::1%eth0",
    "xn--",
    "*.a",
]


@pytest.mark.parametrize("name", GOOD, ids=range(len(GOOD)))
def test_names_that_servers_have_are_taken(name: str) -> None:
    check_name(name, "server-name")
    check_host(name, "host")


@pytest.mark.parametrize("name", [*BAD, "a.", "[::1]", "a:80"], ids=repr)
def test_others_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"server-name .* cannot be sent: "):
        check_name(name, "server-name")


@pytest.mark.parametrize(
    "host", [*BAD, "a:http", "a:0", "a:65536", "[::1", "[a]", "[192.0.2.1]", ":80", "a:", "."], ids=repr
)
def test_hosts_that_cannot_be_asked_for_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"host .* cannot be sent: "):
        check_host(host, "host")


@pytest.mark.parametrize(
    "host,name",
    [
        ("a.:80", "a"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("a.b", "a.b"),
    ],
)
def test_name_is_found_in_a_host_header(host: str, name: str) -> None:
    check_host(host, "host")
    assert name_of(host) == name


def carried_by_tls(name: str) -> bool:
    return bool(CONTEXT.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name))


@given(NAMES)
def test_whatever_is_taken_is_carried_by_tls(text: str) -> None:
    for check in check_name, check_host:
        try:
            check(text, "x")
        except ValueError:
            continue
        assert carried_by_tls(name_of(text) if check is check_host else text)


def stream_checkers() -> list[tuple[str, type[StreamChecker]]]:
    return [(name, cls) for name, cls in PluginManager().checkers.items() if issubclass(cls, StreamChecker)]


def texts_of(cls: type[StreamChecker]) -> list[str]:
    return [field.name for field in attrs.fields(attrs.resolve_types(cls.Options)) if field.type is str]


OPTIONS = [pytest.param(cls, field, id=f"{name}-{field}") for name, cls in stream_checkers() for field in texts_of(cls)]


def built(cls: type[StreamChecker], **options: Any) -> Checker | None:
    """A checker that speaks TLS if it can, or `None` if it does not take its options."""
    # Without a check no authorities are loaded, which takes long.
    switches = {name: True for name in ("ssl", "insecure_skip_verify") if name in attrs.fields_dict(cls.Options)}
    try:
        return cls.build(cls.Options(**switches, **options))
    except ValueError:
        return None


@pytest.mark.parametrize("cls,field", OPTIONS)
@settings(max_examples=20)
@example(text="..")
@example(text="a" * 64)
@example(text="a.")
@given(text=NAMES)
def test_whatever_an_option_takes_is_carried_by_tls(cls: type[StreamChecker], field: str, text: str) -> None:
    checker = built(cls, **{field: text})
    tls = checker.tls(TARGET) if isinstance(checker, StreamChecker) else None
    if tls is not None and tls.server_name is not None:
        assert carried_by_tls(tls.server_name)


@pytest.mark.parametrize("name", BAD, ids=repr)
def test_every_option_for_a_name_refuses_what_is_none(name: str) -> None:
    named = [(cls, field) for cls, field in map(_values, OPTIONS) if field in ("host", "server_name")]
    assert len(named) >= 4
    assert [built(cls, **{field: name}) for cls, field in named] == [None] * len(named)
    assert None not in [built(cls, **{field: "www.example.org"}) for cls, field in named]


def _values(parameter: Any) -> tuple[type[StreamChecker], str]:
    cls, field = parameter.values
    return cls, field
