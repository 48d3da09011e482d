"""After a verdict the rest of the answer is read, and the connection ends in order."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from maglev.api import Code, Conversation, Done, StreamChecker, Target
from maglev.probing import sockets
from maglev.probing.sockets import Opened
from maglev.probing.stream_runner import StreamRunner
from tests.probing.support import OK, PATIENCE_S, Scripted, Talk, Watch, hold, job_of, outcome, probing, says, server

POLITE = Done(OK, orderly=True)
LONG_NS = 20_000_000_000
ONCE_NS = 10**12


def polite(drain: Callable[[bytes], bool] | None = None) -> Scripted:
    """Content with anything; `drain` is told what comes after that."""

    class Listening(Talk):
        def drain(self, data: bytes) -> bool:
            return drain(data) if drain else super().drain(data)

    class Checker(Scripted):
        def conversations(self, target: Target) -> Callable[[], Conversation]:
            return lambda: Listening(self)

    return Checker(b"hello", lambda heard: POLITE)


def waiting(data: bytes) -> bool:
    """Wait for the peer to close."""
    return False


class Peer:
    """Says `first`; then `rest`, once it is told to; notes how the connection ends; and may stay until it is let go."""

    def __init__(self, first: bytes, rest: bytes = b"", *, closes: bool = True, stays: bool = False) -> None:
        self.first = first
        self.rest = rest
        self.closes = closes
        self.stays = stays
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self.leave = threading.Event()
        self.end: bytes | OSError | None = None
        self.addresses: list[tuple[str, int]] = []

    def handle(self, connection: socket.socket) -> None:
        self.addresses.append(connection.getpeername())
        connection.recv(100)
        try:
            connection.sendall(self.first)
            assert self.go_on.wait(PATIENCE_S)
            for byte in self.rest:
                connection.sendall(bytes([byte]))
            if self.closes:
                connection.shutdown(socket.SHUT_WR)
            self.end = connection.recv(100)
        except OSError as error:
            self.end = error
        finally:
            self.ended.set()
        if self.stays:
            self.leave.wait(PATIENCE_S)

    async def has_ended(self) -> None:
        await anyio.to_thread.run_sync(self.ended.wait, PATIENCE_S)

    async def states(self) -> set[str]:
        """The states that the kernel keeps of our side of these connections."""
        text = await anyio.Path("/proc/net/tcp").read_text()
        ports = {f"{port:04X}" for _, port in self.addresses}
        lines = [line.split() for line in text.splitlines()[1:]]
        return {line[3] for line in lines if line[1].partition(":")[2] in ports}


TIME_WAIT = "06"


def lingering(watch: Watch) -> int:
    """How many connections outlive their probes."""
    runner = watch.prober._runners[StreamChecker]
    assert isinstance(runner, StreamRunner)
    return len(runner._lingering)


async def test_a_verdict_does_not_wait_for_what_the_peer_still_says() -> None:
    peer = Peer(b"head\n", b"and a body in small pieces")
    async with (
        server(peer.handle) as port,
        probing(job_of(polite(waiting), port, timeout_ns=LONG_NS), interval_ns=ONCE_NS) as watch,
    ):
        await watch.results(1)
        assert watch.codes == [Code.L7OK]
        assert watch.prober.running == 0
        peer.go_on.set()
        await peer.has_ended()
        assert peer.end == b""
        assert TIME_WAIT not in await peer.states()


async def test_without_orderly_the_peer_is_reset_under_its_hands() -> None:
    peer = Peer(b"head\n", b"and a body")
    async with server(peer.handle) as port:
        await outcome(job_of(Scripted(b"hello", lambda heard: Done(OK)), port), interval_ns=ONCE_NS)
        peer.go_on.set()
        await peer.has_ended()
    assert isinstance(peer.end, (ConnectionResetError, BrokenPipeError))


async def test_a_peer_that_has_closed_already_is_closed_in_order() -> None:
    peer = Peer(b"head and body\n")
    peer.go_on.set()
    async with server(peer.handle) as port, probing(job_of(polite(), port), interval_ns=ONCE_NS) as watch:
        await watch.results(1)
        await peer.has_ended()
        assert peer.end == b""
        assert TIME_WAIT not in await peer.states()


async def test_a_peer_that_waits_for_us_reads_an_orderly_end_and_leaves_us_no_time_wait() -> None:
    peer = Peer(b"head and body\n", closes=False, stays=True)
    peer.go_on.set()
    async with (
        server(peer.handle) as port,
        probing(job_of(polite(), port, timeout_ns=LONG_NS), interval_ns=ONCE_NS) as watch,
    ):
        await watch.results(1)
        await peer.has_ended()
        assert peer.end == b""
        assert TIME_WAIT not in await peer.states()
        peer.leave.set()


async def test_the_answer_to_a_last_send_is_waited_for() -> None:
    ends: list[object] = []

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"220 ok\n")
        try:
            ends.append(connection.recv(100))
            connection.sendall(b"221 bye\n")
            connection.shutdown(socket.SHUT_WR)
            ends.append(connection.recv(100))
        except OSError as error:
            ends.append(error)
        ended.set()

    ended = threading.Event()
    checker = Scripted(receive=lambda heard: Done(OK, last_send=b"QUIT\r\n"))
    async with (
        server(handle) as port,
        probing(job_of(checker, port, timeout_ns=LONG_NS), interval_ns=ONCE_NS) as watch,
    ):
        await watch.results(1)
        await anyio.to_thread.run_sync(ended.wait, PATIENCE_S)
    assert ends == [b"QUIT\r\n", b""]


async def test_the_conversation_hears_what_comes_and_says_when_that_was_all() -> None:
    heard = bytearray()

    def drain(data: bytes) -> bool:
        heard.extend(data)
        return heard.endswith(b"end")

    peer = Peer(b"head\n", b"and the end", closes=False)
    async with (
        server(peer.handle) as port,
        probing(job_of(polite(drain), port, timeout_ns=LONG_NS), interval_ns=ONCE_NS) as watch,
    ):
        await watch.results(1)
        peer.go_on.set()
        await peer.has_ended()
    assert peer.end == b""
    assert heard == b"and the end"


async def test_an_exception_while_draining_ends_it_and_nothing_else() -> None:
    def drain(data: bytes) -> bool:
        raise KeyError("oh")

    peer = Peer(b"head\n", closes=False)
    peer.go_on.set()
    async with (
        server(peer.handle) as port,
        probing(job_of(polite(drain), port, timeout_ns=LONG_NS), interval_ns=ONCE_NS) as watch,
    ):
        await watch.results(1)
        await peer.has_ended()
        assert watch.codes == [Code.L7OK]
    assert peer.end == b""


async def test_an_endless_talker_is_left_after_so_many_bytes() -> None:
    ended = threading.Event()

    def pour(connection: socket.socket) -> None:
        try:
            while True:
                connection.sendall(b"x" * 65_536)
        finally:
            ended.set()

    async with (
        server(pour) as port,
        probing(job_of(polite(waiting), port, timeout_ns=LONG_NS), interval_ns=ONCE_NS) as watch,
    ):
        await watch.results(1)
        await anyio.to_thread.run_sync(ended.wait, PATIENCE_S)
        assert watch.codes == [Code.L7OK]


async def test_a_peer_that_never_closes_is_left_in_time_and_delays_no_probe() -> None:
    lasted: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"head\n")
        lasted.append(connection.recv(100))

    async with server(handle) as port, probing(job_of(polite(waiting), port)) as watch:
        await watch.until(lambda: len(lasted) >= 3)
        assert len(watch.ended) > 3
    assert set(lasted) == {b""}


async def test_what_lingers_is_closed_with_its_job() -> None:
    peer = Peer(b"head\n", closes=False)
    peer.go_on.set()
    job = job_of(polite(waiting), 0, timeout_ns=LONG_NS)
    async with server(peer.handle) as port:
        job = job_of(polite(waiting), port, timeout_ns=LONG_NS)
        async with probing(job, interval_ns=ONCE_NS) as watch:
            await watch.results(1)
            watch.prober.remove(job)
            assert lingering(watch) == 0
            await peer.has_ended()


async def test_the_oldest_are_closed_where_many_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maglev.probing.lingering.MOST", 2)
    async with server(says(b"head\n")) as port:
        jobs = [job_of(polite(waiting), port, timeout_ns=LONG_NS) for _ in range(5)]
        async with probing(*jobs, interval_ns=ONCE_NS) as watch:
            await watch.results(5)
            assert lingering(watch) == 2
            assert set(watch.codes) == {Code.L7OK}


async def test_a_probe_gets_the_descriptor_of_one_that_lingers(monkeypatch: pytest.MonkeyPatch) -> None:
    open_all = sockets.open_all

    def scarce(spaces: Any, due: Any) -> list[Opened]:
        if lingering(watch):
            return [(scheduled, OSError(errno.EMFILE, "Too many open files")) for scheduled in due]
        return open_all(spaces, due)

    async with server(says(b"head\n")) as port, probing(job_of(polite(waiting), port, timeout_ns=LONG_NS)) as watch:
        monkeypatch.setattr("maglev.probing.stream_runner.open_all", scarce)
        await watch.results(5)
    assert set(watch.codes) == {Code.L7OK}


async def test_being_connected_does_not_wake_the_server() -> None:
    accepted: list[None] = []

    def handle(connection: socket.socket) -> None:
        accepted.append(None)
        hold(connection)

    async with server(handle) as port, probing(job_of(Scripted(Done(OK)), port)) as watch:
        await watch.results(5)
    assert not accepted


def test_the_kernel_tells_of_states() -> None:
    """What the tests above look for is there to be found."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        port = client.getsockname()[1]
        served = listener.accept()[0]
        client.close()
        assert served.recv(1) == b""
        served.close()
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert TIME_WAIT in {line[3] for line in lines if line[1].endswith(f":{port:04X}")}
