"""The request: what is sent for which options, and that it is one request."""

from __future__ import annotations

from ipaddress import ip_address

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev_http.options import HttpOptions
from maglev_http.request import host_header, host_name, request_bytes


@pytest.mark.parametrize(
    "host,address,port,scheme,header,name",
    [
        ("", "192.0.2.1", 80, "http", "192.0.2.1", "192.0.2.1"),
        ("", "192.0.2.1", 8080, "http", "192.0.2.1:8080", "192.0.2.1"),
        ("", "192.0.2.1", 80, "https", "192.0.2.1:80", "192.0.2.1"),
        ("", "2001:db8::1", 443, "https", "[2001:db8::1]", "2001:db8::1"),
        ("", "2001:db8::1", 8443, "https", "[2001:db8::1]:8443", "2001:db8::1"),
        ("", "fe80::1%eth0", 80, "http", "[fe80::1]", "fe80::1"),
        ("www.example.org", "192.0.2.1", 8080, "http", "www.example.org", "www.example.org"),
        ("www.example.org:81", "192.0.2.1", 8080, "http", "www.example.org:81", "www.example.org"),
        ("2001:db8::2", "192.0.2.1", 80, "http", "[2001:db8::2]", "2001:db8::2"),
        ("[2001:db8::2]:81", "192.0.2.1", 80, "http", "[2001:db8::2]:81", "2001:db8::2"),
    ],
)
def test_host_header_and_name(host: str, address: str, port: int, scheme: str, header: str, name: str) -> None:
    options = HttpOptions(host=host)
    assert host_header(options, ip_address(address), port, scheme) == header
    assert host_name(options, ip_address(address)) == name


def test_a_plain_request() -> None:
    assert request_bytes(HttpOptions(), "a.example") == (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: maglevd\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )


def test_own_headers_replace_ours() -> None:
    request = request_bytes(HttpOptions(headers={"user-agent": "me", "X-Probe": "maglev"}), "a.example")
    assert b"maglevd" not in request
    assert b"\r\nuser-agent: me\r\nX-Probe: maglev\r\n" in request


def test_a_method_with_a_body_says_that_there_is_none() -> None:
    assert b"\r\nContent-Length: 0\r\n" in request_bytes(HttpOptions(method="POST"), "a")


@given(
    st.text(st.characters(max_codepoint=127), max_size=12),
    st.text(st.characters(max_codepoint=127), max_size=12),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
)
def test_whatever_the_options_they_are_refused_or_make_one_request(
    path: str, method: str, headers: dict[str, str]
) -> None:
    try:
        request = request_bytes(HttpOptions(path="/" + path, method=method, headers=headers), "a.example")
    except ValueError:
        return
    server = h11.Connection(h11.SERVER)
    server.receive_data(request)
    first = server.next_event()
    assert isinstance(first, h11.Request)
    assert first.target == b"/" + path.encode()
    assert isinstance(server.next_event(), h11.EndOfMessage)
    assert server.trailing_data == (b"", False)
