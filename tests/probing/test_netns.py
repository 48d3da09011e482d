from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import anyio
import pytest

from maglev.api import AsyncChecker, Code, Done, ProbeResult, Target
from maglev.probing import check_permitted
from maglev.probing.job import ScheduledJob
from maglev.probing.netns import Namespaces, netns_path
from maglev.probing.verdicts import NetnsError
from tests.probing.support import Scripted, job_of, outcome, probing
from tests.probing.test_mux import Echo

CONNECTED = Done(ProbeResult(Code.L4OK))


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


def permitted() -> bool:
    name = f"maglev-test-{secrets.token_hex(4)}"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        return False
    ip("netns", "del", name)
    return True


pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(not permitted(), reason="no network namespace can be made here (needs CAP_SYS_ADMIN and ip)"),
]


class Net:
    """A namespace with one end of a veth pair in it, the other here; a server within."""

    def __init__(self) -> None:
        self.name = f"maglev-test-{secrets.token_hex(4)}"
        self.number = secrets.randbelow(250) + 1
        self.ours = f"10.213.{self.number}.1"
        self.inside = f"10.213.{self.number}.2"

    def make(self) -> None:
        veth = f"mg{secrets.token_hex(4)}"  # one of a deleted namespace stays until the last socket there is closed
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{self.ours}/24", "dev", veth)
        ip("link", "set", veth, "up")
        ip("-n", self.name, "addr", "add", f"{self.inside}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")

    def delete(self) -> None:
        ip("netns", "del", self.name)

    @contextmanager
    def listener(self, address: str) -> Iterator[int]:
        """A listening socket within; the kernel accepts by itself, as far as the queue goes."""
        spaces = Namespaces(lambda: 0)
        with spaces.inside(self.name):
            sock = socket.create_server((address, 0), backlog=4096)
        spaces.close()
        with sock:
            yield sock.getsockname()[1]


@pytest.fixture
def net() -> Iterator[Net]:
    net = Net()
    net.make()
    yield net
    if Path(netns_path(net.name)).exists():
        net.delete()


def inode(path: str) -> int:
    return Path(path).stat().st_ino


def here() -> int:
    return inode("/proc/thread-self/ns/net")


def test_being_inside_is_over_afterwards(net: Net) -> None:
    spaces = Namespaces(lambda: 0)
    before = here()
    with spaces.inside(net.name):
        inside = here()
    assert here() == before != inside == inode(netns_path(net.name))
    with pytest.raises(KeyError), spaces.inside(net.name):
        raise KeyError
    assert here() == before
    spaces.close()


def test_a_path_names_a_namespace_too(net: Net) -> None:
    spaces = Namespaces(lambda: 0)
    with spaces.inside(netns_path(net.name)):
        assert here() == inode(netns_path(net.name))
    spaces.close()


def test_a_missing_namespace_is_named() -> None:
    assert check_permitted("no-such-netns") == "[Errno 2] network namespace no-such-netns: No such file or directory"
    assert check_permitted(None) is None


def test_a_file_that_is_no_namespace_is_refused(tmp_path: object) -> None:
    assert "not a network namespace" in (check_permitted("/etc/hostname") or "")
    assert "not a network namespace" in (check_permitted("/proc/self/ns/uts") or "")


def test_what_may_be_entered_is_fine(net: Net) -> None:
    assert check_permitted(net.name) is None


