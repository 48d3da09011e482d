"""`icmp` on the daemon's engine, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import anyio
import pytest

from maglev.api import Code, ProbeResult, Target
from maglev.probing import Job, Prober
from maglev.testing.checker_suite import CheckerSuite
from maglev_icmp.checker import IcmpChecker
from plugins.maglev_icmp.tests.peer import REPLY, MuxAndPeer

pytestmark = pytest.mark.netns


class TestIcmp(CheckerSuite):
    def make(self) -> IcmpChecker:
        return IcmpChecker(IcmpChecker.Options())


async def test_many_backends_of_both_families_over_two_sockets() -> None:
    checker = IcmpChecker(IcmpChecker.Options())
    addresses = [f"127.0.1.{number}" for number in range(100)] + ["::1"]
    results: dict[str, list[ProbeResult]] = {address: [] for address in addresses}
    enough = anyio.Event()

    def keep(job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        results[job.name].append(result)
        if min(map(len, results.values())) >= 3:
            enough.set()
        return 20_000_000

    prober = Prober(keep)
    for address in addresses:
        prober.add(Job(address, checker, Target(address, ip_address(address), timeout_ns=5_000_000_000)), 20_000_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        await enough.wait()
        tasks.cancel_scope.cancel()
    await prober.aclose()
    await prober.release(checker)
    assert {result.code for several in results.values() for result in several} == {Code.L4OK}


async def test_silence_in_another_namespace_is_a_time_out(namespace: Any) -> None:
    checker = IcmpChecker(IcmpChecker.Options())
    results: list[ProbeResult] = []
    ended = anyio.Event()

    def keep(_job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        results.append(result)
        ended.set()
        return 1_000_000_000

    prober = Prober(keep)
    target = Target("a", ip_address("127.0.0.1"), timeout_ns=200_000_000, netns=namespace.path)
    prober.add(Job("a", checker, target), 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        await ended.wait()
        tasks.cancel_scope.cancel()
    await prober.aclose()
    await prober.release(checker)
    assert results[0].code is Code.L4TOUT


# What each host, from 127.0.0.11 on, makes of a request before it sends it back; one more keeps to it, one is another.
FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "identifier": lambda request: request[:4] + bytes([request[4] ^ 1]) + request[5:],
    "sequence": lambda request: request[:6] + bytes([request[6] ^ 1]) + request[7:],
    "payload": lambda request: request[:8] + bytes(len(request) - 8),
    "truncated": lambda request: request[:-1],
    "no payload": lambda request: request[:8],
    "true": lambda request: request,
    "another host": lambda request: request,
}


class Forger:
    """Answers every request in an namespace where the kernel answers none, as the host it was for would."""

    def __init__(self, namespace: Any) -> None:
        self._stage = MuxAndPeer(namespace, 4)
        self._ear = namespace.run(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._voices = {f"127.0.0.{number}": self._stage.open_host(number) for number in range(11, 11 + len(FORGERIES))}
        self._forge = dict(zip(self._voices, FORGERIES, strict=True))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def targets(self) -> dict[str, str]:
        return {name: host for host, name in self._forge.items()}

    def close(self) -> None:
        self._stage.namespace.run(self._say_stop)
        self._thread.join()
        for each in (self._ear, *self._voices.values()):
            each.close()
        self._stage.close()

    def _say_stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
            sock.sendto(self._stage.packet(8, bytes(4)), ("127.0.0.99", 0))

    def _serve(self) -> None:
        while True:
            data, address = self._ear.recvfrom(2048)
            host = socket.inet_ntoa(data[16:20])
            if host == "127.0.0.99":
                return
            if data[20] == 8 and host in self._forge:
                name = self._forge[host]
                open_host = self._voices["127.0.0.11" if name == "another host" else host]
                reply = self._stage.packet(REPLY[4], FORGERIES[name](data[20:])[4:])
                open_host.sendto(reply, address)


@pytest.fixture
def forger(namespace: Any) -> Iterator[Forger]:
    made = Forger(namespace)
    yield made
    made.close()


async def test_forged_replies_are_silence_and_time_out_and_a_true_one_passes(namespace: Any, forger: Forger) -> None:
    checker = IcmpChecker(IcmpChecker.Options())
    codes: dict[str, list[Code]] = {name: [] for name in FORGERIES}
    enough = anyio.Event()

    def keep(job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        if result.code is not Code.LAG:
            codes[job.name].append(result.code)
        if min(map(len, codes.values())) >= 3:
            enough.set()
        return 20_000_000

    prober = Prober(keep)
    for name, host in forger.targets().items():
        target = Target(name, ip_address(host), timeout_ns=200_000_000, netns=namespace.path)
        prober.add(Job(name, checker, target), 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        await enough.wait()
        tasks.cancel_scope.cancel()
    await prober.aclose()
    await prober.release(checker)
    assert {name: set(seen) for name, seen in codes.items()} == {
        name: {Code.L4OK if name == "true" else Code.L4TOUT} for name in FORGERIES
    }
    assert len(codes["true"]) > 2 * len(codes["payload"])  # the silent ones held it up by nothing
