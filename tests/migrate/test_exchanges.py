"""Checks made up for other protocols pass on servers that speak them, and fail on others: real probes, real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any

import pytest

from maglev.api import Target
from maglev.testing.probe import probe_once

Import = Callable[..., Any]

DNS_OK = b"\x00\x1d\x9a\xbc\x85\x80" + bytes(23)
LDAP_OK = bytes.fromhex("300c02010161070a010004000400")
LDAP_REFUSED = bytes.fromhex("300c02010161070a013104000400")
MYSQL_OK = b"\x4a\x00\x00\x00\x0a8.0.36\x00" + bytes(30)
MYSQL_ERROR = b"\x45\x00\x00\x00\xffj\x04Host is blocked"
POSTGRES_OK = b"R\x00\x00\x00\x08\x00\x00\x00\x03"
POSTGRES_ERROR = b"E\x00\x00\x00\x20SFATAL\x00"


@contextmanager
def answering(answer: bytes, *, after_request: bool) -> Iterator[tuple[int, list[bytes]]]:
    """A server on loopback that answers one connection; gives its port, and what it was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            if after_request:
                asked.append(connection.recv(4096))
            connection.sendall(answer)
            with suppress(OSError):  # a probe that passed ends with a reset
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], asked
        thread.join()


def passes(made: Any, plugins: Any, port: int) -> bool:
    [check] = made.config.healthchecks.values()
    checker = plugins.checkers[check.type](check.params)
    timeout_ns = 5_000_000_000
    return probe_once(checker, Target("s", ip_address("127.0.0.1"), port, timeout_ns)).ok


@pytest.mark.parametrize(
    "option,answer,after_request,ok",
    [
        ("ldap-check", LDAP_OK, True, True),
        ("ldap-check", LDAP_REFUSED, True, False),
        ("pgsql-check user x", POSTGRES_OK, True, True),
        ("pgsql-check user x", POSTGRES_ERROR, True, False),
        ("mysql-check", MYSQL_OK, False, True),
        ("mysql-check", MYSQL_ERROR, False, False),
        ("smtpchk", b"220 mx ESMTP\r\n", False, True),
        ("smtpchk", b"554 no\r\n", False, False),
        ("redis-check", b"+PONG\r\n", True, True),
        ("redis-check", b"-LOADING\r\n", True, False),
    ],
)
def test_checks_of_haproxy(
    haproxy: Import, plugins: Any, option: str, answer: bytes, after_request: bool, ok: bool
) -> None:
    made = haproxy(f"listen x\nbind 203.0.113.1:1\noption {option}\nserver s 198.51.100.1:1 check\n")
    with answering(answer, after_request=after_request) as (port, _):
        assert passes(made, plugins, port) is ok


@pytest.mark.parametrize(
    "answer,ok",
    [
        (DNS_OK, True),
        (DNS_OK.replace(b"\x85\x80", b"\x85\x83"), False),
        (DNS_OK.replace(b"\x85\x80", b"\x01\x00"), False),
        (DNS_OK.replace(b"\x9a\xbc", b"\x00\x00"), False),
    ],
    ids=["no error", "no such name", "a question", "another's answer"],
)
def test_a_name_server_is_asked_over_tcp(keepalived: Import, plugins: Any, answer: bytes, ok: bool) -> None:
    made = keepalived(
        "virtual_server 203.0.113.1 53 {\nprotocol UDP\nreal_server 198.51.100.1 53 {\n"
        "DNS_CHECK {\nname www.example.org\ntype AAAA\n}\n}\n}"
    )
    with answering(answer, after_request=True) as (port, asked):
        assert passes(made, plugins, port) is ok
    length, query = int.from_bytes(asked[0][:2], "big"), asked[0][2:]
    assert length == len(query)
    assert query.endswith(b"\x03www\x07example\x03org\x00\x00\x1c\x00\x01")
