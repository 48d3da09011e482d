"""Runs the probes of `MuxChecker`s: many probes over few shared sockets, one mux for each namespace and family."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Hashable
from typing import cast

from maglev.api import Code, Mux, MuxChecker, ProbeResult
from maglev.probing import verdicts
from maglev.probing.job import EngineContext, Probe, ScheduledJob, without_secrets
from maglev.probing.poller import INPUT_EDGES

_RETRY_NS = 1_000_000_000
_TOKENS = 1 << 32
_NO_ROOM = frozenset({errno.ENOBUFS, errno.EAGAIN})
_GONE = ProbeResult(Code.NETNS, "the network namespace went away")


class MuxRunner:
    """Starts the probes of all `MuxChecker`s, and hands out their tokens."""

    def __init__(self, context: EngineContext, random: Callable[[], float]) -> None:
        self._context = context
        self._muxes: dict[Hashable, SharedMux] = {}
        self._probes: dict[int, MuxProbe] = {}
        # Tokens of a process before this one do not match.
        self._token = int(random() * _TOKENS)

    def prepare(self, scheduled: ScheduledJob) -> None:
        checker = cast("MuxChecker", scheduled.job.checker)
        key = type(checker), checker.mux_key(), scheduled.netns, scheduled.family
        shared = self._muxes.get(key)
        if shared is None:
            shared = self._muxes[key] = SharedMux(key, self._context, self._probes, scheduled.netns, scheduled.family)
        shared.users += 1
        scheduled.extra = shared

    def start(self, due: list[ScheduledJob]) -> None:
        groups: dict[SharedMux, list[ScheduledJob]] = {}
        for scheduled in due:
            groups.setdefault(cast("SharedMux", scheduled.extra), []).append(scheduled)
        for shared, group in groups.items():
            trouble = shared.ensure_open(cast("MuxChecker", group[0].job.checker))
            for scheduled in group:
                if not scheduled.gone:
                    self._start(shared, scheduled, trouble)

    def release(self, scheduled: ScheduledJob) -> None:
        shared = scheduled.extra
        scheduled.extra = None
        if isinstance(shared, SharedMux):
            shared.users -= 1
            if not shared.users:
                self._muxes.pop(shared.key, None)
                shared.close_when_idle()

    def _start(self, shared: SharedMux, scheduled: ScheduledJob, trouble: ProbeResult | None) -> None:
        probe = MuxProbe(scheduled, self._context, shared, self._new_token())
        self._probes[probe.token] = probe
        self._context.begin(probe)
        if scheduled.probe is not probe:
            return
        if trouble is not None:
            probe.end(trouble)
        else:
            shared.send(probe)

    def _new_token(self) -> int:
        token = (self._token + 1) % _TOKENS
        while token in self._probes:
            token = (token + 1) % _TOKENS
        self._token = token
        return token


class MuxProbe(Probe):
    """One probe over a mux, known by its token."""

    __slots__ = ("_context", "_probes", "shared", "token")

    def __init__(self, scheduled: ScheduledJob, context: EngineContext, shared: SharedMux, token: int) -> None:
        super().__init__(scheduled, context.clock_ns())
        self._context = context
        self._probes = shared.probes
        self.shared = shared
        self.token = token

    def end(self, result: ProbeResult) -> None:
        """Report, unless that was done before."""
        if self._probes.pop(self.token, None) is not None:
            self._context.report(self, result)

    def expire(self) -> None:
        self.end(self.shared.forget(self))

    def cancel(self) -> None:
        if self._probes.pop(self.token, None) is not None:
            self.shared.forget(self)


class SharedMux:
    """Keeps one mux: opens it, reopens it when its namespace has changed, closes it after its last user."""

    def __init__(
        self,
        key: Hashable,
        context: EngineContext,
        probes: dict[int, MuxProbe],
        netns: str | None,
        family: socket.AddressFamily,
    ) -> None:
        self.key = key
        self.users = 0
        self.probes = probes
        """All probes over muxes in flight, by token."""
        self._context = context
        self._netns = netns
        self._family = family
        self._mux: Mux | None = None
        self._fds: tuple[int, ...] = ()
        self._identity: tuple[int, int] | None = None
        self._trouble: ProbeResult | None = None
        self._retry_ns = 0
        self._reading = False
        self._opener: MuxChecker | None = None
        """Who opened the mux: its options may be secret."""

    def ensure_open(self, checker: MuxChecker) -> ProbeResult | None:
        """Open a mux in the namespace that the name stands for now, unless that is done.

        Returns:
            The void result of all probes to be started, if no mux could be opened.
        """
        try:
            identity = self._context.spaces.identity(self._netns)
        except OSError as error:
            self.close(_GONE)
            return verdicts.socket_failed(error)
        if self._mux is not None and identity == self._identity:
            return None
        self.close(_GONE)
        now_ns = self._context.clock_ns()
        if self._trouble is None or now_ns >= self._retry_ns or identity != self._identity:
            self._identity = identity
            self._trouble = self._open(checker)
            self._retry_ns = now_ns + _RETRY_NS
        return self._trouble

    def send(self, probe: MuxProbe) -> None:
        """Send a probe; a failure to do so ends it."""
        if self._mux is None:  # a probe started earlier in this batch closed it
            probe.end(ProbeResult(Code.ERROR, "the shared socket was closed"))
            return
        mux, target = self._mux, probe.scheduled.job.target
        try:
            try:
                mux.start(probe.token, target)
            except OSError as error:
                if error.errno not in _NO_ROOM or not self._widen(mux):
                    raise
                mux.start(probe.token, target)
        except OSError as error:
            probe.end(verdicts.send_failed(error.errno or 0))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            probe.end(self._context.fault(probe.scheduled.job, "the probe could not be sent", error))

    def forget(self, probe: MuxProbe) -> ProbeResult:
        """Make the mux forget a probe; returns the result of a probe without an answer."""
        if self._mux is None:
            return _GONE
        try:
            return self._mux.expire(probe.token)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            return self._context.fault(probe.scheduled.job, "fault in the checker", error)

    def read(self, mux: Mux, fd: int) -> bool:
        """Let the mux read. If that fails, its probes are void and it is reopened."""
        self._reading = True
        try:
            return mux.readable(fd)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            fault = self._fault(type(mux), "a shared socket could not be read", error)
            if mux is self._mux:
                self._trouble = fault
                self._retry_ns = self._context.clock_ns() + _RETRY_NS
                self.close(self._trouble)
            return False
        finally:
            self._reading = False
            self.close_when_idle()

    def close_when_idle(self) -> None:
        """Close the mux if nobody uses it and it is not being read."""
        if not self.users and not self._reading:
            self.close(_GONE)

    def close(self, result: ProbeResult) -> None:
        """Close the mux, and end its probes in flight with this result."""
        mux, self._mux = self._mux, None
        if mux is None:
            return
        for fd in self._fds:
            self._context.poller.forget(fd)
        try:
            mux.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            self._fault(type(mux), "a shared socket could not be closed", error)
        for probe in [probe for probe in self.probes.values() if probe.shared is self]:
            probe.end(result)

    def _fault(self, subject: object, message: str, error: Exception) -> ProbeResult:
        shown = error if self._opener is None else without_secrets(error, self._opener)
        self._context.warn(subject, message, shown)
        return verdicts.checker_fault(shown)

    def _open(self, checker: MuxChecker) -> ProbeResult | None:
        self._opener = checker
        try:
            with self._context.spaces.inside(self._netns):
                mux = checker.open(self._family, self._report)
        except PermissionError as error:
            return ProbeResult(Code.ERROR, f"not permitted: {error.strerror or error}")
        except OSError as error:
            return verdicts.socket_failed(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            return self._fault(checker, "could not open a shared socket", error)
        return self._watch(mux)

    def _widen(self, mux: Mux) -> bool:
        """Let the mux make room in its own namespace; whether it did."""
        spaces = self._context.spaces
        try:
            with spaces.inside(self._netns):
                fds = mux.widen() if spaces.identity(self._netns) == self._identity else None
        except OSError:  # the room that is missing is told in any case
            return False
        return fds is not None and self._watched(mux, fds) is None

    def _watch(self, mux: Mux) -> ProbeResult | None:
        self._mux = mux
        self._fds = ()
        try:
            fds = mux.fds()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            return self._unwatched(mux, error)
        return self._watched(mux, fds)

    def _watched(self, mux: Mux, fds: tuple[int, ...]) -> ProbeResult | None:
        """Wait for these descriptors too; returns what is wrong if that cannot be."""
        try:
            for fd in fds:
                self._context.poller.add(fd, _MuxDescriptor(self, mux, fd), INPUT_EDGES)
                self._fds = (*self._fds, fd)
        except Exception as error:  # noqa: BLE001 - whatever it is, no answer can be read
            return self._unwatched(mux, error)
        return None

    def _unwatched(self, mux: Mux, error: Exception) -> ProbeResult:
        fault = self._fault(type(mux), "a shared socket could not be watched", error)
        self.close(fault)
        return fault

    def _report(self, token: int, result: ProbeResult) -> None:
        probe = self.probes.get(token)
        if probe is not None and probe.shared is self:
            probe.end(result)


class _MuxDescriptor:
    """One descriptor of a mux, as a handler of the poller."""

    __slots__ = ("_fd", "_mux", "_shared", "batch")

    def __init__(self, shared: SharedMux, mux: Mux, fd: int) -> None:
        self.batch = 0
        self._shared = shared
        self._mux = mux
        self._fd = fd

    def ready(self, events: int) -> bool:  # the mux reads whatever there is, errors included
        return self._shared.read(self._mux, self._fd)
