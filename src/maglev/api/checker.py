"""The contract of a checker: how to probe a backend.

A checker is built once per health check of the configuration, with its options. Of the three shapes, `StreamChecker`
fits nearly everything: it returns what to send and judges the answer. Sockets, clocks and deadlines belong to the
engine.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, Literal, cast

from maglev.api.conversation import Conversation
from maglev.api.options import NoOptions
from maglev.api.results import Code, ProbeResult
from maglev.api.target import TLS, Target

NO_RESULT_IN_TIME = ProbeResult(Code.L7TOUT, "no result in time")
"""The result of an `AsyncChecker` whose time ran out, unless it gives another."""


class Checker(ABC):
    """The base of all checkers; implement one of the three shapes below, never this one.

    A subclass sets `name` (the `type` in YAML) and `Options` (an attrs class), and takes its options in the
    constructor. If the options are impossible (a file that cannot be read, a pattern that does not compile), the
    constructor raises `ValueError`, and the configuration is refused with that message. The core builds checkers in a
    thread beside the event loop, so a constructor may read files.
    """

    name: ClassVar[str]
    """What stands behind `type:` in the configuration."""
    Options: ClassVar[type[Any]] = NoOptions
    """An attrs class made of `maglev.api.option` fields."""
    needs_port: ClassVar[bool] = True
    """Whether a health check of this type must name a port."""
    needs_raw_socket: ClassVar[bool] = False
    """Whether it works better with CAP_NET_RAW, so that a daemon without it can say so at start."""
    expiry_warning_s: float = 0.0
    """From how long before a backend's TLS certificate ends the log warns of it, in seconds; 0: it does not."""

    def __init__(self, options: Any) -> None:
        """Take the options, an instance of `Options`; compute here what can be computed once."""
        self.options = options

    @classmethod
    def build(cls, options: Any) -> Checker:
        """Make the checker for these options; the core calls this, not the constructor.

        The default is an instance of this class. Override it if an option selects the shape: one name in YAML can then
        give a `StreamChecker` or an `AsyncChecker`.

        Args:
            options: An instance of `Options`.

        Raises:
            ValueError: As the constructor.
        """
        return cls(options)

    @classmethod
    def advice(cls, options: Any) -> tuple[str, ...]:
        """Return warnings about options that are valid but probably a mistake (`https` without `host`).

        Args:
            options: An instance of `Options`.
        """
        return ()

    def outdated(self) -> bool:
        """Whether these same options would now make another checker, as a file that they name was replaced.

        Asked with every reload, in a thread that may block; may raise `ValueError` as the constructor does.
        """
        return False

    def close(self) -> None:
        """Release what the checker holds. Called once, after its last probe has ended."""
        return


class StreamChecker(Checker):
    """A conversation over TCP, TLS or connected UDP. The engine owns sockets, TLS, deadlines and namespaces.

    Every method that takes a target is called once per backend, not once per probe.
    """

    transport: ClassVar[Literal["tcp", "udp"]] = "tcp"

    def tls(self, target: Target) -> TLS | None:
        """Return how to use TLS with this backend, from the first byte or after `StartTLS`; `None` for clear text."""
        return None

    def tls_first(self, target: Target) -> bool:
        """Whether TLS comes before the first byte (the default where `tls` gives one), or only on `StartTLS`."""
        return True

    @abstractmethod
    def conversations(self, target: Target) -> Callable[[], Conversation]:
        """Prepare all that is the same for every probe of this backend (the request's bytes, say).

        Returns:
            A function that makes a new `Conversation` for each probe: a class, or a `functools.partial` of one.
        """


class MuxChecker(Checker):
    """Many backends over a few shared sockets, one mux per network namespace and address family (ICMP echo).

    Checkers of one class with equal keys (`mux_key`) share their muxes. Any of them may open a mux, which must continue
    to work after that checker is closed. So a mux must not refer to its checker.
    """

    def mux_key(self) -> Hashable:
        """Return a key that is equal for checkers that share muxes: by default, their options."""
        try:
            hash(self.options)
        except TypeError:
            return id(self)
        return cast("Hashable", self.options)

    @abstractmethod
    def open(self, family: socket.AddressFamily, report: Callable[[int, ProbeResult], None]) -> Mux:
        """Make a mux; called with the network namespace entered, so sockets must be made here and not later.

        Args:
            family: `AF_INET` or `AF_INET6`.
            report: To be called with a token and its result, once per started probe.

        Raises:
            PermissionError: Sockets of the needed kind are not allowed here: probes are void until they are.
            OSError: No socket could be opened: probes are void until one can.
        """


class Mux(ABC):
    """The shared sockets of a `MuxChecker`. All methods are called from the engine, and none may block."""

    @abstractmethod
    def fds(self) -> tuple[int, ...]:
        """The descriptors to wait for, until `widen` adds some."""

    def widen(self) -> tuple[int, ...] | None:
        """Make room, by another socket, because `start` raised `ENOBUFS` or `EAGAIN`; the probe is then started again.

        Called with the network namespace entered.

        Returns:
            The new descriptors to wait for; `None` if there is nothing to gain, and the probe is void.

        Raises:
            OSError: No socket could be opened; the probe is void.
        """
        return None

    @abstractmethod
    def start(self, token: int, target: Target) -> None:
        """Send one probe.

        Args:
            token: 32 bits that name this probe until it ends; the engine never has one token out twice.
            target: Whom to probe.

        Raises:
            OSError: It could not be sent. The engine sorts it: unreachable is a failure, no buffers is void.
        """

    @abstractmethod
    def readable(self, fd: int) -> bool:
        """Read what has come, a bounded amount, and report what it decides.

        Returns:
            Whether there may be more to read at once.
        """

    @abstractmethod
    def expire(self, token: int) -> ProbeResult:
        """Forget a probe whose time ran out.

        Returns:
            The verdict, for example `L4TOUT`.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the sockets."""


class AsyncChecker(Checker):
    """Anything that is not a byte stream. Costs a task per probe: prefer the other shapes for thousands of backends."""

    @abstractmethod
    async def probe(self, target: Target) -> ProbeResult:
        """Probe once. Cancelled at the deadline, which `expired` judges; raise nothing for what the peer did.

        An `OSError` that escapes is judged like those of the engine's own sockets (`maglev.probing.judge_error`):
        refused and unreachable are failures, no descriptor is void. Any other exception is a fault of the checker.

        Args:
            target: Whom to probe; take sockets from `target.sockets`, or the probe leaves the namespace.
        """

    def expired(self, target: Target) -> ProbeResult:
        """Judge a probe whose time ran out; called just before it is cancelled.

        Args:
            target: Whom it probed: the one that `probe` was given.
        """
        return NO_RESULT_IN_TIME

    async def aclose(self) -> None:
        """Release what the probes share (clients, pools). Called once, after the last probe."""
        return
