"""Shared by the tests of the prober: checkers made of functions, servers in threads, and an observed prober."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Literal

import anyio
import attrs

from maglev.api import (
    TLS,
    Action,
    Checker,
    Closed,
    Code,
    Conversation,
    Done,
    Mux,
    MuxChecker,
    ProbeResult,
    StreamChecker,
    Target,
)
from maglev.probing import Job, Prober

OK = ProbeResult(Code.L7OK, "fine")
INTERVAL_NS = 20_000_000
TIMEOUT_NS = 300_000_000
PATIENCE_S = 30
"""How long a test waits for what must happen; it is no measure of anything."""


class Talk(Conversation):
    """A conversation made of functions."""

    def __init__(self, checker: Scripted) -> None:
        self.checker = checker
        self.heard = b""

    def opening(self) -> bytes | Done:
        return self.checker.opening() if callable(self.checker.opening) else self.checker.opening

    def secured(self) -> bytes | Done:
        return self.checker.secured

    def receive(self, data: bytes) -> Action | None:
        self.heard += data
        return self.checker.receive(self.heard)

    def closed(self, why: Closed) -> ProbeResult:
        return self.checker.closed(why) if self.checker.closed else super().closed(why)

    def expired(self) -> ProbeResult:
        return self.checker.expired() if self.checker.expired else super().expired()


def content(heard: bytes) -> Action | None:
    """Be content with one whole line that says ok."""
    return Done(OK) if heard.endswith(b"ok\n") else None


class Scripted(StreamChecker):
    """A stream checker made of values and functions."""

    name = "scripted"

    def __init__(
        self,
        opening: bytes | Done | Callable[[], bytes | Done] = b"",
        receive: Callable[[bytes], Action | None] = content,
        *,
        secured: bytes | Done = b"",
        closed: Callable[[Closed], ProbeResult] | None = None,
        expired: Callable[[], ProbeResult] | None = None,
        tls: TLS | None = None,
        tls_first: bool = True,
    ) -> None:
        super().__init__(None)
        self.opening = opening
        self.receive = receive
        self.secured = secured
        self.closed = closed
        self.expired = expired
        self._tls = tls
        self._tls_first = tls_first

    def tls(self, target: Target) -> TLS | None:
        return self._tls

    def tls_first(self, target: Target) -> bool:
        return self._tls_first

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        return partial(Talk, self)


class ScriptedUDP(Scripted):
    """The same over UDP."""

    transport: ClassVar[Literal["tcp", "udp"]] = "udp"


class Stopped(MuxChecker):
    """A mux without sockets: answers when it is told to, or at once."""

    name = "stopped"

    def __init__(self, at_once: ProbeResult | None = None) -> None:
        super().__init__(None)
        self.at_once = at_once
        self.options = self  # shares with no other
        self.running: dict[int, Callable[[ProbeResult], None]] = {}

    def open(self, family: socket.AddressFamily, report: Callable[[int, ProbeResult], None]) -> Mux:
        checker = self

        class Silence(Mux):
            def fds(self) -> tuple[int, ...]:
                return ()

            def start(self, token: int, target: Target) -> None:
                if checker.at_once:
                    report(token, checker.at_once)
                else:
                    checker.running[token] = lambda result: report(token, result)

            def readable(self, fd: int) -> bool:
                return False

            def expire(self, token: int) -> ProbeResult:
                del checker.running[token]
                return ProbeResult(Code.L4TOUT, "silent")

            def close(self) -> None:
                return

        return Silence()


def target_of(port: int | None, address: str = "127.0.0.1", **more: Any) -> Target:
    return Target("backend", ip_address(address), port, **({"timeout_ns": TIMEOUT_NS} | more))


def job_of(checker: Checker, port: int | None, address: str = "127.0.0.1", **more: Any) -> Job:
    return Job("backend", checker, target_of(port, address, **more))


@attrs.define
class Ended:
    """One call of `on_result`."""

    job: Job
    result: ProbeResult
    started_ns: int
    ended_ns: int


class Watch:
    """A prober and all that it told."""

    def __init__(self, interval_ns: int = INTERVAL_NS, **options: Any) -> None:
        self.ended: list[Ended] = []
        self.lags: list[tuple[int, int]] = []
        self.warnings: list[tuple[str, BaseException | None]] = []
        self.interval_ns = interval_ns
        self.then: Callable[[Ended], None] | None = None
        self._told = anyio.Event()
        self._on_start: Callable[[Job, int], None] | None = None
        self.prober = Prober(
            self._on_result,
            on_start=self._start,
            on_lag=self._on_lag,
            warn=lambda message, error: self.warnings.append((message, error)),
            **options,
        )

    def _on_result(self, job: Job, result: ProbeResult, started_ns: int, ended_ns: int) -> int:
        ended = Ended(job, result, started_ns, ended_ns)
        self.ended.append(ended)
        self._told.set()
        if self.then:
            self.then(ended)
        return self.interval_ns

    def report_starts(self, on_start: Callable[[Job, int], None] | None) -> None:
        """Call this for every start from now on; `None`: nothing."""
        self._on_start = on_start
        self.prober.report_starts = on_start is not None

    def _start(self, job: Job, started_ns: int) -> None:
        assert self._on_start is not None
        self._on_start(job, started_ns)

    def _on_lag(self, lag_ns: int, voided: int) -> None:
        self.lags.append((lag_ns, voided))
        self._told.set()

    def of(self, job: Job) -> list[ProbeResult]:
        return [ended.result for ended in self.ended if ended.job is job]

    @property
    def codes(self) -> list[Code]:
        return [ended.result.code for ended in self.ended]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so that what the prober tells can make so."""
        with anyio.fail_after(PATIENCE_S):
            while not condition():
                self._told = anyio.Event()
                await self._told.wait()

    async def results(self, count: int) -> list[ProbeResult]:
        """Wait for the first results."""
        await self.until(lambda: len(self.ended) >= count)
        return [ended.result for ended in self.ended[:count]]


