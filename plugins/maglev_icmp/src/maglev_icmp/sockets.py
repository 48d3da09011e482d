"""Opens sockets for echo requests: raw where that is allowed, else the datagram kind that Linux has for ping."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
from collections.abc import Iterable

import attrs

from maglev_icmp.packet import V4, V6, Family

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes; the usual default holds the replies of some 270 backends, and drops the rest silently."""
SEND_BUFFER = 16 * 1024 * 1024
"""Bytes, doubled by the kernel. A packet (some 832 bytes) to a host that does not answer ARP waits for three seconds
in the buffer of its socket. This is room for 10 000 silent hosts that are each asked four times in that time. It is a
limit: the kernel takes memory only for what waits, and lets no more than `unres_qlen_bytes` wait for one host."""
MOST_SENDERS = 64
"""How many sockets share the load where the buffer cannot be that large (without CAP_NET_ADMIN, `net.core.wmem_max` is
the limit): by its default some 512 packets each."""

# From the kernel's headers, where the standard library has no name for them.
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMP6_FILTER = 1
_IP_PKTINFO = 8
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_SIOCGIFINDEX = 0x8933

_MSG_PROBE = 0x10

Address = tuple[str, int] | tuple[str, int, int, int]
Ancillary = list[tuple[int, int, bytes]]


@attrs.frozen
class EchoSockets:
    """Non-blocking sockets for many echo requests of one family. Whoever holds them closes them.

    Args:
        family: `V4` or `V6`.
        raw: Whether they are raw. If not, identifiers are the kernel's, and errors come through the error queue.
        senders: What requests are sent over.
        receivers: What answers arrive at: every sender, or a single one if they are raw, as every raw socket of the
            namespace gets all that arrives.
    """

    family: Family
    raw: bool
    senders: list[socket.socket] = attrs.field(factory=list)
    receivers: list[socket.socket] = attrs.field(factory=list)

    @property
    def with_ip_header(self) -> bool:
        """Whether received packets begin with the IP header."""
        return self.raw and self.family.version == 4

    @property
    def keeps_source(self) -> bool:
        """Whether a packet can have a source address of its own: Linux ignores it on IPv6 datagram sockets."""
        return self.raw or self.family.version == 4

    def add_sender(self) -> None:
        """Make one more, in the current network namespace.

        Raises:
            OSError: None could be had.
        """
        sock = _create(self.family, raw=self.raw)
        try:
            sock.setblocking(False)
            _set_buffer(sock, _SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER)
            # Without it a raw socket does not tell that the device's queue or the neighbour table is full.
            _receive_errors(sock, self.family)
            if self.raw:
                # Nobody reads it: let nothing arrive, and no more than one or two errors in its queue.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
                _filter(sock, self.family, ())
            else:
                _set_buffer(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER)
                self.receivers.append(sock)
        except BaseException:
            sock.close()
            raise
        self.senders.append(sock)

    def close(self) -> None:
        """Close all."""
        for sock in (*self.senders, *self.receivers):
            sock.close()


def open_sockets(family: socket.AddressFamily) -> EchoSockets:
    """Open what it takes for `AF_INET` or `AF_INET6` in the current network namespace: one sender to begin with.

    Raises:
        PermissionError: Neither kind is allowed; the message says what would allow it.
        OSError: No socket could be had.
    """
    numbers = V4 if family == socket.AF_INET else V6
    try:
        return _opened(EchoSockets(numbers, raw=True))
    except PermissionError:
        try:
            return _opened(EchoSockets(numbers, raw=False))
        except PermissionError as error:
            raise PermissionError(
                error.errno, "icmp needs CAP_NET_RAW, or a net.ipv4.ping_group_range that holds this process's group"
            ) from error


def _opened(sockets: EchoSockets) -> EchoSockets:
    try:
        if sockets.raw:
            sockets.receivers.append(receiver := _create(sockets.family, raw=True))
            receiver.setblocking(False)
            _set_buffer(receiver, _SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER)
            _filter(receiver, sockets.family, sockets.family.kinds)
        sockets.add_sender()
    except BaseException:
        sockets.close()
        raise
    return sockets


