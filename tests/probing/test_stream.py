from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import attrs
import pytest

from maglev.api import Action, Closed, Code, Conversation, Done, ProbeResult, Send, Target, option
from tests.probing.support import (
    OK,
    Scripted,
    Talk,
    answers,
    content,
    free_port,
    hold,
    job_of,
    outcome,
    probing,
    says,
    server,
)

CONNECTED = Done(ProbeResult(Code.L4OK))


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def explode(*_: object) -> Any:
    raise KeyError("oh")


async def test_being_connected_can_be_all_that_is_asked() -> None:
    async with server(hold) as port:
        result = await outcome(job_of(Scripted(CONNECTED), port))
    assert result.code is Code.L4OK
    assert result.duration_ns > 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_dialogue_over_both_families(address: str) -> None:
    async with server(answers(b"ok\n"), address) as port:
        assert (await outcome(job_of(Scripted(b"how are you?"), port, address))).code is Code.L7OK


async def test_a_server_may_speak_first() -> None:
    async with server(says(b"ok\n")) as port:
        assert (await outcome(job_of(Scripted(), port))).code is Code.L7OK


async def test_a_dialogue_of_many_rounds_in_small_pieces() -> None:
    def handle(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for word in (b"hello\n", b"again\n", b"ok\n"):
            for byte in word:
                connection.send(bytes([byte]))
            connection.recv(100)

    def receive(heard: bytes) -> Action | None:
        return content(heard) or (Send(b"go on\n") if heard.endswith(b"\n") else None)

    async with server(handle) as port:
        assert (await outcome(job_of(Scripted(receive=receive), port))).code is Code.L7OK


async def test_a_port_where_nobody_listens_refuses() -> None:
    result = await outcome(job_of(Scripted(CONNECTED), free_port()))
    assert (result.code, result.detail) == (Code.L4CON, "Connection refused")


async def test_an_address_without_a_route_is_unreachable() -> None:
    assert (await outcome(job_of(Scripted(CONNECTED), 1, "255.255.255.255"))).code is Code.L4CON


async def test_no_answer_to_a_connect_times_out_at_layer_4() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with socket.socket() as first, socket.socket() as second:
            for client in (first, second):
                client.setblocking(False)
                client.connect_ex(address)  # with two, the queue of the listener is full
            assert (await outcome(job_of(Scripted(CONNECTED), address[1]))).code is Code.L4TOUT


async def test_a_server_that_accepts_and_says_nothing_times_out_at_layer_7() -> None:
    async with server(hold) as port:
        assert (await outcome(job_of(Scripted(b"hello"), port))).code is Code.L7TOUT


async def test_the_conversation_judges_its_own_time_out() -> None:
    verdict = ProbeResult(Code.L7STS, "slow")
    async with server(hold) as port:
        result = await outcome(job_of(Scripted(b"hello", expired=lambda: verdict), port))
    assert (result.code, result.detail) == (Code.L7STS, "slow")


async def test_the_conversation_learns_of_an_orderly_end() -> None:
    seen: list[Closed] = []

    def closed(why: Closed) -> ProbeResult:
        seen.append(why)
        return OK

    async with server(lambda connection: None) as port:
        assert (await outcome(job_of(Scripted(closed=closed), port))).code is Code.L7OK
    assert seen == [Closed.EOF]


async def test_what_came_before_the_end_is_heard_first() -> None:
    async with server(lambda connection: connection.sendall(b"ok\n")) as port:
        assert (await outcome(job_of(Scripted(), port))).code is Code.L7OK


async def test_closing_early_fails_at_layer_7() -> None:
    async with server(lambda connection: connection.sendall(b"no\n")) as port:
        assert (await outcome(job_of(Scripted(), port))).code is Code.L7RSP


async def test_a_reset_at_once_is_heard_as_a_reset() -> None:
    seen: list[Closed] = []

    def closed(why: Closed) -> ProbeResult:
        seen.append(why)
        return ProbeResult(Code.L7RSP)

    async with server(reset) as port, probing(job_of(Scripted(closed=closed), port)) as watch:
        await watch.results(30)
    assert set(watch.codes) == {Code.L7RSP}
    assert set(seen) == {Closed.RESET}


async def test_a_port_that_accepts_and_resets_is_still_connected_to() -> None:
    async with server(reset) as port, probing(job_of(Scripted(CONNECTED), port)) as watch:
        await watch.results(30)
    assert set(watch.codes) == {Code.L4OK}


async def test_an_answer_followed_by_a_reset_is_an_answer() -> None:
    def handle(connection: socket.socket) -> None:
        connection.sendall(b"ok\n")
        reset(connection)

    async with server(handle) as port, probing(job_of(Scripted(b"a question that nobody reads"), port)) as watch:
        await watch.results(30)
    assert set(watch.codes) == {Code.L7OK}


async def test_an_opening_too_large_for_one_send_arrives_whole() -> None:
    opening = bytes(range(256)) * 80_000
    got = bytearray()
    complete = threading.Event()

    def handle(connection: socket.socket) -> None:
        while len(got) < len(opening):
            got.extend(connection.recv(100_000))
        complete.set()
        connection.sendall(b"ok\n")
        hold(connection)

    async with server(handle) as port:
        assert (await outcome(job_of(Scripted(opening), port, timeout_ns=20_000_000_000))).code is Code.L7OK
    assert complete.is_set()
    assert got == opening


async def test_a_peer_that_asks_without_end_and_never_reads_is_given_up_on() -> None:
    def handle(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 4096)

    checker = Scripted(receive=lambda heard: Send(b"y" * 500_000))
    async with server(handle) as port:
        result = await outcome(job_of(checker, port, timeout_ns=20_000_000_000))
    assert (result.code, result.detail) == (Code.L7RSP, "the peer does not read what it requested")


async def test_an_endless_sender_holds_nobody_up_and_ends_at_its_deadline() -> None:
    def pour(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    heard = 0

    def count(data: bytes) -> Action | None:
        nonlocal heard
        heard += 1
        return None

    deaf = Scripted(receive=count)
    async with server(pour) as flood, server(says(b"ok\n")) as calm:
        hostile = job_of(forgetful(deaf), flood, timeout_ns=500_000_000)
        other = job_of(Scripted(), calm, timeout_ns=10_000_000_000)
        async with probing(hostile, other) as watch:
            await watch.until(lambda: watch.of(hostile))
    assert {result.code for result in watch.of(hostile)} == {Code.L7TOUT}
    assert len(watch.of(other)) > 1
    assert {result.code for result in watch.of(other)} == {Code.L7OK}
    assert heard > 10


def forgetful(checker: Scripted) -> Scripted:
    """Do not let the test itself collect what a flood brings."""

    class Forgetful(Talk):
        def receive(self, data: bytes) -> Action | None:
            return checker.receive(data)

    checker.conversations = lambda target: lambda: Forgetful(checker)  # type: ignore[method-assign]
    return checker


async def test_a_last_send_is_sent_and_the_connection_then_closed_in_good_order() -> None:
    ends: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"220 ok\n")
        while data := connection.recv(100):
            ends.append(data)
        ends.append(b"<EOF>")

    async with server(handle) as port:
        checker = Scripted(receive=lambda heard: Done(OK, last_send=b"QUIT\r\n") if b"\n" in heard else None)
        assert (await outcome(job_of(checker, port), interval_ns=10**12)).code is Code.L7OK
    assert b"".join(ends) == b"QUIT\r\n<EOF>"


async def test_connections_are_closed_with_a_reset() -> None:
    ends: list[type[BaseException] | None] = []

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"ok\n")
        try:
            connection.recv(100)
        except ConnectionResetError as error:
            ends.append(type(error))
        else:
            ends.append(None)

    async with server(handle) as port:
        await outcome(job_of(Scripted(), port), interval_ns=10**12)
    assert ends == [ConnectionResetError]


