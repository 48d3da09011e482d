"""Asks the kernel who is on the other end of a connection, and names that end so that gRPC can tell us again."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Hashable

import attrs

from maglev.doors import host_of
from maglev.listening import is_loopback, unmapped

_PEERCRED = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)

# sock_diag(7): struct nlmsghdr, inet_diag_req_v2 (its inet_diag_sockid apart), and what is read of inet_diag_msg.
_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=4BI")
_PORTS = struct.Struct("!2H")
_ANY_INTERFACE_AND_COOKIE = struct.pack("=3I", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_FOUND_STATE = struct.Struct("=2B")
_FOUND_OWNER = struct.Struct("=2I")  # uid and inode
_OWNER_AT = _HEADER.size + 4 + 48 + 12
_ESTABLISHED = 1


@attrs.frozen
class Visitor:
    """The other end of a connection.

    Args:
        name: What tells it to `access.read_peer`, without slashes at its ends.
        host: What it is counted under: a user of this host, or another host.
    """

    name: str
    host: Hashable


def visitor(connection: socket.socket) -> Visitor:
    """Tell who is on the other end of a connection that was just accepted.

    Raises:
        OSError: It is gone already.
    """
    if connection.family == socket.AF_UNIX:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
        pid, uid, _gid = _PEERCRED.unpack(raw)
        return Visitor(f"{uid}/{pid}", uid)
    remote, local = _end(connection.getpeername()), _end(connection.getsockname())
    if not is_loopback(remote[0]):
        return Visitor(f"/{remote[0]}/{remote[1]}", host_of(remote[0]))
    uid = owner(remote, local)
    # Whoever it is, it is this host: its many loopback addresses are no many hosts.
    return Visitor(f"{'' if uid is None else uid}/{remote[0]}/{remote[1]}", "nobody" if uid is None else uid)


def _end(sockname: tuple[str, int]) -> tuple[str, int]:
    return unmapped(sockname[0]), sockname[1]


def owner(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """Ask the kernel's table of sockets whose an established TCP connection is.

    Args:
        local: Address and port of the end that is asked about, on this host and in this network namespace.
        remote: Address and port of its other end.

    Returns:
        The number of the user; `None` if there is no such connection (any more), or the kernel does not tell. A
        connection that nobody has open any more is nobody's: the kernel would say that it is root's.
    """
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    try:
        ends = b"".join(socket.inet_pton(family, host).ljust(16, b"\0") for host, _port in (local, remote))
        asked = _ASKED.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _ESTABLISHED)
        asked += _PORTS.pack(local[1], remote[1]) + ends + _ANY_INTERFACE_AND_COOKIE
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK  # the kernel has answered when it has taken the question
        with socket.socket(socket.AF_NETLINK, kind, _SOCK_DIAG) as kernel:
            kernel.sendto(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST, 1, 0) + asked, (0, 0))
            found = kernel.recv(8192)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        return None
    if len(found) < _OWNER_AT + _FOUND_OWNER.size or _HEADER.unpack_from(found)[1] != _BY_FAMILY:
        return None
    _family, state = _FOUND_STATE.unpack_from(found, _HEADER.size)
    uid, inode = _FOUND_OWNER.unpack_from(found, _OWNER_AT)
    return int(uid) if state == _ESTABLISHED and inode else None
