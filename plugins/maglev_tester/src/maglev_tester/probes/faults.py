"""What an exception of a probe means for the VIP."""

from __future__ import annotations

import errno
import os
import ssl

import attrs
import h11

from maglev_tester.outcome import ErrorClass
from maglev_tester.probes.http import AnswerCut

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""Errors of this host: no descriptors, no memory, no local port, no such address family."""

_WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.EHOSTUNREACH: "unreach",
    errno.ENETUNREACH: "unreach",
    errno.ETIMEDOUT: "timeout",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
}


@attrs.frozen
class Finding:
    """What was wrong.

    Args:
        status: In a word.
        error: The class.
        detail: In words.
    """

    status: str
    error: ErrorClass
    detail: str


def explain(error: Exception) -> Finding:
    """Say what an exception means; one that nobody expected is our own fault."""
    match error:
        case ssl.SSLCertVerificationError():
            return Finding("tls", ErrorClass.NET, f"certificate: {error.verify_message}")
        case ssl.SSLError():
            return Finding("tls", ErrorClass.NET, f"TLS: {error.reason or error}")
        case AnswerCut():
            return Finding("closed", ErrorClass.NET, f"the connection was closed {error}")
        case h11.RemoteProtocolError():
            return Finding("no-http", ErrorClass.HTTP, f"the answer is not HTTP: {error}")
        case OSError():
            return _os_error(error)
        case _:
            return Finding("broken", ErrorClass.LOCAL, f"a fault of maglevt itself: {error!r}")


def _os_error(error: OSError) -> Finding:
    number = error.errno or 0
    detail = os.strerror(number).lower() if number else str(error)
    if number in _OURS:
        return Finding("local", ErrorClass.LOCAL, f"this host: {detail}")
    return Finding(_WORDS.get(number, "broken"), ErrorClass.NET, detail)
