"""The result of one probe: the VIP's answer, or the engine's result if there was none."""

from __future__ import annotations

import errno
import os
from http import HTTPStatus

import attrs

from maglev.api import Code, ProbeResult, Verdict
from maglev_tester.outcome import ErrorClass

LONGEST_NAME = 64
_STATUSES = frozenset(HTTPStatus)
_WORDS = {
    os.strerror(number): word
    for number, word in (
        (errno.ECONNREFUSED, "refused"),
        (errno.ECONNRESET, "reset"),
        (errno.EPIPE, "reset"),
        (errno.EHOSTUNREACH, "unreach"),
        (errno.ENETUNREACH, "unreach"),
        (errno.EACCES, "denied"),
        (errno.EPERM, "denied"),
    )
}
_WAITED_FOR = {Code.L4TOUT: "connecting", Code.L6TOUT: "waiting for the TLS handshake"}


@attrs.frozen
class Answer:
    """The answer to one probe. The arguments are those of `Outcome`."""

    status: str
    error: ErrorClass | None = None
    detail: str = ""
    who: str = ""
    answered: bool = False


CONNECTED = Answer("connected")
CUT = Answer("closed", ErrorClass.NET, "the connection was closed in the middle of its answer")
UNANSWERED = Answer("closed", ErrorClass.NET, "the connection was closed without an answer")
RESET = Answer("reset", ErrorClass.NET, os.strerror(errno.ECONNRESET).lower())


def answer_of(status: int, who: str) -> Answer:
    """Judge a complete HTTP answer: a status below 400 is good.

    Args:
        status: 100 to 999.
        who: The value of the header that tells who answered, as it came.
    """
    if status < 400:
        return Answer(str(status), who=printable(who), answered=True)
    detail = f"status {status} {HTTPStatus(status).phrase}" if status in _STATUSES else f"status {status}"
    return Answer(str(status), ErrorClass.HTTP, detail, printable(who), answered=True)


def describe(result: ProbeResult, waiting_for: str) -> Answer:
    """Describe the engine's result of a probe that has no answer; `waiting_for` is what it did last."""
    code, detail = result.code, result.detail
    if code is Code.LAG:
        return Answer("local", ErrorClass.LOCAL, "this process stood still while the probe ran")
    if code.verdict is Verdict.VOID:
        return Answer("local", ErrorClass.LOCAL, f"this host: {detail}")
    if code.endswith("TOUT"):
        return Answer("timeout", ErrorClass.TIMEOUT, f"timeout while {_WAITED_FOR.get(code, waiting_for)}")
    if code is Code.L6RSP:
        return Answer("tls", ErrorClass.NET, f"TLS: {detail}")
    return CONNECTED if result.ok else Answer(_WORDS.get(detail, "broken"), ErrorClass.NET, detail.lower())


def printable(text: str) -> str:
    """A header's value, fit for a terminal: a server must not be able to move the cursor."""
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST_NAME]).strip()
