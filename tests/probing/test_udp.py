from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import anyio

from maglev.api import TLS, Code, Done, ProbeResult, Send
from tests.probing.support import OK, ScriptedUDP, content, job_of, outcome, probing

Peer = tuple[str, int]


@asynccontextmanager
async def datagrams(
    answer: Callable[[socket.socket, bytes, Peer], None], address: str = "127.0.0.1"
) -> AsyncIterator[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    port: int = sock.getsockname()[1]

    def serve() -> None:
        while (got := sock.recvfrom(65536))[0] != b"<stop>":
            answer(sock, *got)

    thread = threading.Thread(target=serve)
    thread.start()

    def stop() -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as stopper:
            stopper.sendto(b"<stop>", (address, port))
        thread.join()
        sock.close()

    try:
        yield port
    finally:
        await anyio.to_thread.run_sync(stop)


def echo(sock: socket.socket, data: bytes, peer: Peer) -> None:
    sock.sendto(data, peer)


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_a_datagram_is_answered() -> None:
    async with datagrams(echo) as port:
        assert (await outcome(job_of(ScriptedUDP(b"ok\n"), port))).code is Code.L7OK


async def test_a_datagram_is_answered_over_ipv6() -> None:
    async with datagrams(echo, "::1") as port:
        assert (await outcome(job_of(ScriptedUDP(b"ok\n"), port, "::1"))).code is Code.L7OK


async def test_a_datagram_is_heard_whole() -> None:
    async with datagrams(echo) as port:
        assert (await outcome(job_of(ScriptedUDP(b"x" * 40_000 + b"ok\n"), port))).code is Code.L7OK


async def test_a_closed_port_is_refused_and_not_waited_for() -> None:
    result = await outcome(job_of(ScriptedUDP(b"hello"), free_udp_port(), timeout_ns=20_000_000_000))
    assert (result.code, result.detail) == (Code.L4CON, "Connection refused")


async def test_silence_times_out_at_layer_7() -> None:
    async with datagrams(lambda sock, data, peer: None) as port:
        assert (await outcome(job_of(ScriptedUDP(b"hello"), port))).code is Code.L7TOUT


async def test_an_empty_datagram_is_no_end() -> None:
    def answer(sock: socket.socket, data: bytes, peer: Peer) -> None:
        sock.sendto(b"", peer)
        sock.sendto(b"ok\n", peer)

    async with datagrams(answer) as port:
        assert (await outcome(job_of(ScriptedUDP(b"hello"), port))).code is Code.L7OK


async def test_several_datagrams_at_once_are_all_heard() -> None:
    def answer(sock: socket.socket, data: bytes, peer: Peer) -> None:
        for number in range(20):
            sock.sendto(b"%d " % number, peer)
        sock.sendto(b"ok\n", peer)

    async with datagrams(answer) as port:
        assert (await outcome(job_of(ScriptedUDP(b"hello"), port))).code is Code.L7OK


async def test_an_answer_from_another_address_is_not_heard() -> None:
    def answer(sock: socket.socket, data: bytes, peer: Peer) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"ok\n", peer)

    async with datagrams(answer) as port:
        assert (await outcome(job_of(ScriptedUDP(b"hello"), port))).code is Code.L7TOUT


async def test_a_dialogue_of_datagrams() -> None:
    def receive(heard: bytes) -> Send | Done | None:
        return Send(b"ok\n") if heard == b"hello" else Done(OK) if content(heard) else None

    async with datagrams(echo) as port:
        assert (await outcome(job_of(ScriptedUDP(b"hello", receive), port))).code is Code.L7OK


async def test_a_datagram_that_is_too_large_is_a_fault_of_the_checker() -> None:
    async with datagrams(echo) as port:
        assert (await outcome(job_of(ScriptedUDP(b"x" * 70_000), port))).code is Code.ERROR


async def test_a_service_that_comes_up_is_seen() -> None:
    port = free_udp_port()
    async with probing(job_of(ScriptedUDP(b"ok\n"), port)) as watch:
        await watch.results(2)
        assert set(watch.codes) == {Code.L4CON}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind(("127.0.0.1", port))
            with anyio.fail_after(30):
                while watch.codes[-1] is not Code.L7OK:
                    await anyio.sleep(0.005)
                    with suppress(BlockingIOError):
                        echo(sock, *sock.recvfrom(100))


async def test_tls_over_datagrams_is_a_fault_of_the_checker() -> None:
    checker = ScriptedUDP(Done(ProbeResult(Code.L4OK)), tls=TLS(ssl.create_default_context(), "x"))
    assert (await outcome(job_of(checker, free_udp_port()))).code is Code.ERROR
