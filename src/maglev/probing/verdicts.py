"""Turns errors of the operating system into results: a failure, or void where this host is the cause."""

from __future__ import annotations

import errno
import os
import ssl
from functools import cache

from maglev.api import Code, ProbeResult

_OWN_TROUBLE = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM), Code.NOFILE),
    # A connect that finds no free port says EADDRNOTAVAIL, that of a datagram socket says EAGAIN.
    **dict.fromkeys((errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAGAIN), Code.NOPORT),
}
# What the network, or the route or firewall on the way, answers. A reset before the connection is made is a refusal.
_UNREACHABLE = (
    errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.ECONNRESET,
    errno.ECONNABORTED, errno.EPIPE, errno.EACCES, errno.EPERM, errno.EPROTO, errno.ENOPROTOOPT, errno.EINVAL,
    errno.ENONET,
)  # fmt: skip
_CONNECT_FAILED = {**_OWN_TROUBLE, **dict.fromkeys(_UNREACHABLE, Code.L4CON), errno.ETIMEDOUT: Code.L4TOUT}

CONNECT_TIMED_OUT = ProbeResult(Code.L4TOUT, "no connection in time")
HANDSHAKE_TIMED_OUT = ProbeResult(Code.L6TOUT, "no TLS handshake in time")
HANDSHAKE_CLOSED = ProbeResult(Code.L6RSP, "closed by the peer during the TLS handshake")
HANDSHAKE_RESET = ProbeResult(Code.L6RSP, "reset by the peer during the TLS handshake")
UNREAD = ProbeResult(Code.L7RSP, "the peer does not take what it asked for")


class NetnsError(OSError):
    """A network namespace is missing or may not be entered."""


@cache
def connect_failed(number: int) -> ProbeResult:
    """Judge an error (its `errno`) of `connect`, `send` or `recv`."""
    return ProbeResult(_CONNECT_FAILED.get(number, Code.ERROR), os.strerror(number))


def socket_failed(error: OSError) -> ProbeResult:
    """Judge an error met while making or binding a socket, before any peer was asked: always void."""
    if isinstance(error, NetnsError):
        return ProbeResult(Code.NETNS, str(error))
    return ProbeResult(_OWN_TROUBLE.get(error.errno or 0, Code.ERROR), error.strerror or str(error))


def is_own_trouble(error: OSError) -> bool:
    """Whether an error stands for a resource that this machine has run out of, or a missing namespace."""
    return isinstance(error, NetnsError) or error.errno in _OWN_TROUBLE


def tls_failed(error: ssl.SSLError) -> ProbeResult:
    """Judge an error of the TLS library."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ProbeResult(Code.L6RSP, f"certificate: {error.verify_message}")
    return ProbeResult(Code.L6RSP, (error.reason or str(error)).replace("_", " ").lower())


def unreadable(error: Exception) -> ProbeResult:
    """Judge an exception of a checker while it read what its peer sent."""
    return ProbeResult(Code.L7RSP, f"cannot be read: {type(error).__name__}")


def checker_fault(error: BaseException) -> ProbeResult:
    """Make the void result of a fault in a checker, outside the reading of the peer's bytes."""
    return ProbeResult(Code.ERROR, f"fault in the checker: {type(error).__name__}: {error}"[:200])
