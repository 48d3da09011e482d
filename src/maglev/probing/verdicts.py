"""Turns errors of the operating system into results: a failure, or void where this host is the cause.

The one table of what an errno means, for all engines and for what escapes a checker. Where the meaning is not plain it
was tried in network namespaces; `tests/probing/test_errno.py` repeats that.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from functools import cache

from maglev.api import NO_RESULT_IN_TIME, Code, ProbeResult
from maglev.probing import tls_hints

_OWN_TROUBLE = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOMEM), Code.NOFILE),
    # A connect that finds no free port says EADDRNOTAVAIL, that of a datagram socket says EAGAIN.
    **dict.fromkeys((errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAGAIN), Code.NOPORT),
    # ENOBUFS: the socket's buffer, the device's queue or the neighbour table is full. EPERM: the local firewall drops
    # it, or there is no room in the table of connections. Neither is a route's word: a `prohibit` route says EACCES.
    **dict.fromkeys((errno.ENOBUFS, errno.EPERM), Code.NOSEND),
}
_NO_SOCKET = {number: code for number, code in _OWN_TROUBLE.items() if number != errno.EPERM}  # a capability is missing
# What the network, the route, or a firewall on the way answers. A reset before the connection is made is a refusal.
_UNREACHABLE = (
    # What ICMP and ICMPv6 errors become (`icmp_err_convert` and `tab_unreach` of the kernel): ENOPROTOOPT is "protocol
    # unreachable", EOPNOTSUPP "source route failed", EMSGSIZE "fragmentation needed" or "packet too big".
    errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENONET, errno.ENOPROTOOPT,
    errno.EOPNOTSUPP, errno.EMSGSIZE, errno.EPROTO,
    # What routes say: EACCES is `prohibit`, EINVAL `blackhole`; ENETDOWN and ENODEV a device that is down or gone.
    errno.EACCES, errno.EINVAL, errno.ENETDOWN, errno.ENODEV,
    errno.ECONNRESET, errno.ECONNABORTED, errno.ENETRESET, errno.EPIPE,
)  # fmt: skip
_CONNECT_FAILED = {**_OWN_TROUBLE, **dict.fromkeys(_UNREACHABLE, Code.L4CON), errno.ETIMEDOUT: Code.L4TOUT}
_WORDS = {
    errno.ENOBUFS: "this host could not send: a buffer, a queue or the neighbour table is full",
    errno.EPERM: "this host would not send: its own firewall forbids it, or its table of connections is full",
}
# Libraries raise these without a number.
_NUMBERS: dict[type[OSError], int] = {
    ConnectionRefusedError: errno.ECONNREFUSED,
    ConnectionResetError: errno.ECONNRESET,
    ConnectionAbortedError: errno.ECONNABORTED,
    BrokenPipeError: errno.EPIPE,
}

CONNECT_TIMED_OUT = ProbeResult(Code.L4TOUT, "no connection in time")
HANDSHAKE_TIMED_OUT = ProbeResult(Code.L6TOUT, "no TLS handshake in time")
HANDSHAKE_CLOSED = ProbeResult(Code.L6RSP, "closed by the peer during the TLS handshake")
HANDSHAKE_RESET = ProbeResult(Code.L6RSP, "reset by the peer during the TLS handshake")
UNREAD = ProbeResult(Code.L7RSP, "the peer does not read what it requested")


class SocketError(OSError):
    """No socket could be made or bound: void, whatever its number."""


class NetnsError(SocketError):
    """A network namespace is missing or may not be entered."""


@cache
def connect_failed(number: int) -> ProbeResult:
    """Judge an error (its `errno`) of `connect` or `recv`, or of `send` once connected."""
    return ProbeResult(_CONNECT_FAILED.get(number, Code.ERROR), _WORDS.get(number) or os.strerror(number))


def send_failed(number: int, *, connected: bool = False) -> ProbeResult:
    """Judge an error (its `errno`) of sending a datagram on a non-blocking socket.

    Args:
        number: The error.
        connected: Whether the socket is connected. Then `connect` has found a route, and EINVAL says that the
            neighbour table of IPv6 is full (`ip6_finish_output2` of the kernel).
    """
    if number == errno.EMSGSIZE:  # larger than any datagram, or than the device takes
        return ProbeResult(Code.ERROR, os.strerror(number))
    full = number == errno.EAGAIN or (connected and number == errno.EINVAL)
    return connect_failed(errno.ENOBUFS if full else number)


def socket_failed(error: OSError) -> ProbeResult:
    """Judge an error met while making or binding a socket, before any peer was asked: always void."""
    if isinstance(error, NetnsError):
        return ProbeResult(Code.NETNS, str(error))
    return ProbeResult(_NO_SOCKET.get(error.errno or 0, Code.ERROR), error.strerror or str(error))


def judge_error(error: OSError) -> ProbeResult | None:
    """Judge an error that a checker, or a library of its, met on the way to a peer, as the engine judges its own.

    The engine calls it for an `OSError` that escapes `AsyncChecker.probe`. A checker that has to tell results apart may
    call it. An error without a number is judged by its class, or by what it was raised from.

    Returns:
        A failure, or void where this host is the cause; `None` if it does not speak of the network (a file, a name that
        cannot be looked up, a number that no table of ours has): a fault of the checker.
    """
    for each in _causes(error):
        if isinstance(each, SocketError):
            return socket_failed(each)
        if isinstance(each, ssl.SSLError):  # before its number, which is OpenSSL's
            return tls_failed(each)
        if isinstance(each, (socket.gaierror, socket.herror)) or each.filename is not None:
            return None
        if number := each.errno or _NUMBERS.get(type(each)):
            return connect_failed(number) if number in _CONNECT_FAILED else None
        if isinstance(each, TimeoutError):
            return NO_RESULT_IN_TIME
    return None


def _causes(error: BaseException | None) -> Iterator[OSError]:
    """An error and those that it was raised from, the latest first, as far as they are the system's."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError):
            yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def tls_failed(error: ssl.SSLError) -> ProbeResult:
    """Judge an error of the TLS library."""
    return ProbeResult(Code.L6RSP, tls_hints.describe(error))


def unreadable(error: Exception) -> ProbeResult:
    """Judge an exception of a checker while it read what its peer sent."""
    return ProbeResult(Code.L7RSP, f"cannot be read: {type(error).__name__}")


def checker_fault(error: BaseException) -> ProbeResult:
    """Make the void result of a fault in a checker, outside the reading of the peer's bytes."""
    return ProbeResult(Code.ERROR, f"fault in the checker: {type(error).__name__}: {error}"[:200])