def test_without_the_capability_it_says_what_is_missing(net: Net) -> None:
    program = textwrap.dedent(f"""
        import os
        from maglev.probing import check_permitted
        os.setgid(65534); os.setuid(65534)
        print(check_permitted({net.name!r}))
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "needs CAP_SYS_ADMIN" in done.stdout


def test_a_process_that_cannot_return_ends_at_once(net: Net) -> None:
    program = textwrap.dedent(f"""
        import os
        from maglev.probing import netns
        spaces = netns.Namespaces(lambda: 0)
        try:
            with spaces.inside({net.name!r}):
                os.dup2(os.open("/dev/null", os.O_RDONLY), spaces._home)
        except BaseException:
            pass
        print("still here")
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 71
    assert done.stdout == ""
    assert f"cannot return from network namespace {net.name}" in done.stderr


def test_a_namespace_made_again_is_opened_again_within_a_second(net: Net) -> None:
    now_ns = 0
    spaces = Namespaces(lambda: now_ns)
    first = spaces.identity(net.name)
    net.delete()
    assert spaces.identity(net.name) == first  # not looked at again yet
    now_ns = 10**9
    with pytest.raises(NetnsError):
        spaces.identity(net.name)
    with pytest.raises(NetnsError), spaces.inside(net.name):
        pass
    net.make()
    second = spaces.identity(net.name)
    assert second is not None
    assert second != first or first is None
    with spaces.inside(net.name):
        assert here() == second[1]
    spaces.close()


async def test_probes_run_within_the_namespace(net: Net) -> None:
    with net.listener("127.0.0.1") as port:
        assert (await outcome(job_of(Scripted(CONNECTED), port, netns=net.name))).code is Code.L4OK
        assert (await outcome(job_of(Scripted(CONNECTED), port))).code is Code.L4CON


async def test_probes_run_out_of_the_namespace_over_its_veth(net: Net) -> None:
    with socket.create_server((net.ours, 0)) as sock:
        checker = Scripted(b"hello", expired=lambda: ProbeResult(Code.L7OK))
        job = job_of(checker, sock.getsockname()[1], net.ours, netns=net.name, source=ip_address(net.inside))
        assert (await outcome(job)).code is Code.L7OK
        sock.setblocking(False)
        peer, address = sock.accept()
        peer.close()
        assert address[0] == net.inside


async def test_a_source_of_another_namespace_is_void(net: Net) -> None:
    job = job_of(Scripted(CONNECTED), 80, net.ours, netns=net.name, source=ip_address(net.ours))
    assert (await outcome(job)).code is Code.NOPORT


async def test_running_out_of_local_ports_is_void_and_passes(net: Net) -> None:
    enter = ("netns", "exec", net.name, "sh", "-c", "echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range")
    with net.listener("127.0.0.1") as port:
        await anyio.to_thread.run_sync(ip, *enter)
        jobs = [job_of(Scripted(b"x"), port, netns=net.name, timeout_ns=10**12) for _ in range(4)]
        more = job_of(Scripted(CONNECTED), port, netns=net.name)
        async with probing(*jobs) as watch:
            begun: list[object] = []
            told = anyio.Event()

            def note(job: object, started_ns: int) -> None:
                begun.append(job)
                if len(begun) == 4:
                    told.set()

            watch.report_starts(note)
            await told.wait()
            watch.prober.add(more, 0)
            await watch.results(3)
            assert set(watch.codes) == {Code.NOPORT}
            watch.prober.remove(jobs[0])
            await watch.until(lambda: watch.codes[-1] is Code.L4OK)


async def test_a_neighbour_that_does_not_answer_is_a_failure(net: Net) -> None:
    nobody = net.inside.removesuffix("2") + "77"
    job = job_of(Scripted(CONNECTED), 80, nobody, timeout_ns=100_000_000)
    assert (await outcome(job)).code is Code.L4TOUT
    job = job_of(Scripted(CONNECTED), 80, nobody, timeout_ns=20_000_000_000)
    assert (await outcome(job)).code is Code.L4CON  # the kernel gave up looking for it: no route to host


async def test_each_batch_enters_each_namespace_once(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    from maglev.probing import netns
    from maglev.probing.stream_runner import StreamRunner

    calls: list[int] = []
    batches: list[int] = []  # a slow machine may start in two turns what another one starts in one

    def counting(fd: int) -> int:
        calls.append(fd)
        return setns(fd)

    def start(runner: StreamRunner, due: list[ScheduledJob]) -> None:
        batches.append(len(due))
        start_all(runner, due)

    setns: Callable[[int], int] = netns._setns
    start_all = StreamRunner.start
    with net.listener("127.0.0.1") as port:
        monkeypatch.setattr(netns, "_setns", counting)
        monkeypatch.setattr(StreamRunner, "start", start)
        jobs = [job_of(Scripted(CONNECTED), port, netns=net.name) for _ in range(50)]
        async with probing(*jobs, interval_ns=10**12) as watch:
            await watch.results(50)
    assert set(watch.codes) == {Code.L4OK}
    assert sum(batches) == 50
    assert len(batches) < 50
    assert len(calls) == 2 * len(batches)


async def test_a_missing_namespace_is_void_and_others_go_on(net: Net) -> None:
    with net.listener("127.0.0.1") as port:
        lost = job_of(Scripted(CONNECTED), port, netns="no-such-netns")
        good = job_of(Scripted(CONNECTED), port, netns=net.name)
        async with probing(lost, good) as watch:
            await watch.until(lambda: len(watch.of(lost)) > 2 and len(watch.of(good)) > 2)
    assert {result.code for result in watch.of(lost)} == {Code.NETNS}
    assert {result.code for result in watch.of(good)} == {Code.L4OK}


async def test_a_namespace_that_vanishes_and_is_made_again(net: Net) -> None:
    with net.listener("127.0.0.1") as port:
        async with probing(job_of(Scripted(CONNECTED), port, netns=net.name)) as watch:
            await watch.results(1)
            await anyio.to_thread.run_sync(net.delete)
            await watch.until(lambda: watch.codes[-1] is Code.NETNS)
            await anyio.to_thread.run_sync(net.make)
            await watch.until(lambda: watch.codes[-1] is Code.L4CON)  # it is another one: nobody listens there
    assert set(watch.codes) == {Code.L4OK, Code.NETNS, Code.L4CON}


async def test_a_mux_follows_its_namespace(net: Net) -> None:
    checker = Echo()
    waiting = job_of(checker, 7, timeout_ns=10**12, netns=net.name)
    trying = job_of(checker, 7, timeout_ns=20_000_000, netns=net.name)
    async with probing(waiting, trying) as watch:
        await watch.until(lambda: watch.of(trying))
        await anyio.to_thread.run_sync(net.delete)
        await watch.until(lambda: watch.of(waiting))
        assert watch.of(waiting)[0].code is Code.NETNS
        await anyio.to_thread.run_sync(net.make)
        await watch.until(lambda: watch.of(trying)[-1].code is Code.L4TOUT)
    assert [mux.closed for mux in checker.muxes] == [1, 1]


async def test_a_mux_is_opened_within_the_namespace(net: Net) -> None:
    spaces: list[int] = []

    class Spying(Echo):
        def open(self, family: socket.AddressFamily, report: Callable[[int, ProbeResult], None]):  # type: ignore[no-untyped-def]  # noqa: ANN202
            spaces.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
            return super().open(family, report)

    job = job_of(Spying(), 7, timeout_ns=50_000_000, netns=net.name)
    missing = job_of(Spying(), 7, netns="no-such-netns")
    async with probing(job, missing) as watch:
        await watch.until(lambda: watch.of(job) and watch.of(missing))
        assert {result.code for result in watch.of(missing)} == {Code.NETNS}
        assert os.fstat(spaces[0]).st_ino == await anyio.to_thread.run_sync(inode, netns_path(net.name))
        os.close(spaces[0])


async def test_an_async_checker_gets_its_sockets_from_the_namespace(net: Net) -> None:
    class Connecting(AsyncChecker):
        name = "connecting"

        async def probe(self, target: Target) -> ProbeResult:
            assert target.sockets is not None
            with target.sockets.open() as sock:
                sock.connect_ex(target.sockaddr)
                await anyio.wait_writable(sock)
                return ProbeResult(Code.L4OK) if not sock.connect_ex(target.sockaddr) else ProbeResult(Code.L4CON)

    with net.listener("127.0.0.1") as port:
        assert (await outcome(job_of(Connecting(None), port, netns=net.name))).code is Code.L4OK
        assert (await outcome(job_of(Connecting(None), port, netns="no-such-netns"))).code is Code.NETNS