async def test_the_source_address_is_used() -> None:
    seen: list[str] = []

    def handle(connection: socket.socket) -> None:
        seen.append(connection.getpeername()[0])
        connection.sendall(b"ok\n")
        hold(connection)

    async with server(handle) as port:
        result = await outcome(job_of(Scripted(), port, source=ip_address("127.9.8.7")), interval_ns=10**12)
    assert result.code is Code.L7OK
    assert seen == ["127.9.8.7"]


async def test_a_source_address_that_is_not_here_is_void() -> None:
    result = await outcome(job_of(Scripted(), 80, source=ip_address("192.0.2.77")))
    assert result.code is Code.NOPORT


@pytest.mark.parametrize("where", ["receive", "closed", "expired"])
async def test_an_exception_while_reading_the_peer_is_a_failure(where: str) -> None:
    checker = {
        "receive": Scripted(receive=explode),
        "closed": Scripted(closed=explode),
        "expired": Scripted(b"hello", expired=explode),
    }[where]
    handler = {"receive": says(b"x"), "closed": lambda connection: None, "expired": hold}[where]
    async with server(handler) as port, probing(job_of(checker, port)) as watch:
        result = (await watch.results(2))[0]
    assert (result.code, result.detail) == (Code.L7RSP, "cannot be read: KeyError")
    assert len(watch.warnings) == 1  # at most one a minute
    assert isinstance(watch.warnings[0][1], KeyError)


class Broken(Scripted):
    def __init__(self, where: str) -> None:
        super().__init__(explode if where == "opening" else b"x")
        self.where = where

    def tls(self, target: Target) -> None:
        if self.where == "tls":
            explode()

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        if self.where == "conversations":
            explode()
        return explode if self.where == "conversation" else super().conversations(target)


@attrs.frozen
class _Password:
    password: str = option("", help="Said first", secret=True)


async def test_an_exception_that_quotes_a_secret_is_told_without_it() -> None:
    def explode_with_it() -> bytes:
        raise ValueError(f"cannot say {checker.options.password}")

    checker = Scripted(explode_with_it)
    checker.options = _Password("hunter2-and-more")
    async with server(hold) as port, probing(job_of(checker, port)) as watch:
        result = (await watch.results(2))[0]
    assert result.detail == "fault in the checker: ValueError: cannot say (secret)"
    assert "hunter2" not in str(watch.warnings)


@pytest.mark.parametrize("where", ["tls", "conversations", "conversation", "opening"])
async def test_an_exception_anywhere_else_is_void(where: str) -> None:
    async with server(hold) as port, probing(job_of(Broken(where), port)) as watch:
        result = (await watch.results(2))[0]
    assert (result.code, result.detail) == (Code.ERROR, "fault in the checker: KeyError: 'oh'")
    assert len(watch.warnings) == 1


@pytest.mark.parametrize(
    "checker",
    [
        Scripted(receive=lambda heard: 42),  # type: ignore[arg-type, return-value]
        Scripted(receive=lambda heard: Done(None)),  # type: ignore[arg-type]
        Scripted(receive=lambda heard: Send("text")),  # type: ignore[arg-type]
        Scripted("text"),  # type: ignore[arg-type]
    ],
    ids=["receive", "result", "send", "opening"],
)
async def test_what_is_of_the_wrong_type_is_void(checker: Scripted) -> None:
    async with server(says(b"x")) as port:
        assert (await outcome(job_of(checker, port))).code is Code.ERROR
