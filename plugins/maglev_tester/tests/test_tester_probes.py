"""One probe against a real server: what each fault is called, and what is no fault."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import anyio
import pytest

from maglev.api import Target
from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.probes.answer import printable
from maglev_tester.probes.checkers import HttpVipChecker
from maglev_tester.probes.exchange import Exchange
from maglev_tester.probes.keepalive import KeepaliveChecker, checkers_of
from maglev_tester.runner import Runner
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Kind, Vip
from plugins.maglev_tester.tests.conftest import Server, ServerMaker, answering, silent

OK = b"HTTP/1.1 200 OK\r\nX-IPng-Frontend: nginx0\r\nContent-Length: 3\r\n\r\nok\n"


async def outcomes(
    port: int, times: int = 1, *, kind: Kind = Kind.HTTP, host: str = "", address: str = "127.0.0.1", **settings: Any
) -> list[Outcome]:
    """Probe one VIP some times. A busy machine may stall this process; all is then probed again."""
    plan = ProbeSettings((Vip("vip", address, port, kind, host),), once=times, interval_ns=10_000_000, **settings)
    with anyio.fail_after(100):
        while True:
            found: list[Outcome] = []
            await Runner(plan, lambda _, outcome, found=found: found.append(outcome)).run()  # type: ignore[misc]
            if not any("stood still" in outcome.detail for outcome in found):
                return found


async def outcome_of(port: int, **settings: Any) -> Outcome:
    return (await outcomes(port, **settings))[0]


async def probed(server: Server, **settings: Any) -> Outcome:
    return await outcome_of(server.port, **settings)


async def test_good_answer_says_who_gave_it(serve: ServerMaker) -> None:
    outcome = await probed(serve(answering(OK)))
    assert (outcome.ok, outcome.status, outcome.who, outcome.answered) == (True, "200", "nginx0", True)
    assert outcome.latency_ns > 0


@pytest.mark.parametrize("header, who", [("X-Served-By", "b"), ("x-ipng-frontend", "a"), ("Missing", "")])
async def test_header_that_tells_who_answered_can_be_chosen(serve: ServerMaker, header: str, who: str) -> None:
    answer = b"HTTP/1.1 204 No Content\r\nX-IPng-Frontend: a\r\nX-Served-By: b\r\n\r\n"
    assert (await probed(serve(answering(answer)), header=header)).who == who


async def test_request_has_host_uri_and_no_more_than_it_needs(serve: ServerMaker) -> None:
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(connection.recv(4096))
        connection.sendall(OK)

    server = serve(handle)
    await probed(server, host="www.example.org", uri="/healthz?x=1")
    await probed(server)
    named, plain = (request.decode().split("\r\n") for request in seen)
    assert named[0] == "GET /healthz?x=1 HTTP/1.1"
    assert "Host: www.example.org" in named
    assert "Connection: close" in named
    assert plain[0] == "GET /.well-known/ipng/healthz HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in plain


@pytest.mark.parametrize("status, good", [(200, True), (302, True), (404, False), (503, False), (599, False)])
async def test_status_below_400_is_good(serve: ServerMaker, status: int, good: bool) -> None:
    answer = b"HTTP/1.1 %d X\r\nX-IPng-Frontend: nginx0\r\nContent-Length: 0\r\n\r\n" % status
    outcome = await probed(serve(answering(answer)))
    assert outcome.ok is good
    assert outcome.status == str(status)
    assert outcome.who == "nginx0"
    assert outcome.error is (None if good else ErrorClass.HTTP)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["chunked", "until the end", "long", "interim"],
)
async def test_bodies_of_all_kinds_are_good(serve: ServerMaker, answer: bytes) -> None:
    assert (await probed(serve(answering(answer)))).ok


async def test_garbage_is_a_wrong_answer(serve: ServerMaker) -> None:
    outcome = await probed(serve(answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")))
    assert (outcome.error, outcome.status) == (ErrorClass.HTTP, "no-http")


@pytest.mark.parametrize("answer, words", [(b"", "without an answer"), (OK[:-1], "in the middle of its answer")])
async def test_answer_that_is_cut_is_a_broken_connection(serve: ServerMaker, answer: bytes, words: str) -> None:
    outcome = await probed(serve(answering(answer)))
    assert (outcome.error, outcome.status) == (ErrorClass.NET, "closed")
    assert words in outcome.detail


async def test_refused_connection(free_port: int) -> None:
    for kind in (Kind.HTTP, Kind.TCP):
        outcome = await outcome_of(free_port, kind=kind)
        assert (outcome.error, outcome.status) == (ErrorClass.NET, "refused")


async def test_timeout_names_what_was_waited_for(serve: ServerMaker) -> None:
    server = serve(silent)
    plain = await probed(server, timeout_ns=50_000_000)
    secure = await probed(server, kind=Kind.HTTPS, timeout_ns=50_000_000)
    assert (plain.error, plain.status, plain.detail) == (
        ErrorClass.TIMEOUT,
        "timeout",
        "timeout while waiting for the answer",
    )
    assert secure.detail == "timeout while waiting for the TLS handshake"


async def test_timeout_while_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        # With its queue full, a listener lets further clients wait.
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        outcome = await outcome_of(address[1], kind=Kind.TCP, timeout_ns=50_000_000)
        for client in waiting:
            client.close()
    assert outcome.detail == "timeout while connecting"


async def test_time_that_this_process_stood_still_is_not_the_vips(serve: ServerMaker) -> None:
    late_ns = 0
    asked = threading.Event()

    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        asked.set()
        silent(connection)

    settings = ProbeSettings(
        (Vip("vip", "127.0.0.1", serve(handle).port, Kind.HTTP),), once=1, timeout_ns=1_000_000_000
    )
    found: list[Outcome] = []
    runner = Runner(settings, lambda _, outcome: found.append(outcome), clock_ns=lambda: time.monotonic_ns() + late_ns)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runner.run)
        await anyio.to_thread.run_sync(asked.wait)
        late_ns = 60_000_000_000
        began_ns = time.monotonic_ns()
    assert found[0].error is ErrorClass.TIMEOUT
    assert time.monotonic_ns() - began_ns > 500_000_000  # it was given the rest of its time


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EADDRNOTAVAIL])
async def test_fault_of_this_host_is_no_verdict(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def exhausted(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("maglev.probing.sockets.RawSocket", exhausted)
    assert (await outcome_of(80, kind=Kind.TCP)).error is ErrorClass.LOCAL


async def test_fault_in_maglevt_itself_is_shown_and_ends_nothing(
    serve: ServerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(_: Exchange) -> bytes:
        raise KeyError("bug")

    monkeypatch.setattr(Exchange, "request", request)
    for outcome in await outcomes(serve(silent).port, 2):
        assert outcome.error is ErrorClass.LOCAL
        assert "KeyError" in outcome.detail


async def test_tcp_connection_that_comes_about_is_good(serve: ServerMaker) -> None:
    outcome = await probed(serve(silent), kind=Kind.TCP)
    assert (outcome.ok, outcome.status, outcome.answered) == (True, "connected", False)


async def test_ipv6() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        assert (await outcome_of(listener.getsockname()[1], kind=Kind.TCP, address="::1")).ok


@pytest.mark.usefixtures("trusted")
async def test_https_checks_the_certificate_for_the_host(serve: ServerMaker, server_context: ssl.SSLContext) -> None:
    server = serve(answering(OK), server_context)
    good = await probed(server, kind=Kind.HTTPS, host="www.example.org")
    by_address = await probed(server, kind=Kind.HTTPS)
    wrong = await probed(server, kind=Kind.HTTPS, host="other.example.org:443")
    assert (good.ok, by_address.ok) == (True, True)
    assert (wrong.error, wrong.status) == (ErrorClass.NET, "tls")
    assert "other.example.org" in wrong.detail


async def test_unknown_authority_is_refused_unless_insecure(serve: ServerMaker, server_context: ssl.SSLContext) -> None:
    server = serve(answering(OK), server_context)
    assert (await probed(server, kind=Kind.HTTPS)).status == "tls"
    assert (await probed(server, kind=Kind.HTTPS, insecure=True)).ok


def test_all_https_vips_share_one_context() -> None:
    settings = ProbeSettings(tuple(Vip(str(port), "127.0.0.1", port, Kind.HTTPS) for port in (1, 2, 3)))
    checkers = [checker for checker in checkers_of(settings) if isinstance(checker, HttpVipChecker)]
    assert len({checker.secure and id(checker.secure.context) for checker in checkers}) == 1
    assert len(checkers) == 3


@pytest.mark.parametrize("keepalive, connections", [(False, 3), (True, 1)])
async def test_each_probe_is_a_new_flow_unless_kept_alive(
    serve: ServerMaker, keepalive: bool, connections: int
) -> None:
    server = serve(answering(OK, times=10))
    assert all(outcome.ok for outcome in await outcomes(server.port, 3, keepalive=keepalive))
    assert server.accepted == connections


class HostSockets:
    """The sockets of a target without a network namespace."""

    def open(
        self,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        proto: int = 0,
        family: socket.AddressFamily | None = None,
    ) -> socket.socket:
        return socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK, proto)

    def scope_id(self, zone: str) -> int:
        return socket.if_nametoindex(zone)


async def test_kept_connection_that_the_server_closed_is_replaced_without_an_error(
    serve: ServerMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answering(OK, times=1))
    target = Target("vip", ip_address("127.0.0.1"), server.port, sockets=HostSockets())
    settings = ProbeSettings((Vip("vip", "127.0.0.1", server.port, Kind.HTTP),), keepalive=True)
    (checker,) = checkers_of(settings)
    assert isinstance(checker, KeepaliveChecker)
    original = asyncio.StreamReader.feed_eof

    def feed_eof(self: asyncio.StreamReader) -> None:
        original(self)
        closed.set()

    monkeypatch.setattr(asyncio.StreamReader, "feed_eof", feed_eof)
    for _ in range(3):
        closed = anyio.Event()
        assert (await checker.probe(target)).ok
        with anyio.fail_after(60):
            await closed.wait()
    await checker.aclose()
    assert server.accepted == 3


async def test_kept_flow_that_breaks_under_a_request_is_a_failure(serve: ServerMaker) -> None:
    def handle(connection: socket.socket) -> None:
        answering(OK)(connection)
        connection.recv(4096)

    found = await outcomes(serve(handle).port, 2, keepalive=True)
    assert [outcome.status for outcome in found] == ["200", "closed"]


@pytest.mark.parametrize("kind, doing", [(Kind.HTTP, "the answer"), (Kind.HTTPS, "the TLS handshake")])
async def test_timeout_over_a_kept_connection_names_what_was_waited_for(
    serve: ServerMaker, kind: Kind, doing: str
) -> None:
    outcome = await probed(serve(silent), kind=kind, keepalive=True, timeout_ns=50_000_000)
    assert (outcome.error, outcome.detail) == (ErrorClass.TIMEOUT, f"timeout while waiting for {doing}")


async def test_refused_connection_that_would_be_kept(free_port: int) -> None:
    outcome = await outcome_of(free_port, keepalive=True)
    assert (outcome.error, outcome.status) == (ErrorClass.NET, "refused")


@pytest.mark.usefixtures("trusted")
async def test_unknown_name_over_a_kept_connection(serve: ServerMaker, server_context: ssl.SSLContext) -> None:
    server = serve(answering(OK), server_context)
    outcome = await probed(server, kind=Kind.HTTPS, host="other.example.org", keepalive=True)
    assert (outcome.error, outcome.status) == (ErrorClass.NET, "tls")


@pytest.mark.usefixtures("trusted")
async def test_kept_connection_by_tls(serve: ServerMaker, server_context: ssl.SSLContext) -> None:
    server = serve(answering(OK, times=10), server_context)
    found = await outcomes(server.port, 4, kind=Kind.HTTPS, keepalive=True)
    assert [outcome.error for outcome in found] == [None] * 4
    assert server.accepted == 1


@pytest.mark.parametrize(
    "text, shown",
    [("nginx0", "nginx0"), ("\x1b[2Jgone", "?[2Jgone"), ("a" * 100, "a" * 64), (" \u202e x", "? x")],
)
def test_header_value_cannot_play_with_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.fixture(autouse=True)
def _quick_context(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Loading the system's authorities reads files, which a test in the event loop may not."""
    if "trusted" in request.fixturenames:
        return
    real: Callable[[], ssl.SSLContext] = lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # noqa: E731
    monkeypatch.setattr("maglev_tester.probes.checkers.ssl.create_default_context", real)
