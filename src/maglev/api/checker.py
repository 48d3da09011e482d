"""The contract of a checker: how to ask one backend whether it serves.

A checker is built once per health check of the configuration, with its options. Of the three shapes `StreamChecker`
serves nearly everything: it says what to send and judges what comes back, and never sees a socket, a clock or a
deadline. All of those are the engine's.
"""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, ClassVar, Literal, Protocol, cast

import attrs

from maglev.api.options import NoOptions
from maglev.api.results import Code, ProbeResult


class Sockets(Protocol):
    """Makes sockets for an `AsyncChecker`: in the right network namespace, bound to the configured source address."""

    def open(
        self,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        proto: int = 0,
        family: socket.AddressFamily | None = None,
    ) -> socket.socket:
        """Make one non-blocking, unconnected socket; the caller closes it.

        Args:
            kind: `SOCK_STREAM` or `SOCK_DGRAM`.
            proto: The protocol number, 0 for the kind's own.
            family: `AF_INET` or `AF_INET6`; by default the target's. One of the other family (to a proxy, say) is not
                bound to the source address.

        Raises:
            OSError: No socket could be had; let it pass, the engine makes a void result of it.
        """
        ...

    def scope_id(self, zone: str) -> int:
        """The number of an interface in that namespace.

        Args:
            zone: Its name or number, as behind the `%` of a link-local address.

        Raises:
            OSError: There is no such interface, or no such namespace; let it pass.
        """
        ...


