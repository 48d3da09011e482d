"""A TLS server can still refuse when our side of the handshake is done, and its certificate is noted."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import anyio
import attrs
import pytest
import trustme

from maglev.api import TLS, Action, Code, Done, ProbeResult, Send
from maglev.probing import Job
from maglev.probing.server_certificate import ends_too_soon
from maglev.probing.tls import FirstRecord
from tests.probing.support import OK, PATIENCE_S, Scripted, answers, hold, job_of, outcome, probing, server
from tests.probing.test_tls import NAME, context_for, encrypted, made, trusting

HANDSHAKEN = Done(ProbeResult(Code.L6OK))
BOTH = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
APPLICATION_DATA = 23


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def client(ca: trustme.CA) -> ssl.SSLContext:
    return trusting(ca)


@pytest.fixture(scope="module")
def known_client(ca: trustme.CA) -> ssl.SSLContext:
    """A client with a certificate."""
    context = trusting(ca)
    ca.issue_cert("prober.example.org").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def serving(ca: trustme.CA) -> ssl.SSLContext:
    return context_for(ca.issue_cert(NAME))


@pytest.fixture(scope="module")
def demanding(ca: trustme.CA) -> ssl.SSLContext:
    """A server that wants a certificate of its clients."""
    context = context_for(ca.issue_cert(NAME))
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def silent(context: ssl.SSLContext) -> ssl.SSLContext:
    """Hand out no sessions, so that nothing is said after the handshake."""
    context.num_tickets = 0
    return context


# The last flight and the first bytes


def content_types(data: bytes) -> list[int]:
    """The types of the TLS records in data (RFC 8446, section 5.1)."""
    types = []
    while data:
        types.append(data[0])
        data = data[5 + int.from_bytes(data[3:5], "big") :]
    return types


@BOTH
async def test_the_last_of_the_handshake_and_the_request_are_one_write(
    client: ssl.SSLContext, ca: trustme.CA, version: ssl.TLSVersion
) -> None:
    """In two writes, the second waits for the peer's delayed acknowledgement of the first: 40 ms with TLS 1.2."""
    context = await made(lambda: context_for(ca.issue_cert(NAME)))
    context.maximum_version = version
    last_flights: list[tuple[bool, list[int]]] = []

    def handle(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            data = connection.recv(65536)
            incoming.write(data)
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                continue
            break
        last_flights.append((bool(secure.session_reused), content_types(data)))
        try:
            secure.read(100)
        except ssl.SSLWantReadError:  # the full handshake of TLS 1.2 ends with a flight of the server's
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65536))
            secure.read(100)
        secure.write(b"ok\n")
        connection.sendall(outgoing.read())
        hold(connection)

    checker = Scripted(b"hello", tls=TLS(client, NAME))
    async with server(handle) as port, probing(job_of(checker, port, timeout_ns=20_000_000_000)) as watch:
        await watch.results(4)
    assert set(watch.codes) == {Code.L7OK}
    resumed = [types for reused, types in last_flights if reused]
    assert len(resumed) >= 3
    assert all(types[-1] == APPLICATION_DATA and len(types) > 1 for types in resumed)


@pytest.mark.parametrize("opening", [b"hello", b"hello" * 1_000], ids=["two small pieces", "a large one"])
async def test_pieces_are_sent_at_once(monkeypatch: pytest.MonkeyPatch, opening: bytes) -> None:
    """Without TCP_NODELAY the second of two waits for an acknowledgement, which the peer may delay."""
    seen: list[int] = []

    class Looking(socket.SocketType):
        def send(self, data: Any) -> int:  # type: ignore[override]
            seen.append(self.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            return super().send(data)

    def receive(heard: bytes) -> Action | None:
        return Done(OK) if heard.endswith(b"ok\n") else Send(b"go on\n")

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"well\n")
        while not connection.recv(65536).endswith(b"go on\n"):
            pass
        connection.sendall(b"ok\n")
        hold(connection)

    monkeypatch.setattr("maglev.probing.sockets.RawSocket", Looking)
    async with server(handle) as port:
        assert (await outcome(job_of(Scripted(opening, receive), port))).code is Code.L7OK
    assert seen[-1]
    assert bool(seen[0]) is (len(opening) > 536)


