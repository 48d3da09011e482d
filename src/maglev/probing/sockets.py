"""Opens the sockets of probes: non-blocking, in their namespace, bound to their source address."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from maglev.api import Target
from maglev.probing.job import Address, ScheduledJob
from maglev.probing.netns import Namespaces
from maglev.probing.verdicts import NetnsError, SocketError

_BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT of <linux/in.h>; works at the IP level for IPv6 too
_SIOCGIFINDEX = 0x8933
_TCP, _QUICKACK, _NODELAY = socket.IPPROTO_TCP, socket.TCP_QUICKACK, socket.TCP_NODELAY
_PORT_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
SMALLEST_SEGMENT = 536
"""Every peer takes so many bytes in one segment over IPv4, and more over IPv6 (RFC 9293, section 3.7.1)."""
_STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
_DATAGRAM = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK

RawSocket = socket.SocketType
"""The interpreter's own socket, without the Python class around it: a few frames less for every probe."""

AnySocket = TypeVar("AnySocket", bound=RawSocket)

Opened = tuple[ScheduledJob, "RawSocket | OSError"]


def open_all(spaces: Namespaces, due: list[ScheduledJob]) -> list[Opened]:
    """Make one socket for each job, entering each namespace once.

    Returns:
        Each job with its socket, or the reason why there is none. Order is kept within a namespace.
    """
    groups: dict[str | None, list[ScheduledJob]] = {}
    for scheduled in due:
        groups.setdefault(scheduled.netns, []).append(scheduled)
    opened: list[Opened] = []
    for netns, group in groups.items():
        try:
            with spaces.inside(netns):
                opened += [(scheduled, _new(scheduled)) for scheduled in group]
        except OSError as error:
            opened += [(scheduled, error) for scheduled in group]
    return opened


def is_own(sock: RawSocket, address: Address) -> bool:
    """Whether a connected socket's own address is this one."""
    host, port = sock.getsockname()[:2]
    return bool((host, port) == address[:2])


def has_sent_all(sock: RawSocket) -> bool:
    """Whether the peer's host has acknowledged all that was sent."""
    waiting: int = struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]  # SIOCOUTQ: tcp(7)
    return waiting == 0


def acknowledge(sock: RawSocket) -> None:
    """Complete the handshake of a TCP connection on which the peer sends first.

    Sockets of probes are made to leave the last packet of the handshake to the first data, as HAProxy's are: that is a
    packet less for every probe, and where being connected is all that is asked it is never sent, so that the server's
    application is not even woken.
    """
    sock.setsockopt(_TCP, _QUICKACK, 1)


def send_at_once(sock: RawSocket) -> None:
    """Do not hold back what follows something unacknowledged.

    The peer delays its acknowledgement by 40 ms, in the hope of something to send with it (RFC 1122, section 4.2.3.2).
    A single small send is never held back, so that most probes need not ask for this.
    """
    sock.setsockopt(_TCP, _NODELAY, 1)


class TargetSockets:
    """The `Sockets` that an `AsyncChecker` is given for one target."""

    __slots__ = ("_spaces", "_target")

    def __init__(self, spaces: Namespaces, target: Target) -> None:
        self._spaces = spaces
        self._target = target

    def open(
        self,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        proto: int = 0,
        family: socket.AddressFamily | None = None,
    ) -> socket.socket:
        target = self._target
        try:
            with self._spaces.inside(target.netns):
                sock = socket.socket(family or target.family, kind | socket.SOCK_NONBLOCK, proto)
            if target.source is None or sock.family != target.family:
                return sock
            return _bound(sock, target.source, _zone(target))
        except NetnsError:
            raise
        except OSError as error:
            raise SocketError(error.errno, error.strerror) from error

    def scope_id(self, zone: str) -> int:
        with self._spaces.inside(self._target.netns):
            return int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)


def zoned(target: Target) -> bool:
    """Whether it takes an interface's number to reach a target: its address, or the source, is a link-local one."""
    return bool(_zone(target))


def _new(scheduled: ScheduledJob) -> RawSocket | OSError:
    try:
        if scheduled.zoned:
            scheduled.address = scheduled.job.target.sockaddr
        if scheduled.udp:
            sock = RawSocket(scheduled.family, _DATAGRAM)
        else:
            sock = RawSocket(scheduled.family, _STREAM)
            sock.setsockopt(_TCP, _QUICKACK, 0)  # see `acknowledge`
            if scheduled.meets_itself is None:
                scheduled.meets_itself = _may_meet_itself(scheduled.job.target)
        return sock if scheduled.source is None else _bound(sock, scheduled.source, _zone(scheduled.job.target))
    except OSError as error:
        return error


def _may_meet_itself(target: Target) -> bool:
    """Whether a TCP connection to a target may be given the target's port as its own, in the current namespace.

    Where nothing listens on an address of this host, such a connection is one to itself: TCP opens it from both sides
    at once (RFC 9293, section 3.5), and it echoes what it sends.
    """
    if target.source is not None and target.source != target.address:
        return False
    try:
        # Lives in memory: nothing here waits for a disk.
        fd = os.open(_PORT_RANGE, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            lowest, highest = map(int, os.read(fd, 64).split())
        finally:
            os.close(fd)
    except (OSError, ValueError):
        return True  # not known: then each connection is looked at
    return lowest <= (target.port or 0) <= highest


def _zone(target: Target) -> str | None:
    for address in (target.source, target.address):
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return address.scope_id
    return None


def _bound(sock: AnySocket, source: IPv4Address | IPv6Address, zone: str | None) -> AnySocket:
    """Bind to a local address, or close; the port is chosen when it connects, so that one port serves many peers.

    Args:
        sock: The socket.
        source: The address.
        zone: The interface that a link-local address belongs to.
    """
    try:
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        if isinstance(source, IPv4Address):
            sock.bind((str(source), 0))
        else:
            scope_id = _interface(sock, zone) if zone is not None and source.is_link_local else 0
            sock.bind((str(source).partition("%")[0], 0, 0, scope_id))
    except OSError:
        sock.close()
        raise
    return sock


def _interface(sock: RawSocket, zone: str) -> int:
    """The number of an interface in the socket's own network namespace, wherever this process is now."""
    if zone.isdecimal():
        return int(zone)
    request = struct.pack("=16si12x", zone.encode(), 0)
    index: int = struct.unpack_from("=i", fcntl.ioctl(sock.fileno(), _SIOCGIFINDEX, request), 16)[0]
    return index
