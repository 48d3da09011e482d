"""Each shape of checker judges routes, firewalls and ICMP errors alike, in a namespace that has them all."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import pytest

from maglev.api import AsyncChecker, Checker, Code, Done, ProbeResult, Target, Verdict
from maglev.probing.verdicts import SocketError, connect_failed, judge_error, send_failed, socket_failed
from tests.probing.support import Scripted, ScriptedUDP, job_of, outcome
from tests.probing.test_netns import ip, permitted

CONNECTED = Done(ProbeResult(Code.L4OK))
needs_netns = pytest.mark.skipif(not permitted(), reason="no network namespace can be made here")
needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")
ROUTES = ("blackhole", "prohibit", "unreachable", "throw")
# What the host rejects with, on its way in: the ICMP error that a peer or a router would have sent.
REJECTIONS = {
    "icmp": ("net-unreachable", "host-unreachable", "prot-unreachable", "port-unreachable", "net-prohibited",
             "host-prohibited", "admin-prohibited"),
    "icmpv6": ("no-route", "admin-prohibited", "addr-unreachable", "port-unreachable", "policy-fail", "reject-route"),
}  # fmt: skip


class Connecting(AsyncChecker):
    """Connects, and lets every error escape."""

    name = "connecting"

    async def probe(self, target: Target) -> ProbeResult:
        assert target.sockets is not None
        with target.sockets.open() as sock:
            await asyncio.get_running_loop().sock_connect(sock, target.sockaddr)
        return ProbeResult(Code.L4OK)


CHECKERS: dict[str, Checker] = {
    "tcp": Scripted(CONNECTED),
    "udp": ScriptedUDP(b"hello"),
    "async": Connecting(None),
}
every_checker = pytest.mark.parametrize("checker", CHECKERS.values(), ids=CHECKERS)


@asynccontextmanager
async def firewall(name: str, hook: str, rule: str) -> AsyncIterator[None]:
    """A namespace with one rule in one hook of its firewall."""

    def run(rules: str) -> None:
        command = ["ip", "netns", "exec", name, "nft", "-f", "-"]
        subprocess.run(command, input=rules, text=True, check=True, capture_output=True)

    chain = f"add chain inet odd odd {{ type filter hook {hook} priority 0; }}"
    await anyio.to_thread.run_sync(run, f"add table inet odd\n{chain}\nadd rule inet odd odd {rule}\n")
    try:
        yield
    finally:
        await anyio.to_thread.run_sync(run, "flush ruleset\n")


@pytest.fixture(scope="module")
def odd() -> Iterator[str]:
    """A namespace with routes of every type, for 10.9.N.0/24 and fd09:N::/64, and a peer whose MAC address is known."""
    name = f"maglev-test-{secrets.token_hex(4)}"
    ip("netns", "add", name)
    for command in (
        "link set lo up",
        "link add near type veth peer name far",
        "addr add 10.5.0.1/24 dev near",
        "-6 addr add fd05::1/64 dev near nodad",
        "link set near up",
        "link set far up",
        "neigh add 10.5.0.9 lladdr 02:00:00:00:00:09 dev near",
        "neigh add fd05::9 lladdr 02:00:00:00:00:09 dev near",
        *(f"route add {kind} 10.9.{number}.0/24" for number, kind in enumerate(ROUTES)),
        *(f"-6 route add {kind} fd09:{number}::/64" for number, kind in enumerate(ROUTES)),
    ):
        ip("-n", name, *command.split())
    yield name
    ip("netns", "del", name)


@needs_netns
@pytest.mark.netns
class TestNamespace:
    """As seen from within."""

    @every_checker
    @pytest.mark.parametrize("kind", [*ROUTES, "none"])
    @pytest.mark.parametrize("form", ["10.9.{}.1", "fd09:{}::1"], ids=["ipv4", "ipv6"])
    async def test_no_route_is_a_failure_whatever_the_reason(
        self, odd: str, checker: Checker, kind: str, form: str
    ) -> None:
        address = form.format([*ROUTES, "none"].index(kind))
        assert (await outcome(job_of(checker, 80, address, netns=odd))).code is Code.L4CON

    @needs_nft
    @every_checker
    @pytest.mark.parametrize("family,kind", [(family, kind) for family, kinds in REJECTIONS.items() for kind in kinds])
    async def test_an_icmp_error_is_a_failure(self, odd: str, checker: Checker, family: str, kind: str) -> None:
        address = "127.0.0.1" if family == "icmp" else "::1"
        job = job_of(checker, 80, address, netns=odd, timeout_ns=100_000_000)
        async with firewall(odd, "input", f"meta l4proto {{ tcp, udp }} reject with {family} type {kind}"):
            result = await outcome(job)
        # Over IPv6 on loopback the kernel tells of few, and UDP of none that may pass: the rest is silence.
        told = family == "icmp" and (
            checker is not CHECKERS["udp"] or kind not in {"net-unreachable", "host-unreachable"}
        )
        assert result.code is Code.L4CON if told else result.verdict is Verdict.FAIL

    @needs_nft
    @pytest.mark.parametrize("address", ["10.5.0.9", "fd05::9"])
    async def test_a_firewall_of_our_own_that_drops_a_datagram_is_void(self, odd: str, address: str) -> None:
        async with firewall(odd, "output", "meta l4proto udp drop"):
            result = await outcome(job_of(ScriptedUDP(b"hello"), 53, address, netns=odd))
        assert result.code is Code.NOSEND
        assert "firewall" in result.detail


OWN = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAGAIN, errno.ENOBUFS,
       errno.EPERM)  # fmt: skip


def raised(error: Exception, cause: Exception | None) -> OSError:
    """An error as it arrives, with what it was raised from."""
    try:
        raise error from cause
    except OSError as caught:
        return caught


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_number_passes_and_what_is_ours_is_void_everywhere(number: int) -> None:
    for result in (connect_failed(number), send_failed(number), socket_failed(OSError(number, "why"))):
        assert result.verdict is not Verdict.PASS
        assert (result.verdict is Verdict.VOID) >= (number in OWN)
    assert socket_failed(OSError(number, "why")).verdict is Verdict.VOID
    judged = judge_error(OSError(number, "why"))
    assert judged == (connect_failed(number) if connect_failed(number).code is not Code.ERROR else None)


def test_a_full_buffer_is_not_called_a_lack_of_files_or_ports() -> None:
    assert connect_failed(errno.ENOBUFS).code is Code.NOSEND
    assert send_failed(errno.EAGAIN).code is Code.NOSEND
    assert connect_failed(errno.EAGAIN).code is Code.NOPORT


def test_a_datagram_that_is_too_large_is_the_configuration_s_fault() -> None:
    assert send_failed(errno.EMSGSIZE).code is Code.ERROR
    assert connect_failed(errno.EMSGSIZE).code is Code.L4CON


def test_a_datagram_that_a_route_was_found_for_is_not_in_a_black_hole() -> None:
    assert send_failed(errno.EINVAL).code is Code.L4CON
    assert send_failed(errno.EINVAL, connected=True).code is Code.NOSEND


@pytest.mark.parametrize(
    "error,cause,code",
    [
        (ConnectionRefusedError(), None, Code.L4CON),
        (ConnectionResetError("Connection lost"), None, Code.L4CON),
        (ConnectionAbortedError("TLS"), None, Code.L4CON),
        (BrokenPipeError(), None, Code.L4CON),
        (TimeoutError(), None, Code.L7TOUT),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), None, Code.L4TOUT),
        (OSError("All connection attempts failed"), OSError(errno.EINVAL, "Invalid argument"), Code.L4CON),
        (OSError("All connection attempts failed"), OSError(errno.EMFILE, "Too many open files"), Code.NOFILE),
        (
            OSError("All connection attempts failed"),
            ExceptionGroup("many", [OSError(errno.EACCES, "no"), OSError(errno.EINVAL, "no")]),
            Code.L4CON,
        ),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), None, Code.L6RSP),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), None, Code.L6RSP),
        (OSError("tls"), ssl.SSLError(1, "bad"), Code.L6RSP),
        (SocketError(errno.EACCES, "Permission denied"), None, Code.ERROR),
        (SocketError(errno.EPERM, "Operation not permitted"), None, Code.ERROR),
        (SocketError(errno.EMFILE, "Too many open files"), None, Code.NOFILE),
    ],
)
def test_an_error_is_judged_by_its_class_or_its_cause(error: OSError, cause: Exception | None, code: Code) -> None:
    judged = judge_error(raised(error, cause))
    assert judged is not None
    assert judged.code is code


@pytest.mark.parametrize(
    "error",
    [
        OSError("?"),
        OSError(errno.EIO, "?"),
        FileNotFoundError(errno.ENOENT, "No such file", "/etc/token"),
        PermissionError(errno.EACCES, "Permission denied", "/etc/token"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.herror(1, "Unknown host"),
    ],
)
def test_what_says_nothing_of_the_network_is_a_fault(error: OSError) -> None:
    assert judge_error(error) is None


async def test_a_socket_that_a_checker_may_not_make_is_void() -> None:
    class Pinging(AsyncChecker):
        name = "pinging"

        async def probe(self, target: Target) -> ProbeResult:
            assert target.sockets is not None
            target.sockets.open(socket.SOCK_DGRAM, 255).close()  # no such protocol
            return ProbeResult(Code.L4OK)

    result = await outcome(job_of(Pinging(None), None))
    assert (result.code, result.detail) == (Code.ERROR, os.strerror(errno.EPROTONOSUPPORT))
