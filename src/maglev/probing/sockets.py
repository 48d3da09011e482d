"""Opens the sockets of probes: non-blocking, in their namespace, bound to their source address."""

from __future__ import annotations

import socket
from typing import TypeVar

from maglev.api import Target
from maglev.probing.job import ScheduledJob
from maglev.probing.netns import Namespaces
from maglev.probing.verdicts import NetnsError, SocketError

_BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT of <linux/in.h>; works at the IP level for IPv6 too
_TCP, _QUICKACK = socket.IPPROTO_TCP, socket.TCP_QUICKACK
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


def acknowledge(sock: RawSocket) -> None:
    """Complete the handshake of a TCP connection on which the peer sends first.

    Sockets of probes are made to leave the last packet of the handshake to the first data, as HAProxy's are: that is a
    packet less for every probe, and where being connected is all that is asked it is never sent, so that the server's
    application is not even woken.
    """
    sock.setsockopt(_TCP, _QUICKACK, 1)


class TargetSockets:
    """The `Sockets` that an `AsyncChecker` is given for one target."""

    __slots__ = ("_spaces", "_target")

    def __init__(self, spaces: Namespaces, target: Target) -> None:
        self._spaces = spaces
        self._target = target

    def open(self, kind: socket.SocketKind = socket.SOCK_STREAM, proto: int = 0) -> socket.socket:
        target = self._target
        try:
            with self._spaces.inside(target.netns):
                sock = socket.socket(target.family, kind | socket.SOCK_NONBLOCK, proto)
            return sock if target.source is None else _bound(sock, str(target.source))
        except NetnsError:
            raise
        except OSError as error:
            raise SocketError(error.errno, error.strerror) from error


def _new(scheduled: ScheduledJob) -> RawSocket | OSError:
    try:
        if scheduled.udp:
            sock = RawSocket(scheduled.family, _DATAGRAM)
        else:
            sock = RawSocket(scheduled.family, _STREAM)
            sock.setsockopt(_TCP, _QUICKACK, 0)  # see `acknowledge`
        return sock if scheduled.source is None else _bound(sock, scheduled.source)
    except OSError as error:
        return error


def _bound(sock: AnySocket, source: str) -> AnySocket:
    """Bind to a local address, or close; the port is chosen when it connects, so that one port serves many peers."""
    try:
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))
    except OSError:
        sock.close()
        raise
    return sock
