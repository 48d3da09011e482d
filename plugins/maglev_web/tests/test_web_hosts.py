"""Under which names the server may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev_web.http.hosts import is_allowed, read_hosts
from plugins.maglev_web.tests.serving import BASIC, raw, serving

ALLOWED = ("maglev.example.org",)


@pytest.mark.parametrize(
    "host",
    ["maglev.example.org", "MAGLEV.Example.ORG:8080", "maglev.example.org.", "localhost", "localhost:8080", "127.0.0.1",
     "192.0.2.1:80", "[::1]", "[2001:db8::1]:8080"],
)  # fmt: skip
def test_our_names_and_addresses_are_allowed(host: str) -> None:
    assert is_allowed(host, ALLOWED)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example",
     "maglev.example.org.evil.example", "evil.example:127.0.0.1", "127.0.0.1.evil.example", "[evil]",
     "localhost.evil.example", "::1", "[::1", "maglev.example.org@evil.example", "maglev.example.org:80:80", "0x7f.1",
     "maglev.example.org,evil.example", "maglev.example.org evil.example"],
)  # fmt: skip
def test_other_names_are_not(host: str) -> None:
    assert not is_allowed(host, ALLOWED)


@given(st.text())
def test_no_text_is_allowed_by_accident(host: str) -> None:
    plain = host.lower().split(":")[0].removesuffix(".")
    assert not is_allowed(host, ALLOWED) or plain in (*ALLOWED, "localhost") or any(one.isdigit() for one in host)


async def test_page_of_another_site_that_leads_here_gets_nothing() -> None:
    async with serving(allowed_hosts=ALLOWED) as served:
        for path in (
            "/",
            "/view/",
            "/view/api/state",
            "/view/api/events",
            "/admin/",
            "/admin/api/session",
            "/assets/main.js",
        ):
            answer = await served.http.get(path, auth=BASIC, headers={"host": "evil.example"})
            assert answer.status_code == 421
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await served.http.get("/view/", headers={"host": "maglev.example.org:8080"})).status_code == 200
        assert (await served.http.get("/view/")).status_code == 200


async def test_request_without_a_host_is_refused_where_hosts_are_listed() -> None:
    async with serving(allowed_hosts=ALLOWED) as served:
        assert b" 421 " in await raw(served.port, b"GET /view/ HTTP/1.0\r\n\r\n")
        assert b" 400 " in await raw(
            served.port, b"GET /view/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        )


async def test_any_host_will_do_where_none_is_listed() -> None:
    async with serving() as served:
        assert (await served.http.get("/view/", headers={"host": "anything.example"})).status_code == 200


def test_host_names_are_read() -> None:
    assert read_hosts("a.example, B.example.") == ("a.example", "b.example")
    assert read_hosts("") == ()
    for text in ("a b", "https://a.example", "a.example:80", "*.example", "a..b", "x" * 64):
        with pytest.raises(ValueError, match="not a host name"):
            read_hosts(text)
