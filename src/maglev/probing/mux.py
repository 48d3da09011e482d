"""The muxes' shape: many probes over few shared sockets. One host keeps one mux, for one namespace and family."""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable
from typing import cast

from maglev.api import Code, Mux, MuxChecker, ProbeResult
from maglev.probing import verdicts
from maglev.probing.job import Facilities, Plan, Run
from maglev.probing.poller import INPUT_EDGES

_RETRY_NS = 1_000_000_000
_TOKENS = 1 << 32
_GONE = ProbeResult(Code.NETNS, "the network namespace went away")


class Muxes:
    """Starts the probes of all `MuxChecker`s, and hands out their tokens.

    Args:
        facilities: What it works with.
        random: Gives the first token, so that tokens of an earlier life of this process do not match.
    """

    def __init__(self, facilities: Facilities, random: Callable[[], float]) -> None:
        self._facilities = facilities
        self._hosts: dict[Hashable, Host] = {}
        self._runs: dict[int, MuxRun] = {}
        self._token = int(random() * _TOKENS)

    def prepare(self, plan: Plan) -> None:
        checker = cast("MuxChecker", plan.job.checker)
        key = type(checker), checker.mux_key(), plan.netns, plan.family
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = Host(key, self._facilities, self._runs, plan.netns, plan.family)
        host.users += 1
        plan.extra = host

    def start(self, plans: list[Plan]) -> None:
        hosts: dict[Host, list[Plan]] = {}
        for plan in plans:
            hosts.setdefault(cast("Host", plan.extra), []).append(plan)
        for host, group in hosts.items():
            trouble = host.ensure_open(cast("MuxChecker", group[0].job.checker))
            for plan in group:
                if not plan.gone:
                    self._start(host, plan, trouble)

    def release(self, plan: Plan) -> None:
        host = plan.extra
        plan.extra = None
        if isinstance(host, Host):
            host.users -= 1
            if not host.users:
                self._hosts.pop(host.key, None)
                host.close_when_idle()

    def _start(self, host: Host, plan: Plan, trouble: ProbeResult | None) -> None:
        run = MuxRun(plan, self._facilities, self._runs, host, self._new_token())
        self._runs[run.token] = run
        self._facilities.begin(run)
        if plan.run is not run:
            return
        if trouble is not None:
            run.end(trouble)
        else:
            host.send(run)

    def _new_token(self) -> int:
        token = (self._token + 1) % _TOKENS
        while token in self._runs:
            token = (token + 1) % _TOKENS
        self._token = token
        return token


class MuxRun(Run):
    """One probe over a mux, known by its token."""

    __slots__ = ("_facilities", "_host", "_runs", "token")

    def __init__(self, plan: Plan, facilities: Facilities, runs: dict[int, MuxRun], host: Host, token: int) -> None:
        super().__init__(plan, facilities.clock_ns())
        self._facilities = facilities
        self._runs = runs
        self._host = host
        self.token = token

    def end(self, result: ProbeResult) -> None:
        """Report, unless that was done already."""
        if self._runs.pop(self.token, None) is not None:
            self._facilities.report(self, result)

    def belongs_to(self, host: Host) -> bool:
        """Whether it went out through this host."""
        return self._host is host

    def expire(self) -> None:
        self.end(self._host.forget(self))

    def cancel(self) -> None:
        if self._runs.pop(self.token, None) is not None:
            self._host.forget(self)


