"""Addresses that need more than themselves: link-local ones, and the one that a probe finds itself at."""

from __future__ import annotations

import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import anyio
import pytest

from maglev.api import AsyncChecker, Code, Done, ProbeResult, Target
from maglev.probing.netns import Namespaces
from tests.probing.support import Scripted, job_of, outcome, probing
from tests.probing.test_netns import ip, permitted

CONNECTED = Done(ProbeResult(Code.L4OK))
CLIENT, SERVER = "fe80::c", "fe80::5"

needs_netns = [
    pytest.mark.netns,
    pytest.mark.skipif(not permitted(), reason="no network namespace can be made here (needs CAP_SYS_ADMIN and ip)"),
]


@contextmanager
def namespace() -> Iterator[str]:
    name = f"maglev-test-{secrets.token_hex(4)}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "del", name)


def inside(netns: str, *words: str) -> None:
    subprocess.run(["ip", "netns", "exec", netns, *words], check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def link() -> Iterator[tuple[str, socket.socket]]:
    """A namespace with interfaces of its own, and a server behind the second: `link0` leads nowhere."""
    with namespace() as near, namespace() as far:
        for name in ("link0", "link1"):
            ip("-n", near, "link", "add", name, "type", "veth", "peer", "name", name, "netns", far)
            for netns, address in ((near, CLIENT), (far, SERVER)):
                if (netns, name) != (far, "link0"):
                    ip("-n", netns, "addr", "add", f"{address}/64", "dev", name, "nodad")
                ip("-n", netns, "link", "set", name, "addrgenmode", "none", "up")  # no other address than that
        spaces = Namespaces(lambda: 0)
        with spaces.inside(far):
            server = socket.create_server(("::", 0), family=socket.AF_INET6)
        spaces.close()
        with server:
            yield near, server


class Connecting(AsyncChecker):
    name = "connecting"

    async def probe(self, target: Target) -> ProbeResult:
        assert target.sockets is not None
        with target.sockets.open() as sock:
            sock.connect_ex(target.sockaddr)
            await anyio.wait_writable(sock)
            return ProbeResult(Code.L4OK) if not sock.connect_ex(target.sockaddr) else ProbeResult(Code.L4CON)


def checkers() -> list[Scripted | Connecting]:
    return [Scripted(b"?", lambda heard: CONNECTED), Connecting(None)]


def greet(server: socket.socket, seen: list[str]) -> None:
    connection, address = server.accept()
    with connection:
        seen.append(address[0].partition("%")[0])
        connection.sendall(b"ok\n")


@pytest.mark.parametrize("which", [0, 1], ids=["stream", "async"])
@pytest.mark.parametrize("source", [None, CLIENT, f"{CLIENT}%link1"])
class TestLinkLocal:
    pytestmark = needs_netns

    async def test_the_zone_is_looked_up_where_the_probe_runs(
        self, link: tuple[str, socket.socket], which: int, source: str | None
    ) -> None:
        near, server = link
        seen: list[str] = []
        more = {"source": ip_address(source)} if source else {}
        job = job_of(
            checkers()[which],
            server.getsockname()[1],
            f"{SERVER}%link1",
            netns=near,
            timeout_ns=10_000_000_000,
            **more,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, greet, server, seen)
            assert (await outcome(job, interval_ns=10**12)).verdict.name == "PASS"
        assert seen == [CLIENT]


@pytest.mark.parametrize("which", [0, 1], ids=["stream", "async"])
@pytest.mark.parametrize("zone", ["link0", "no-such-link"])
class TestAnotherZone:
    pytestmark = needs_netns

    async def test_does_not_reach_it(self, link: tuple[str, socket.socket], which: int, zone: str) -> None:
        near, server = link
        job = job_of(checkers()[which], server.getsockname()[1], f"{SERVER}%{zone}", netns=near)
        assert (await outcome(job, interval_ns=10**12)).verdict.name != "PASS"


def test_a_zone_may_be_a_number() -> None:
    assert Target("backend", ip_address(f"{SERVER}%7"), 80).sockaddr == (SERVER, 80, 0, 7)


def test_a_zone_that_is_a_name_has_the_number_of_the_interface_here() -> None:
    index = socket.if_nametoindex("lo")
    assert Target("backend", ip_address(f"{SERVER}%lo"), 80).sockaddr == (SERVER, 80, 0, index)


@pytest.fixture
def narrow() -> Iterator[str]:
    """A namespace with two local ports to choose from: a connection to one of them comes from it."""
    with namespace() as netns:
        inside(netns, "sh", "-c", "echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range")
        yield netns


class TestOneself:
    pytestmark = needs_netns

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    @pytest.mark.parametrize("source", [True, False])
    async def test_a_probe_that_is_connected_to_itself_fails(self, narrow: str, address: str, source: bool) -> None:
        more = {"source": ip_address(address)} if source else {}
        async with probing(job_of(Scripted(CONNECTED), 40000, address, netns=narrow, **more)) as watch:
            results = await watch.results(3)
        itself = (Code.L4CON, "connected to itself: nothing listens on the port")
        assert {(result.code, result.detail) for result in results} == {itself}

    async def test_a_server_on_such_a_port_is_no_probe_of_itself(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            result = await outcome(job_of(Scripted(CONNECTED), listener.getsockname()[1]))
        assert result.code is Code.L4OK