def _create(family: Family, *, raw: bool) -> socket.socket:
    inet, protocol = (socket.AF_INET, socket.IPPROTO_ICMP) if family is V4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
    return socket.socket(inet, socket.SOCK_RAW if raw else socket.SOCK_DGRAM, protocol)


def _set_buffer(sock: socket.socket, force: int, option: int, size: int) -> None:
    """Make a buffer as large as this, or where that takes a capability that is not there, as large as it may be."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, option, size)


def _receive_errors(sock: socket.socket, family: Family) -> None:
    if family is V4:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)


def _filter(sock: socket.socket, family: Family, types: Iterable[int]) -> None:
    """Let the kernel drop all types but these, above all the requests that others send to us."""
    if family is V4:
        blocked = 0xFFFFFFFF & ~sum(1 << type_ for type_ in types)
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", blocked))
        return
    words = [0xFFFFFFFF] * 8
    for type_ in types:
        words[type_ >> 5] &= ~(1 << (type_ & 31))
    sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))


def is_full(sock: socket.socket) -> bool:
    """Whether what was sent and has not left yet fills the send buffer."""
    waiting, room = struct.unpack_from("=8x2I", sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
    return bool(waiting >= room)


def has_route(sock: socket.socket, packet: bytes, address: Address, ancillary: Ancillary) -> bool:
    """Whether a packet would be sent as far as routes go. Sends nothing."""
    try:
        sock.sendmsg([packet], ancillary, _MSG_PROBE, address)
    except OSError:
        return False
    return True


def source_ancillary(family: Family, packed: bytes) -> Ancillary:
    """Return the ancillary data that sets a packet's source address, packed."""
    if family is V4:
        return [(socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4s", 0, packed, bytes(4)))]
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("=16sI", packed, 0))]


def source_is_local(family: Family, sock: socket.socket, packed: bytes) -> bool:
    """Whether an address is one of the socket's network namespace, so that packets may leave from it.

    Asked of the kernel, which looks for a route from the address to itself.
    """
    itself = socket.inet_ntop(socket.AF_INET if family is V4 else socket.AF_INET6, packed)
    return has_route(sock, bytes([family.request]) + bytes(7), (itself, 0), source_ancillary(family, packed))


def scope_index(sock: socket.socket, scope: str) -> int:
    """The number of an interface in the socket's own network namespace, wherever this process is now.

    `scope` is the interface's name or number, as behind the `%` of a link-local address.

    Raises:
        OSError: There is no such interface.
    """
    if scope.isdecimal():
        return int(scope)
    request = struct.pack("=16si12x", scope.encode(), 0)
    index: int = struct.unpack_from("=i", fcntl.ioctl(sock, _SIOCGIFINDEX, request), 16)[0]
    return index


def clear_error(sock: socket.socket) -> None:
    """Take an error of an earlier packet off the socket, so that the next call does not report it as its own."""
    with contextlib.suppress(OSError):  # there was none that could be read
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def next_error(family: Family, sock: socket.socket) -> tuple[bytes, tuple[int, int], str, str] | None:
    """Take an ICMP error message out of a datagram socket's error queue.

    Returns:
        The quoted request from its ICMP header on, type and code, where it was going, who reports; all empty and 0
        for an error that is no ICMP message; `None` if the queue is empty.
    """
    try:
        data, ancillary, _, address = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
    except (BlockingIOError, InterruptedError):
        return None
    for level, kind, content in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
            return data, *_extended(family, content, str(address[0]) if address else "")
    return b"", (0, 0), "", ""


def _extended(family: Family, content: bytes, destination: str) -> tuple[tuple[int, int], str, str]:
    """Read a `struct sock_extended_err` and the socket address of the reporter behind it."""
    origin, type_, code = struct.unpack_from("=4xBBB", content) if len(content) >= 16 else (0, 0, 0)
    if origin not in (2, 3):  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
        return (0, 0), "", ""
    start, size = (20, 4) if family is V4 else (24, 16)
    packed = content[start : start + size]
    if len(packed) < size:
        return (type_, code), destination, "an unknown host"
    inet = socket.AF_INET if family is V4 else socket.AF_INET6
    return (type_, code), destination, socket.inet_ntop(inet, packed)