@attrs.frozen(eq=False)
class Target:
    """One backend as one health check sees it. Compared and hashed by identity.

    Args:
        backend: The backend's name, for messages.
        address: Where to probe.
        port: The port to probe; `None` where the checker has no ports.
        timeout_ns: How long one probe may take, in nanoseconds.
        source: Probe from this local address, of the same family; `None` lets the kernel choose.
        netns: Name or path of the network namespace to probe in; `None` is the current one.
        sockets: For an `AsyncChecker`: where its sockets come from.
    """

    backend: str
    address: IPv4Address | IPv6Address
    port: int | None = None
    timeout_ns: int = 1_000_000_000
    source: IPv4Address | IPv6Address | None = None
    netns: str | None = None
    sockets: Sockets | None = attrs.field(default=None, repr=False)

    @property
    def family(self) -> socket.AddressFamily:
        """`AF_INET` or `AF_INET6`."""
        return socket.AF_INET if self.address.version == 4 else socket.AF_INET6

    @property
    def sockaddr(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """The address as `socket.connect` wants it, with the interface's number where it is a link-local one.

        Ask for it when you connect, and do not keep it: an interface that is made anew has another number.

        Raises:
            OSError: It names an interface that is not there.
        """
        port = self.port or 0
        if isinstance(self.address, IPv4Address):
            return (str(self.address), port)
        host, _, zone = str(self.address).partition("%")
        return (host, port, 0, self._scope_id(zone) if zone else 0)

    def _scope_id(self, zone: str) -> int:
        if zone.isdecimal():
            return int(zone)
        # Without sockets to ask, whoever asks has entered the namespace.
        return socket.if_nametoindex(zone) if self.sockets is None else self.sockets.scope_id(zone)


@attrs.frozen
class TLS:
    """How to use TLS with one backend.

    Args:
        context: A client context, built once per health check, never per probe. `client_context` of
            `maglev.client_tls` makes one that also answers a server that asks for a certificate after the handshake.
        server_name: Sent as SNI and checked against the certificate (if the context checks names); `None` sends none.
        resume: Whether a session of an earlier probe may be resumed; `False` demands a full handshake each time.
        min_validity_s: Fail (`L6RSP`) where the server's certificate ends within so many seconds; 0 does not look. The
            certificate is that of the latest full handshake.
    """

    context: ssl.SSLContext
    server_name: str | None = None
    resume: bool = True
    min_validity_s: float = 0.0


class Closed(Enum):
    """How a peer ended the connection."""

    EOF = "closed by the peer"
    RESET = "reset by the peer"


@attrs.frozen
class Send:
    """Send these bytes and go on receiving."""

    data: bytes


@attrs.frozen
class StartTLS:
    """Begin a TLS handshake on this connection, as the checker's `tls` says; `Conversation.secured` is called after."""


@attrs.frozen
class Done:
    """The verdict is known.

    Args:
        result: The result of the probe.
        last_send: Sent before the connection is closed (`QUIT`); whether it arrives decides nothing. The peer is then
            given time to answer it and to close.
        orderly: Hear the peer out, and then close the connection in order, so that its log has nothing to complain of.
            By default it is reset at once, which is the cheapest. See `Conversation.drain`.

    The result counts at once, whatever `orderly` says, and the next probe does not wait for a connection that is still
    being heard out.
    """

    result: ProbeResult
    last_send: bytes = b""
    orderly: bool = False


Action = Send | StartTLS | Done

TIMED_OUT_L7 = ProbeResult(Code.L7TOUT, "no complete answer in time")
NO_RESULT_IN_TIME = ProbeResult(Code.L7TOUT, "no result in time")
CLOSED_EARLY = ProbeResult(Code.L7RSP, "closed by the peer before the answer was complete")
RESET_EARLY = ProbeResult(Code.L7RSP, "reset by the peer before the answer was complete")


class Conversation:
    """One probe's side of a conversation, without any I/O: bytes in, actions out. Made for every probe; keep it small.

    An exception raised by `receive`, `closed` or `expired` is a failure (`L7RSP`): the peer sent something that could
    not be read. An exception anywhere else is void (`ERROR`).
    """

    __slots__ = ()

    def opening(self) -> bytes | Done:
        """What to send first, once connected (and once TLS is up, where the checker starts with TLS).

        Returns:
            Bytes to send; `b""` when the server sends first; `Done` when being connected is all that was asked.
        """
        return b""

    def secured(self) -> bytes | Done:
        """What to send after a handshake that `StartTLS` asked for. As `opening`."""
        return b""

    def receive(self, data: bytes) -> Action | None:
        """Read what the peer sent.

        Args:
            data: One or more bytes, in whatever pieces the network made of them.

        Returns:
            `Send`, `StartTLS` or `Done`; `None` to wait for more.
        """
        raise NotImplementedError

    def closed(self, why: Closed) -> ProbeResult:
        """Judge a connection that the peer ended before a verdict.

        Args:
            why: An orderly end of file, or a reset.
        """
        return CLOSED_EARLY if why is Closed.EOF else RESET_EARLY

    def expired(self) -> ProbeResult:
        """Judge a conversation that has timed out. Not called while TCP or TLS is still being set up."""
        return TIMED_OUT_L7

    def drain(self, data: bytes) -> bool:
        """Say whether a peer has said all, after a `Done` with `orderly`.

        The engine reads on until the peer closes, and asks this with whatever comes; and with nothing, once, if some
        50 ms after the verdict the peer has not closed. It stops at 64 KiB, at the probe's deadline, and a second after
        the verdict; then, and where this returns true, it closes the connection itself. With a `last_send` this is not
        called: only the peer's close ends the wait. An exception is as good as true.

        Args:
            data: What came after the bytes that `receive` has seen; `b""` where nothing did.

        Returns:
            Whether nothing more is to come. The default, true, is for peers that wait for us to close.
        """
        return True


class Checker(ABC):
    """What all checkers have in common; implement one of the three shapes below, never this one.

    A subclass names itself (`name`, what YAML says behind `type:`), says what can be set (`Options`, an attrs class)
    and takes its options in the constructor. A constructor that finds the options impossible (a file that cannot be
    read, a pattern that does not compile) raises `ValueError`; the configuration is then refused with that message.
    The core builds checkers in a thread beside the event loop's: reading a file there holds nobody up.
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
        """Make the checker that these options ask for; this, not the constructor, is what the core calls.

        The default is an instance of this class. Override it where an option decides between shapes: one name in YAML
        may then be served by a `StreamChecker` or by an `AsyncChecker`.

        Args:
            options: An instance of `Options`.

        Raises:
            ValueError: As the constructor.
        """
        return cls(options)

    @classmethod
    def advice(cls, options: Any) -> tuple[str, ...]:
        """Say what is legal but probably not meant (`https` without `host`); shown as warnings by `maglevd check`.

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

    Every method that takes a target is asked once per backend, not once per probe.
    """

    transport: ClassVar[Literal["tcp", "udp"]] = "tcp"

    def tls(self, target: Target) -> TLS | None:
        """How to use TLS with this backend, from the first byte or after `StartTLS`; `None` for clear text."""
        return None

    def tls_first(self, target: Target) -> bool:
        """Whether TLS comes before the first byte (the default where `tls` gives one), or only on `StartTLS`."""
        return True

    @abstractmethod
    def conversations(self, target: Target) -> Callable[[], Conversation]:
        """Prepare all that is the same for every probe of this backend (the request's bytes, say).

        Returns:
            What makes a fresh `Conversation` for each probe: a class, or a `functools.partial` of one.
        """


class MuxChecker(Checker):
    """Many backends over a few shared sockets, one mux per network namespace and address family (ICMP echo).

    Checkers of one class whose keys (`mux_key`) are equal share their muxes: whichever of them is asked opens it, and
    it must go on working when that checker is closed. Keep a mux free of its checker.
    """

    def mux_key(self) -> Hashable:
        """What a checker must have in common with another to share muxes: by default, equal options."""
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
            OSError: No socket could be had: probes are void until one can.
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
            OSError: No socket could be had; the probe is void.
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
    """What no byte stream serves. Costs a task per probe, so prefer the other shapes where thousands are probed."""

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
