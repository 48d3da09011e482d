from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from maglev.api import Code, Mux, MuxChecker, ProbeResult, Target
from maglev.probing.job import Job
from tests.probing.support import OK, job_of, outcome, probing, target_of

SILENT = ProbeResult(Code.L4TOUT, "silent")


@attrs.frozen
class Options:
    greeting: bytes = b"hello"


class Echo(MuxChecker):
    """Sends its token to an echo server over one shared datagram socket; `trouble` says what goes wrong, and where."""

    name = "echo"
    Options = Options

    def __init__(self, options: Any = None, trouble: dict[str, BaseException] | None = None) -> None:
        super().__init__(options or Options())
        self.trouble = trouble if trouble is not None else {}
        self.muxes: list[EchoMux] = []

    def open(self, family: socket.AddressFamily, report: Callable[[int, ProbeResult], None]) -> Mux:
        self.raise_for("open")
        self.muxes.append(EchoMux(self, family, report))
        return self.muxes[-1]

    def raise_for(self, where: str) -> None:
        if where in self.trouble:
            raise self.trouble[where]


class EchoMux(Mux):
    def __init__(self, checker: Echo, family: socket.AddressFamily, report: Callable[[int, ProbeResult], None]) -> None:
        self.checker = checker
        self.report = report
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.tokens: list[int] = []
        self.expired: list[int] = []
        self.closed = 0

    def fds(self) -> tuple[int, ...]:
        self.checker.raise_for("fds")
        return (self.sock.fileno(),)

    def start(self, token: int, target: Target) -> None:
        self.checker.raise_for("start")
        self.tokens.append(token)
        if target.backend == "at once":
            self.report(token, OK)
        else:
            self.sock.sendto(struct.pack("!I", token), target.sockaddr)

    def readable(self, fd: int) -> bool:
        assert fd == self.sock.fileno()
        self.checker.raise_for("readable")
        for _ in range(2):
            try:
                data = self.sock.recv(100)
            except BlockingIOError:
                return False
            token = struct.unpack("!I", data)[0]
            self.report(token, OK)
            self.report(token, SILENT)  # a duplicate
            self.report((token + 2**31) % 2**32, SILENT)  # a stranger
        return True

    def expire(self, token: int) -> ProbeResult:
        self.expired.append(token)
        self.checker.raise_for("expire")
        return SILENT

    def close(self) -> None:
        self.closed += 1
        self.sock.close()


@pytest.fixture
def echo() -> Any:
    """The port of an echo server for datagrams; a plain thread would do, but this one needs none."""
    import threading

    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 0))

    def serve() -> None:
        while (got := sock.recvfrom(100))[0]:
            sock.sendto(*got)

    thread = threading.Thread(target=serve)
    thread.start()
    yield sock.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopper:
        stopper.sendto(b"", ("127.0.0.1", sock.getsockname()[1]))
    thread.join()
    sock.close()