def open_fds() -> set[str]:
    found = set()
    for link in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):  # the descriptor of the listing itself is closed by now
            found.add(f"{link.name} {link.readlink()}")
    return found


def connections_to(port: int) -> int:
    """How many sockets are open here whose other end is a port of this host."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[9] != "0" for row in rows)  # inode 0: nobody has it open


@asynccontextmanager
async def probing(*jobs: Job, interval_ns: int = INTERVAL_NS, **options: Any) -> AsyncIterator[Watch]:
    """Probe jobs, the first time at once; in the end nothing may be left of it, neither task nor descriptor."""
    before = await anyio.to_thread.run_sync(open_fds)
    watch = Watch(interval_ns, **options)
    for job in jobs:
        watch.prober.add(job, 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch.prober.run)
        try:
            yield watch
        finally:
            tasks.cancel_scope.cancel()
    await watch.prober.aclose()
    assert not {fd for fd in await anyio.to_thread.run_sync(open_fds) - before if _ours(fd)}


def _ours(fd: str) -> bool:
    """Servers in threads close their sockets when they like; what the prober opens besides sockets is its own."""
    return "socket" not in fd


async def outcome(job: Job, **options: Any) -> ProbeResult:
    """Probe once. A busy machine may stall this process; what that made void is probed again, and not looked at."""
    async with probing(job, **options) as watch:
        await watch.until(lambda: any(code is not Code.LAG for code in watch.codes))
        return next(ended.result for ended in watch.ended if ended.result.code is not Code.LAG)


@asynccontextmanager
async def server(
    handle: Callable[[socket.socket], None], address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Serve TCP in threads: each connection is handed to `handle`, then closed.

    Yields:
        The port.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family, backlog=512)
    connections: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the prober resets what it has done with
            handle(connection)

    def accept() -> None:
        with suppress(OSError):  # shut down below
            while True:
                connection = listener.accept()[0]
                connections.append(connection)
                threads.append(thread := threading.Thread(target=one, args=(connection,)))
                thread.start()

    def stop() -> None:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        listener.close()
        for connection in connections:
            with suppress(OSError):  # most are closed already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()

    threads: list[threading.Thread] = []
    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        await anyio.to_thread.run_sync(stop)


def says(words: bytes) -> Callable[[socket.socket], None]:
    """A handler that speaks first and waits for the other side to go."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(words)
        hold(connection)

    return handle


def answers(words: bytes) -> Callable[[socket.socket], None]:
    """A handler that waits to be spoken to, then answers, then waits for the other side to go."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(words)
        hold(connection)

    return handle


def hold(connection: socket.socket) -> None:
    """Read until the other side goes, and say nothing."""
    while connection.recv(65536):
        pass


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