class Host:
    """Keeps one mux: opens it, opens it again when its namespace is another, closes it after its last user.

    Args:
        key: What it is found by.
        facilities: What it works with.
        runs: All probes over muxes, by token.
        netns: The namespace's name.
        family: The address family.
    """

    def __init__(
        self,
        key: Hashable,
        facilities: Facilities,
        runs: dict[int, MuxRun],
        netns: str | None,
        family: socket.AddressFamily,
    ) -> None:
        self.key = key
        self.users = 0
        self._facilities = facilities
        self._runs = runs
        self._netns = netns
        self._family = family
        self._mux: Mux | None = None
        self._fds: tuple[int, ...] = ()
        self._identity: tuple[int, int] | None = None
        self._trouble: ProbeResult | None = None
        self._retry_ns = 0
        self._reading = False

    def ensure_open(self, checker: MuxChecker) -> ProbeResult | None:
        """Have a mux in the namespace that the name stands for now.

        Returns:
            The void result for what is to be started, if there is no mux to be had.
        """
        try:
            identity = self._facilities.spaces.identity(self._netns)
        except OSError as error:
            self.close(_GONE)
            return verdicts.socket_failed(error)
        if self._mux is not None and identity == self._identity:
            return None
        self.close(_GONE)
        now_ns = self._facilities.clock_ns()
        if self._trouble is None or now_ns >= self._retry_ns or identity != self._identity:
            self._identity = identity
            self._trouble = self._open(checker)
            self._retry_ns = now_ns + _RETRY_NS
        return self._trouble

    def send(self, run: MuxRun) -> None:
        """Send a probe; a failure to do so ends it."""
        if self._mux is None:  # what an earlier one of this batch led to closed it
            run.end(ProbeResult(Code.ERROR, "the shared socket was closed"))
            return
        try:
            self._mux.start(run.token, run.plan.job.target)
        except OSError as error:
            run.end(verdicts.connect_failed(error.errno or 0))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._facilities.warn(run.plan.job.checker, f"{run.plan.job.name}: the probe could not be sent", error)
            run.end(verdicts.checker_fault(error))

    def forget(self, run: MuxRun) -> ProbeResult:
        """Have the mux forget a probe, and say what its silence means."""
        if self._mux is None:
            return _GONE
        try:
            return self._mux.expire(run.token)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._facilities.warn(run.plan.job.checker, f"{run.plan.job.name}: fault in the checker", error)
            return verdicts.checker_fault(error)

    def read(self, mux: Mux, fd: int) -> bool:
        """Let the mux read; if it fails at that, no silence means anything, and it is opened anew."""
        self._reading = True
        try:
            return mux.readable(fd)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._facilities.warn(type(mux), "a shared socket could not be read", error)
            if mux is self._mux:
                self._trouble = verdicts.checker_fault(error)
                self._retry_ns = self._facilities.clock_ns() + _RETRY_NS
                self.close(self._trouble)
            return False
        finally:
            self._reading = False
            self.close_when_idle()

    def close_when_idle(self) -> None:
        """Close the mux if nobody uses it, and not from within its own reading."""
        if not self.users and not self._reading:
            self.close(_GONE)

    def close(self, result: ProbeResult) -> None:
        """Close the mux, and end what is still under way there with this result."""
        mux, self._mux = self._mux, None
        if mux is None:
            return
        for fd in self._fds:
            self._facilities.poller.forget(fd)
        try:
            mux.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._facilities.warn(type(mux), "a shared socket could not be closed", error)
        for run in [run for run in self._runs.values() if run.belongs_to(self)]:
            run.end(result)

    def _open(self, checker: MuxChecker) -> ProbeResult | None:
        try:
            with self._facilities.spaces.inside(self._netns):
                mux = checker.open(self._family, self._report)
        except PermissionError as error:
            return ProbeResult(Code.ERROR, f"not permitted: {error.strerror or error}")
        except OSError as error:
            return verdicts.socket_failed(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._facilities.warn(checker, "no shared socket could be made", error)
            return verdicts.checker_fault(error)
        return self._watch(checker, mux)

    def _watch(self, checker: MuxChecker, mux: Mux) -> ProbeResult | None:
        self._mux = mux
        self._fds = ()
        try:
            for fd in mux.fds():
                self._facilities.poller.add(fd, _Ear(self, mux, fd), INPUT_EDGES)
                self._fds = (*self._fds, fd)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be heard
            self._facilities.warn(checker, "a shared socket could not be watched", error)
            fault = verdicts.checker_fault(error)
            self.close(fault)
            return fault
        return None

    def _report(self, token: int, result: ProbeResult) -> None:
        run = self._runs.get(token)
        if run is not None and run.belongs_to(self):
            run.end(result)


class _Ear:
    """One descriptor of a mux, as the poller sees it."""

    __slots__ = ("_fd", "_host", "_mux", "batch")

    def __init__(self, host: Host, mux: Mux, fd: int) -> None:
        self.batch = 0
        self._host = host
        self._mux = mux
        self._fd = fd

    def ready(self, events: int) -> bool:  # the mux reads whatever there is, errors included
        return self._host.read(self._mux, self._fd)