@pytest.fixture
def silence() -> Any:
    """The port of a socket that never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def test_many_backends_share_one_mux(echo: int) -> None:
    checker = Echo()
    jobs = [job_of(checker, echo, f"127.0.0.{number}") for number in range(1, 101)]
    async with probing(*jobs) as watch:
        await watch.until(lambda: all(len(watch.of(job)) > 1 for job in jobs))
    assert set(watch.codes) == {Code.L7OK}
    assert len(checker.muxes) == 1
    assert len(set(checker.muxes[0].tokens)) == len(checker.muxes[0].tokens)
    assert checker.muxes[0].closed == 1


async def test_each_family_has_its_own(echo: int) -> None:
    checker = Echo()
    jobs = [job_of(checker, echo, address) for address in ("127.0.0.1", "::1")]
    async with probing(*jobs) as watch:
        await watch.until(lambda: all(watch.of(job) for job in jobs))
    assert set(watch.codes) == {Code.L7OK}
    assert len(checker.muxes) == 2


async def test_checkers_with_equal_options_share_their_mux(echo: int) -> None:
    checkers = [Echo(), Echo(), Echo(Options(b"other"))]
    jobs = [job_of(checker, echo) for checker in checkers]
    async with probing(*jobs) as watch:
        await watch.until(lambda: all(watch.of(job) for job in jobs))
    assert sorted(len(checker.muxes) for checker in checkers) == [0, 1, 1]


async def test_checkers_whose_options_cannot_be_compared_do_not_share() -> None:
    one, two = Echo(), Echo()
    one.options = two.options = {}
    assert one.mux_key() != two.mux_key()


async def test_silence_is_judged_by_the_mux(silence: int) -> None:
    checker = Echo()
    assert (await outcome(job_of(checker, silence))).detail == "silent"
    assert checker.muxes[0].expired[0] == checker.muxes[0].tokens[0]


async def test_a_report_from_within_the_start_counts() -> None:
    job = Job("at once", Echo(), Target("at once", target_of(1).address, 1))
    async with probing(job) as watch:
        await watch.results(3)
    assert set(watch.codes) == {Code.L7OK}


async def test_a_removed_job_is_forgotten_by_the_mux_and_the_last_one_closes_it(silence: int) -> None:
    checker = Echo()
    jobs = [job_of(checker, silence, timeout_ns=10**12) for _ in range(2)]
    async with probing(*jobs) as watch:
        begun: list[Job] = []
        watch.report_starts(lambda job, _: begun.append(job))
        other = job_of(Echo(Options(b"clock")), 1, timeout_ns=1)
        watch.prober.add(other, 0)
        await watch.until(lambda: len(watch.of(other)) > 3 and len(checker.muxes[0].tokens) == 2)
        watch.prober.remove(jobs[0])
        assert len(checker.muxes[0].expired) == 1
        assert checker.muxes[0].closed == 0
        watch.prober.remove(jobs[1])
        assert checker.muxes[0].closed == 1
    assert not watch.of(jobs[0])


async def test_a_job_removed_by_its_own_result_closes_the_mux_after_its_reading(echo: int) -> None:
    checker = Echo()
    job = job_of(checker, echo)
    async with probing(job) as watch:
        watch.then = lambda ended: watch.prober.remove(ended.job)
        await watch.results(1)
    assert watch.codes == [Code.L7OK]
    assert checker.muxes[0].closed == 1
    assert not watch.warnings


@pytest.mark.parametrize(
    "error, code",
    [
        (OSError(errno.EMFILE, "full"), Code.NOFILE),
        (PermissionError(errno.EPERM, "no"), Code.ERROR),
        (KeyError("oh"), Code.ERROR),
    ],
    ids=["files", "permission", "fault"],
)
async def test_without_a_mux_probes_are_void_and_recover_when_there_is_one(
    echo: int, error: BaseException, code: Code
) -> None:
    checker = Echo(trouble={"open": error})
    async with probing(job_of(checker, echo)) as watch:
        await watch.results(3)
        assert set(watch.codes) == {code}
        assert "not permitted" in watch.ended[0].result.detail or code is Code.NOFILE or watch.warnings
        checker.trouble.clear()
        await watch.until(lambda: watch.codes[-1] is Code.L7OK)


async def test_opening_is_tried_again_at_most_once_a_second(echo: int) -> None:
    tries = 0

    class Closed(Echo):
        def open(self, family: socket.AddressFamily, report: Callable[[int, ProbeResult], None]) -> Mux:
            nonlocal tries
            tries += 1
            raise OSError(errno.EMFILE, "full")

    jobs = [job_of(Closed(), echo) for _ in range(50)]
    async with probing(*jobs) as watch:
        started_ns = watch.prober._clock_ns()
        await watch.results(200)
        passed_s = (watch.prober._clock_ns() - started_ns) // 10**9
    assert tries <= passed_s + 1


@pytest.mark.parametrize(
    "error, code",
    [
        (OSError(errno.EHOSTUNREACH, "no route"), Code.L4CON),
        (OSError(errno.EINVAL, "blackhole"), Code.L4CON),
        (OSError(errno.ENOBUFS, "full"), Code.NOSEND),
        (OSError(errno.EPERM, "firewall"), Code.NOSEND),
        (KeyError("oh"), Code.ERROR),
    ],
    ids=["unreachable", "blackhole", "buffers", "firewall", "fault"],
)
async def test_what_cannot_be_sent_ends_at_once(echo: int, error: BaseException, code: Code) -> None:
    job = job_of(Echo(trouble={"start": error}), echo, timeout_ns=10**12)
    assert (await outcome(job)).code is code


class Widening(Echo):
    """Its muxes have no room to begin with; `more` says what `widen` brings."""

    name = "widening"

    def __init__(self, more: Callable[[EchoMux], tuple[int, ...] | None]) -> None:
        super().__init__(trouble={"start": OSError(errno.EAGAIN, "full")})
        self.more = more

    def open(self, family: socket.AddressFamily, report: Callable[[int, ProbeResult], None]) -> Mux:
        self.muxes.append(WideningMux(self, family, report))
        return self.muxes[-1]


class WideningMux(EchoMux):
    def widen(self) -> tuple[int, ...] | None:
        assert isinstance(self.checker, Widening)
        return self.checker.more(self)


async def test_a_mux_without_room_makes_some_and_the_answer_arrives_over_its_new_socket(echo: int) -> None:
    def another_socket(mux: EchoMux) -> tuple[int, ...]:
        mux.checker.trouble.clear()
        old, mux.sock = mux.sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        old.close()
        return (mux.sock.fileno(),)

    assert (await outcome(job_of(Widening(another_socket), echo, timeout_ns=10**12))).code is Code.L7OK


def raise_no_files(mux: EchoMux) -> None:
    raise OSError(errno.EMFILE, "full")


@pytest.mark.parametrize("more", [lambda mux: None, lambda mux: (), raise_no_files], ids=["none", "no better", "files"])
async def test_where_no_room_can_be_made_probes_are_void(
    echo: int, more: Callable[[EchoMux], tuple[int, ...] | None]
) -> None:
    assert (await outcome(job_of(Widening(more), echo, timeout_ns=10**12))).code is Code.NOSEND


async def test_a_new_socket_that_cannot_be_watched_makes_everything_void(echo: int, silence: int) -> None:
    checker = Widening(lambda mux: (-1,))
    async with probing(job_of(checker, echo)) as watch:
        await watch.results(1)
    assert watch.codes[0] is Code.ERROR
    assert [mux.closed for mux in checker.muxes] == [1] * len(checker.muxes)


async def test_a_mux_that_cannot_read_makes_everything_void_and_is_opened_again(echo: int, silence: int) -> None:
    checker = Echo(trouble={"readable": KeyError("oh")})
    waiting = job_of(checker, silence, timeout_ns=10**12)
    async with probing(waiting, job_of(checker, echo)) as watch:
        await watch.until(lambda: watch.of(waiting))
        assert set(watch.codes) == {Code.ERROR}
        assert len(watch.warnings) == 1
        checker.trouble.clear()
        await watch.until(lambda: watch.codes[-1] is Code.L7OK)
    assert [mux.closed for mux in checker.muxes] == [1, 1]


@pytest.mark.parametrize("where", ["fds", "expire"])
async def test_other_faults_are_void(silence: int, where: str) -> None:
    checker = Echo(trouble={where: KeyError("oh")})
    assert (await outcome(job_of(checker, silence))).code is Code.ERROR
