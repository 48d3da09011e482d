"""Addresses to listen on: one reading of them for every plugin, and a socket on each."""

from __future__ import annotations

import socket

import pytest

from maglev.listening import listen, read_address


@pytest.mark.parametrize(
    "text, read",
    [
        (":8080", ("", 8080)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:65535", ("::1", 65535)),
        ("lb-1.example.org:80", ("lb-1.example.org", 80)),
    ],
)
def test_an_address_is_host_and_port(text: str, read: tuple[str, int]) -> None:
    assert read_address(text) == read


@pytest.mark.parametrize(
    "text", ["", "9090", "::1:9090", "localhost", ":65536", ":-1", ":٣", "a b:1", "unix:/x", "[::1]", "[a b]:1", "[]:1"]
)
def test_these_are_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address to listen on"):
        read_address(text)


@pytest.mark.parametrize("text, clients", [("127.0.0.1:0", ["127.0.0.1"]), (":0", ["127.0.0.1", "::1"])])
def test_who_calls_is_heard(text: str, clients: list[str]) -> None:
    with listen(text, 5) as listener:
        for client in clients:
            with socket.create_connection((client, listener.getsockname()[1]), timeout=5):
                listener.accept()[0].close()


def test_where_somebody_listens_already_nobody_else_can() -> None:
    with listen("127.0.0.1:0", 5) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(OSError, match=f"cannot listen on {address}: "):
            listen(address, 5)
