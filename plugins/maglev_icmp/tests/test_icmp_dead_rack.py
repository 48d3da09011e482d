"""Effects of a host's real limits, routes and firewall on echo requests, with and without capabilities."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import anyio
import pytest

from maglev.api import Code, ProbeResult, Target
from maglev.probing import Job, Prober
from maglev.probing.netns import Namespaces
from maglev_icmp import sockets
from maglev_icmp.checker import IcmpChecker
from maglev_icmp.mux import EchoMux
from plugins.maglev_icmp.tests.peer import INET

pytestmark = pytest.mark.netns

NET_ADMIN, NET_RAW = 12, 13  # <linux/capability.h>
LIVE, DEAD, ROUNDS = 20, 200, 5
KINDS = {"raw": (), "raw-not-forced": (NET_ADMIN,), "datagram": (NET_ADMIN, NET_RAW)}
FORM = {4: "10.7.{}.{}", 6: "fd07::{}:{}"}
needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")
needs_tc = pytest.mark.skipif(not shutil.which("tc"), reason="tc is not installed")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, without: Any) -> Iterator[str]:
    if request.param != "raw":  # as with the usual net.core.wmem_max
        monkeypatch.setattr(sockets, "SEND_BUFFER", 106_496, raising=False)
    with without(*KINDS[request.param]):
        yield request.param


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def link(namespace: Any) -> Any:
    """A namespace with a link whose other end answers echo requests, ARP and NDP for the live hosts only."""
    far = type(namespace)()
    far.answer_by_kernel()
    namespace.allow_ping_sockets()
    namespace.ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", far.path.split("/")[4])
    for each, device, number in ((namespace, "near", 255), (far, "far", 1)):
        each.ip("link", "set", device, "addrgenmode", "none", "up")
        each.ip("addr", "add", f"10.7.0.{number}/16", "dev", device)
        each.ip("addr", "add", f"fd07::0:{number}/64", "dev", device, "nodad")
    batch = [f"addr add 10.7.0.{number}/16 dev far" for number in range(2, LIVE + 1)]
    batch += [f"addr add fd07::0:{number}/64 dev far nodad" for number in range(2, LIVE + 1)]
    far.run(lambda: subprocess.run(["ip", "-batch", "-"], input="\n".join(batch), text=True, check=True))
    yield namespace
    far.close()


async def test_a_dead_rack_hides_nobody_and_is_hidden_by_nothing(link: Any, version: int, kind: str) -> None:
    """More packets wait for ARP than one socket of the usual size holds."""
    hosts = [("live", 0, number) for number in range(1, LIVE + 1)] + [("dead", 1, n) for n in range(1, DEAD + 1)]
    codes: dict[str, list[Code]] = {f"{state} {number}": [] for state, _, number in hosts}
    lacking = set(codes)
    enough = anyio.Event()

    def keep(job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        if result.code is not Code.LAG:
            codes[job.name].append(result.code)
        if len(codes[job.name]) == ROUNDS:
            lacking.discard(job.name)
            if not lacking:
                enough.set()
        return 100_000_000

    checker = IcmpChecker(IcmpChecker.Options())
    prober = Prober(keep)
    for state, group, number in hosts:
        target = Target(
            "a",
            ip_address(FORM[version].format(group, number)),
            timeout_ns=10_000_000_000 if state == "live" else 100_000_000,
            netns=link.path,
        )
        prober.add(Job(f"{state} {number}", checker, target), 100_000_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        await enough.wait()
        tasks.cancel_scope.cancel()
    await prober.aclose()
    assert {code for name, seen in codes.items() if name.startswith("live") for code in seen} == {Code.L4OK}
    assert {code for name, seen in codes.items() if name.startswith("dead") for code in seen} == {Code.L4TOUT}


@pytest.fixture
def mux(link: Any, version: int, kind: str) -> Iterator[EchoMux]:
    """A mux in the namespace with the link, opened by this thread, with its capabilities."""
    spaces = Namespaces(lambda: 0)
    with spaces.inside(link.path):
        made = IcmpChecker(IcmpChecker.Options()).open(INET[version], lambda token, result: None)
    yield made
    made.close()
    spaces.close()


@pytest.fixture
def peer(link: Any, version: int) -> Target:
    """A host whose hardware address is known, so that nothing waits for it."""
    address = FORM[version].format(2, 1)
    link.ip("neigh", "replace", address, "lladdr", "02:00:00:00:00:02", "dev", "near")
    return Target("a", ip_address(address))


def send_until_refused(mux: EchoMux, targets: list[Target]) -> int | None:
    """Send to these in turn until that fails, a bounded number of times; returns why it did."""
    for token, target in zip(range(5000), itertools.cycle(targets), strict=False):
        try:
            mux.start(token, target)
        except OSError as error:
            return error.errno
    return None


def test_more_sockets_are_made_only_where_the_buffer_is_full_and_only_so_many(
    link: Any, mux: EchoMux, version: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mux.widen() is None
    monkeypatch.setattr(sockets, "SEND_BUFFER", 106_496)  # for those made from now on
    monkeypatch.setattr("maglev_icmp.mux.MOST_SENDERS", 3)
    for sock in mux._sockets.senders:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 106_496)
    silent = [Target("a", ip_address(FORM[version].format(3, number))) for number in range(1, 201)]
    spaces = Namespaces(lambda: 0)
    for more in (True, True, False):
        assert send_until_refused(mux, silent) == errno.ENOBUFS
        with spaces.inside(link.path):
            fds = mux.widen()
        assert (fds is not None) == more
    spaces.close()
    assert len(mux.fds()) == (3 if kind == "datagram" else 1)


@needs_nft
def test_a_firewall_of_our_own_says_eperm_which_is_no_verdict(
    link: Any, mux: EchoMux, version: int, kind: str, peer: Target
) -> None:
    if (version, kind) == (6, "datagram"):
        return  # the kernel tells a ping socket of IPv6 of nothing that happens behind the route: docs say so
    for command in ("add table inet t", "add chain inet t o { type filter hook output priority 0; policy drop; }"):
        link.run(lambda command=command: subprocess.run(["nft", *command.split()], check=True))
    with pytest.raises(OSError, match="not permitted") as refused:
        mux.start(7, peer)
    assert refused.value.errno == errno.EPERM
    assert mux.widen() is None


@needs_tc
def test_a_full_queue_of_the_device_is_our_own_and_no_reason_for_another_socket(
    link: Any, mux: EchoMux, version: int, kind: str, peer: Target
) -> None:
    if (version, kind) == (6, "datagram"):
        return  # as above
    qdisc = "qdisc add dev near root tbf rate 8kbit burst 1540 limit 2000"
    link.run(lambda: subprocess.run(["tc", *qdisc.split()], check=True))
    assert send_until_refused(mux, [peer]) == errno.ENOBUFS
    assert mux.widen() is None


@pytest.mark.parametrize(
    "route,number",
    [("blackhole", errno.EINVAL), ("prohibit", errno.EACCES), ("unreachable", errno.EHOSTUNREACH)],
)
async def test_a_route_to_nowhere_is_a_failure(link: Any, version: int, kind: str, route: str, number: int) -> None:
    network = {4: "10.9.0.0/24", 6: "fd09::/64"}[version]
    await anyio.to_thread.run_sync(link.ip, f"-{version}", "route", "add", route, network)
    target = Target("a", ip_address({4: "10.9.0.1", 6: "fd09::1"}[version]), netns=link.path)
    results: list[ProbeResult] = []
    ended = anyio.Event()

    def keep(_job: Job, result: ProbeResult, _started_ns: int, _ended_ns: int) -> int:
        results.append(result)
        ended.set()
        return 1_000_000_000

    prober = Prober(keep)
    prober.add(Job("a", IcmpChecker(IcmpChecker.Options()), target), 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        await ended.wait()
        tasks.cancel_scope.cancel()
    await prober.aclose()
    assert (results[0].code, results[0].detail) == (Code.L4CON, os.strerror(number))
