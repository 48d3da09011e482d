"""The target of a checker: address, sockets and TLS."""

from __future__ import annotations

import socket
import ssl
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

import attrs


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

        Ask for it when you connect, and do not keep it: a recreated interface has another number.

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
    """The use of TLS with one backend.

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