# A server that refuses, or not, after our side is done


@BOTH
async def test_a_server_that_refuses_us_without_a_certificate_is_not_up(
    client: ssl.SSLContext, demanding: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    client.maximum_version = version
    try:
        async with (
            server(encrypted(demanding, hold)) as port,
            probing(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port)) as watch,
        ):
            results = await watch.results(10)
    finally:
        client.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert {result.code for result in results} == {Code.L6RSP}
    if version is ssl.TLSVersion.TLSv1_3:
        assert {result.detail for result in results} == {"tlsv13 alert certificate required: set certificate"}


async def test_a_server_that_accepts_our_certificate_is_up(
    known_client: ssl.SSLContext, demanding: ssl.SSLContext
) -> None:
    async with (
        server(encrypted(demanding, hold)) as port,
        probing(job_of(Scripted(HANDSHAKEN, tls=TLS(known_client, NAME)), port)) as watch,
    ):
        await watch.results(5)
    assert set(watch.codes) == {Code.L6OK}


@pytest.mark.parametrize("last_send", [b"", b"QUIT\r\n"])
async def test_a_server_that_says_nothing_accepts_by_closing_when_we_do(
    client: ssl.SSLContext, ca: trustme.CA, last_send: bytes
) -> None:
    context = await made(lambda: silent(context_for(ca.issue_cert(NAME))))
    done = Done(ProbeResult(Code.L6OK), last_send=last_send)
    async with (
        server(encrypted(context, hold)) as port,
        probing(job_of(Scripted(done, tls=TLS(client, NAME)), port)) as watch,
    ):
        await watch.results(5)
    assert set(watch.codes) == {Code.L6OK}


async def test_a_server_that_greets_has_accepted(client: ssl.SSLContext, ca: trustme.CA) -> None:
    context = await made(lambda: silent(context_for(ca.issue_cert(NAME))))

    def greet(connection: socket.socket) -> None:
        connection.sendall(b"220 ready\r\n")
        hold(connection)

    async with server(encrypted(context, greet)) as port:
        assert (await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))).code is Code.L6OK


def flight_only(context: ssl.SSLContext, then: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """A server that says its part of a TLS 1.3 handshake, and never looks at ours."""

    def handle(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(connection.recv(65536))
        with pytest.raises(ssl.SSLWantReadError):
            secure.do_handshake()
        connection.sendall(outgoing.read())
        then(connection)

    return handle


async def test_a_server_that_never_takes_our_side_of_the_handshake_times_out(
    client: ssl.SSLContext, serving: ssl.SSLContext
) -> None:
    async with server(flight_only(serving, hold)) as port:
        result = await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))
    assert (result.code, result.detail) == (Code.L6TOUT, "the server did not confirm the TLS handshake in time")


async def test_a_server_that_closes_on_our_side_of_the_handshake_fails(
    client: ssl.SSLContext, serving: ssl.SSLContext
) -> None:
    """It has not read what we said, so the kernel resets."""
    came = threading.Event()

    def leave(connection: socket.socket) -> None:
        connection.recv(1, socket.MSG_PEEK)
        came.set()

    async with server(flight_only(serving, leave)) as port:
        result = await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))
    assert (result.code, result.detail) == (Code.L6RSP, "reset by the peer during the TLS handshake")


async def test_a_session_is_resumed_where_the_handshake_is_all_that_is_asked(
    client: ssl.SSLContext, ca: trustme.CA
) -> None:
    reused: list[bool] = []

    def handle(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        reused.append(bool(connection.session_reused))
        hold(connection)

    context = await made(lambda: context_for(ca.issue_cert(NAME)))
    async with (
        server(encrypted(context, handle)) as port,
        probing(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port)) as watch,
    ):
        await watch.results(4)
    assert reused[:3] == [False, True, True]


