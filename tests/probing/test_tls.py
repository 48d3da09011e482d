from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Callable

import anyio
import pytest
import trustme

from maglev.api import TLS, Action, Code, Done, ProbeResult, Send, StartTLS
from maglev.probing.tls import TLSLayer
from tests.probing.support import OK, Scripted, answers, content, hold, job_of, outcome, probing, says, server

NAME = "backend.example.org"
HANDSHAKEN = Done(ProbeResult(Code.L6OK))

Handler = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def client(ca: trustme.CA) -> ssl.SSLContext:
    return trusting(ca)


@pytest.fixture(scope="module")
def serving(ca: trustme.CA) -> ssl.SSLContext:
    return context_for(ca.issue_cert(NAME, "127.0.0.1"))


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


def context_for(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def made(make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Make a context in a thread: it reads and writes files."""
    return await anyio.to_thread.run_sync(make)


def encrypted(context: ssl.SSLContext, then: Handler, seen: list[ssl.SSLSocket] | None = None) -> Handler:
    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True) as secure:
            if seen is not None:
                seen.append(secure)
            then(secure)

    return handle


async def test_a_handshake_can_be_all_that_is_asked(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    async with server(encrypted(serving, hold)) as port:
        assert (await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))).code is Code.L6OK


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_a_dialogue_over_tls(client: ssl.SSLContext, ca: trustme.CA, version: ssl.TLSVersion) -> None:
    context = await made(lambda: context_for(ca.issue_cert(NAME)))
    context.minimum_version = context.maximum_version = version
    async with server(encrypted(context, answers(b"ok\n"))) as port:
        assert (await outcome(job_of(Scripted(b"hello", tls=TLS(client, NAME)), port))).code is Code.L7OK


async def test_a_certificate_for_an_address(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    async with server(encrypted(serving, answers(b"ok\n"))) as port:
        assert (await outcome(job_of(Scripted(b"hello", tls=TLS(client, "127.0.0.1")), port))).code is Code.L7OK


async def test_a_server_that_speaks_first_over_tls(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    async with server(encrypted(serving, says(b"ok\n"))) as port:
        assert (await outcome(job_of(Scripted(tls=TLS(client, NAME)), port))).code is Code.L7OK


async def test_an_answer_larger_than_all_buffers(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    async with server(encrypted(serving, answers(b"x" * 3_000_000 + b"ok\n"))) as port:
        job = job_of(Scripted(b"hello", tls=TLS(client, NAME)), port, timeout_ns=20_000_000_000)
        assert (await outcome(job)).code is Code.L7OK


async def test_a_question_larger_than_all_buffers(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    def handle(connection: socket.socket) -> None:
        left = 12_000_000
        while left and (data := connection.recv(65536)):
            left -= len(data)
        connection.sendall(b"ok\n")
        hold(connection)

    async with server(encrypted(serving, handle)) as port:
        job = job_of(Scripted(b"x" * 12_000_000, tls=TLS(client, NAME)), port, timeout_ns=20_000_000_000)
        assert (await outcome(job)).code is Code.L7OK


async def test_a_certificate_for_another_name_fails(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    async with server(encrypted(serving, hold)) as port:
        result = await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, "other.example.org")), port))
    assert result.code is Code.L6RSP
    assert "other.example.org" in result.detail


async def test_an_expired_certificate_fails(client: ssl.SSLContext, ca: trustme.CA) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    context = await made(lambda: context_for(ca.issue_cert(NAME, not_after=yesterday)))
    async with server(encrypted(context, hold)) as port:
        result = await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))
    assert (result.code, result.detail) == (Code.L6RSP, "certificate: certificate has expired")


async def test_an_untrusted_certificate_fails(serving: ssl.SSLContext) -> None:
    async with server(encrypted(serving, hold)) as port:
        result = await outcome(
            job_of(Scripted(HANDSHAKEN, tls=TLS(await made(ssl.create_default_context), NAME)), port)
        )
    assert result.code is Code.L6RSP
    assert result.detail.startswith("certificate: ")


async def test_a_peer_without_tls_fails(client: ssl.SSLContext) -> None:
    async with server(says(b"220 plain text here\r\n")) as port:
        assert (await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))).code is Code.L6RSP


async def test_no_version_in_common_fails(ca: trustme.CA, serving: ssl.SSLContext) -> None:
    old = await made(lambda: trusting(ca))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    modern = await made(lambda: context_for(ca.issue_cert(NAME)))
    modern.minimum_version = ssl.TLSVersion.TLSv1_3
    async with server(encrypted(modern, hold)) as port:
        assert (await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(old, NAME)), port))).code is Code.L6RSP


async def test_a_handshake_that_stalls_times_out_at_layer_6(client: ssl.SSLContext) -> None:
    async with server(hold) as port:
        assert (await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))).code is Code.L6TOUT


async def test_a_handshake_that_stalls_midway_times_out_at_layer_6(
    client: ssl.SSLContext, serving: ssl.SSLContext
) -> None:
    def half(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        shake = serving.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(connection.recv(65536))
        with pytest.raises(ssl.SSLWantReadError):
            shake.do_handshake()
        connection.sendall(outgoing.read()[:100])
        hold(connection)

    async with server(half) as port:
        assert (await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))).code is Code.L6TOUT


async def test_silence_after_the_handshake_times_out_at_layer_7(
    client: ssl.SSLContext, serving: ssl.SSLContext
) -> None:
    async with server(encrypted(serving, hold)) as port:
        assert (await outcome(job_of(Scripted(b"hello", tls=TLS(client, NAME)), port))).code is Code.L7TOUT


async def test_a_close_during_the_handshake_fails(client: ssl.SSLContext) -> None:
    def leave(connection: socket.socket) -> None:
        connection.recv(65536)

    async with server(leave) as port:
        result = await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, NAME)), port))
    assert (result.code, result.detail) == (Code.L6RSP, "closed by the peer during the TLS handshake")


@pytest.mark.parametrize("orderly", [True, False])
async def test_a_close_after_the_handshake_is_an_end_of_file(
    client: ssl.SSLContext, serving: ssl.SSLContext, orderly: bool
) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(100)
        if orderly:
            assert isinstance(connection, ssl.SSLSocket)
            connection.unwrap()

    async with server(encrypted(serving, handle)) as port:
        result = await outcome(job_of(Scripted(b"hello", tls=TLS(client, NAME)), port))
    assert (result.code, result.detail) == (Code.L7RSP, "closed by the peer before the answer was complete")


async def test_garbage_after_the_handshake_fails(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    def garbage(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = serving.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            incoming.write(connection.recv(65536))
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                continue
            break
        connection.sendall(b"\x17\x03\x03\x00\x20" + b"garbage " * 4)
        hold(connection)

    async with server(garbage) as port:
        assert (await outcome(job_of(Scripted(b"hello", tls=TLS(client, NAME)), port))).code is Code.L6RSP


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("resume", [True, False])
async def test_a_session_is_resumed_only_where_that_is_allowed(
    client: ssl.SSLContext, ca: trustme.CA, version: ssl.TLSVersion, resume: bool
) -> None:
    reused: list[bool] = []

    def handle(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        reused.append(bool(connection.session_reused))
        answers(b"ok\n")(connection)

    context = await made(lambda: context_for(ca.issue_cert(NAME)))
    context.maximum_version = version
    checker = Scripted(b"hello", tls=TLS(client, NAME, resume=resume))
    async with server(encrypted(context, handle)) as port, probing(job_of(checker, port)) as watch:
        await watch.results(6)
    assert set(watch.codes) == {Code.L7OK}
    assert reused[:6] == [False, *[resume] * 5]


async def test_sessions_are_not_asked_for_without_end(
    client: ssl.SSLContext, serving: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some interpreters lose memory with each; a server that resumes none makes every probe want a new one."""
    taken = 0
    take = TLSLayer.session

    def counting(layer: TLSLayer) -> ssl.SSLSession | None:
        nonlocal taken
        taken += 1
        return take(layer)

    monkeypatch.setattr(TLSLayer, "session", counting)
    monkeypatch.setattr(TLSLayer, "resumed", False)
    monkeypatch.setattr("maglev.probing.stream_probe.MOST_SESSIONS", 3)
    checker = Scripted(b"hello", tls=TLS(client, NAME))
    async with server(encrypted(serving, answers(b"ok\n"))) as port, probing(job_of(checker, port)) as watch:
        await watch.results(8)
    assert set(watch.codes) == {Code.L7OK}
    assert taken == 3


async def test_a_session_that_is_resumed_is_kept_and_no_other_taken(
    client: ssl.SSLContext, serving: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    take = TLSLayer.session

    def counting(layer: TLSLayer) -> ssl.SSLSession | None:
        nonlocal taken
        taken += 1
        return take(layer)

    monkeypatch.setattr(TLSLayer, "session", counting)
    checker = Scripted(b"hello", tls=TLS(client, NAME))
    async with server(encrypted(serving, answers(b"ok\n"))) as port, probing(job_of(checker, port)) as watch:
        await watch.results(8)
    assert taken == 1


async def test_sessions_of_one_server_are_not_offered_to_another(client: ssl.SSLContext, ca: trustme.CA) -> None:
    reused: list[bool] = []

    def handle(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        reused.append(bool(connection.session_reused))
        answers(b"ok\n")(connection)

    checker = Scripted(b"hello", tls=TLS(client, NAME))
    context = await made(lambda: context_for(ca.issue_cert(NAME)))
    async with server(encrypted(context, handle)) as port:
        jobs = [job_of(checker, port), job_of(checker, port)]
        async with probing(*jobs, interval_ns=10**12) as watch:
            await watch.results(2)
    assert reused == [False, False]


def mail_server(serving: ssl.SSLContext, banner: bytes = b"220 ready\r\n") -> Handler:
    def handle(connection: socket.socket) -> None:
        connection.sendall(banner)
        if connection.recv(100) != b"STARTTLS\r\n":
            return
        connection.sendall(b"220 go ahead\r\n")
        encrypted(serving, answers(b"250 ok\n"))(connection)

    return handle


def mail_client(client: ssl.SSLContext) -> Scripted:
    def receive(heard: bytes) -> Action | None:
        if heard == b"220 ready\r\n":
            return Send(b"STARTTLS\r\n")
        return StartTLS() if heard.endswith(b"go ahead\r\n") else content(heard)

    return Scripted(receive=receive, secured=b"EHLO\r\n", tls=TLS(client, NAME), tls_first=False)


async def test_tls_can_begin_in_the_middle_of_a_dialogue(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    async with server(mail_server(serving)) as port, probing(job_of(mail_client(client), port)) as watch:
        await watch.results(3)
    assert set(watch.codes) == {Code.L7OK}


async def test_tls_in_the_middle_can_fail(client: ssl.SSLContext, ca: trustme.CA) -> None:
    other = await made(lambda: context_for(ca.issue_cert("other.example.org")))
    async with server(mail_server(other)) as port:
        assert (await outcome(job_of(mail_client(client), port))).code is Code.L6RSP


async def test_tls_in_the_middle_without_tls_options_is_a_fault_of_the_checker() -> None:
    async with server(says(b"x")) as port:
        assert (await outcome(job_of(Scripted(receive=lambda heard: StartTLS()), port))).code is Code.ERROR


async def test_tls_within_tls_is_a_fault_of_the_checker(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    checker = Scripted(receive=lambda heard: StartTLS(), tls=TLS(client, NAME))
    async with server(encrypted(serving, says(b"x"))) as port:
        assert (await outcome(job_of(checker, port))).code is Code.ERROR


async def test_a_context_that_lacks_its_server_name_is_a_fault_of_the_checker(client: ssl.SSLContext) -> None:
    async with server(hold) as port:
        assert (await outcome(job_of(Scripted(HANDSHAKEN, tls=TLS(client, None)), port))).code is Code.ERROR


async def test_a_last_send_goes_through_tls(client: ssl.SSLContext, serving: ssl.SSLContext) -> None:
    heard: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"220 ok\n")
        heard.append(connection.recv(100))

    checker = Scripted(receive=lambda _: Done(OK, last_send=b"QUIT\r\n"), tls=TLS(client, NAME))
    async with server(encrypted(serving, handle)) as port:
        await outcome(job_of(checker, port), interval_ns=10**12)
    assert heard == [b"QUIT\r\n"]