async def test_a_certificate_asked_for_after_the_handshake_is_shown(ca: trustme.CA) -> None:
    """As Apache does for a location of its own."""
    names: list[object] = []
    context = await made(lambda: context_for(ca.issue_cert(NAME)))
    ca.configure_trust(context)
    context.post_handshake_auth = True
    context.verify_mode = ssl.CERT_REQUIRED
    known = await made(lambda: trusting(ca))
    known.post_handshake_auth = True
    certificate = await anyio.to_thread.run_sync(ca.issue_cert, "prober.example.org")
    await anyio.to_thread.run_sync(certificate.configure_cert, known)

    def handle(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        connection.recv(100)
        connection.verify_client_post_handshake()
        connection.sendall(b"who?\n")
        connection.recv(100)  # with this the answer to the request is read
        names.append((connection.getpeercert() or {}).get("subjectAltName"))
        connection.sendall(b"ok\n")
        hold(connection)

    def receive(heard: bytes) -> Action:
        return Done(OK) if heard.endswith(b"ok\n") else Send(b"me\n")

    async with server(encrypted(context, handle)) as port:
        result = await outcome(job_of(Scripted(b"hello", receive, tls=TLS(known, NAME)), port))
    assert result.code is Code.L7OK
    assert names[0] == (("DNS", "prober.example.org"),)


@BOTH
async def test_an_orderly_end_is_one_of_tls_too(
    client: ssl.SSLContext, ca: trustme.CA, version: ssl.TLSVersion
) -> None:
    ends: list[object] = []
    ended = threading.Event()

    def handle(connection: socket.socket) -> None:
        # Then only a close_notify is an end.
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as secure:
            try:
                secure.recv(100)
                secure.sendall(b"ok\n")
                ends.append(secure.recv(100))
            except OSError as error:
                ends.append(error)
            ended.set()

    context = await made(lambda: context_for(ca.issue_cert(NAME)))
    context.maximum_version = version
    checker = Scripted(b"hello", lambda heard: Done(OK, orderly=True), tls=TLS(client, NAME))
    async with (
        server(handle) as port,
        probing(job_of(checker, port, timeout_ns=20_000_000_000), interval_ns=10**12) as watch,
    ):
        await watch.results(1)
        await anyio.to_thread.run_sync(ended.wait, PATIENCE_S)
    assert ends == [b""]


# Certificates

MOMENT = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


async def test_a_certificate_is_told_of_when_it_is_new(ca: trustme.CA) -> None:
    told: list[tuple[Job, float | None]] = []
    client = await made(lambda: trusting(ca))
    context = await made(lambda: context_for(ca.issue_cert(NAME, not_after=MOMENT)))
    checker = Scripted(b"hello", tls=TLS(client, NAME, resume=False))
    async with server(encrypted(context, answers(b"ok\n"))) as port:
        job = job_of(checker, port)
        async with probing(job, on_certificate=lambda job, at: told.append((job, at))) as watch:
            await watch.results(4)
            assert told == [(job, MOMENT.timestamp())]
            later = MOMENT + dt.timedelta(days=90)
            renewed = await anyio.to_thread.run_sync(lambda: ca.issue_cert(NAME, not_after=later))
            await anyio.to_thread.run_sync(renewed.configure_cert, context)
            await watch.until(lambda: len(told) > 1)
    assert told[1:] == [(job, later.timestamp())]


async def test_a_certificate_that_is_not_verified_is_told_of_too(ca: trustme.CA) -> None:
    told: list[float | None] = []
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    context = await made(lambda: context_for(ca.issue_cert(NAME, not_after=MOMENT)))
    async with server(encrypted(context, answers(b"ok\n"))) as port:
        await outcome(job_of(Scripted(b"hello", tls=TLS(client)), port), on_certificate=lambda job, at: told.append(at))
    assert told == [MOMENT.timestamp()]


async def test_a_callback_that_raises_stops_nothing(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    def bad(job: Job, not_after_s: float | None) -> None:
        raise KeyError("oh")

    async with (
        server(encrypted(serving, answers(b"ok\n"))) as port,
        probing(job_of(Scripted(b"hello", tls=TLS(client, NAME)), port), on_certificate=bad) as watch,
    ):
        await watch.results(2)
    assert set(watch.codes) == {Code.L7OK}
    assert len(watch.warnings) == 1


@pytest.mark.parametrize("resume", [True, False])
async def test_a_certificate_that_ends_too_soon_fails_resumed_or_not(
    client: ssl.SSLContext, ca: trustme.CA, resume: bool
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=5, hours=12)
    context = await made(lambda: context_for(ca.issue_cert(NAME, not_after=soon)))
    tls = TLS(client, NAME, resume=resume, min_validity_s=14 * 86_400)
    async with (
        server(encrypted(context, answers(b"ok\n"))) as port,
        probing(job_of(Scripted(b"hello", tls=tls), port)) as watch,
    ):
        results = await watch.results(4)
    assert {(result.code, result.detail) for result in results} == {(Code.L6RSP, "certificate expires in 5 days")}


async def test_a_certificate_that_was_renewed_is_seen_though_sessions_go_on(ca: trustme.CA) -> None:
    """One that lasts five seconds more than is wanted, so that a session is kept, and then fails."""
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=5)
    client = await made(lambda: trusting(ca))
    context = await made(lambda: context_for(ca.issue_cert(NAME, not_after=soon)))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    renewed = ca.issue_cert(NAME, not_after=soon + dt.timedelta(days=90))
    job = job_of(Scripted(b"hello", tls=TLS(client, NAME, min_validity_s=1)), 0)
    async with server(encrypted(context, answers(b"ok\n"))) as port:
        job = attrs.evolve(job, target=attrs.evolve(job.target, port=port))
        async with probing(job) as watch:
            await watch.until(lambda: len(watch.ended) > 2)
            scheduled = watch.prober._jobs[job]
            assert scheduled.session is not None
            assert scheduled.tls is not None
            scheduled.tls = attrs.evolve(scheduled.tls, min_validity_s=14 * 86_400)  # as if nine days had passed
            await anyio.to_thread.run_sync(renewed.configure_cert, context)  # tickets stay good
            await watch.until(lambda: Code.L6RSP in watch.codes)
            await watch.until(lambda: watch.codes[-1] is Code.L7OK)


async def test_a_certificate_that_lasts_long_enough_passes(client: ssl.SSLContext, ca: trustme.CA) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=15)
    context = await made(lambda: context_for(ca.issue_cert(NAME, not_after=later)))
    tls = TLS(client, NAME, min_validity_s=14 * 86_400)
    async with server(encrypted(context, answers(b"ok\n"))) as port:
        assert (await outcome(job_of(Scripted(b"hello", tls=tls), port))).code is Code.L7OK


@pytest.mark.parametrize(
    "left_s, detail",
    [
        (13.9 * 86_400, "certificate expires in 13 days"),
        (86_400, "certificate expires in 1 day"),
        (86_399, "certificate expires in 23 hours"),
        (3_600, "certificate expires in 1 hour"),
        (60, "certificate expires in less than an hour"),
        (-60, "certificate expired less than an hour ago"),
        (-200_000, "certificate expired 2 days ago"),
    ],
)
def test_what_is_said_of_a_certificate(left_s: float, detail: str) -> None:
    result = ends_too_soon(1e9 + left_s, 1e9, 14 * 86_400)
    assert result is not None
    assert (result.code, result.detail) == (Code.L6RSP, detail)


def test_a_certificate_that_lasts_just_long_enough() -> None:
    assert ends_too_soon(1e9 + 100, 1e9, 100) is None


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_the_first_record_is_complete_with_its_last_byte(size: int) -> None:
    record = b"\x17\x03\x03" + (20).to_bytes(2, "big") + b"x" * 20
    pieces = [record[at : at + size] for at in range(0, len(record), size)]
    first = FirstRecord()
    assert [first.complete(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
