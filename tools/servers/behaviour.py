"""Describes the behaviour of a server under probes, as data."""

from __future__ import annotations

from typing import Literal

import attrs

HEAD = b"HTTP/1.1 200 OK\r\n"


def answer(*headers: bytes, body: bytes = b"ok", line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """An answer with these header lines and no others."""
    return b"\r\n".join([line, *headers, b"", body])


def sized(*headers: bytes, body: bytes = b"ok", line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """An answer that says how long its body is, before any other header."""
    return answer(b"Content-Length: %d" % len(body), *headers, body=body, line=line)


def chunked(body: bytes, *headers: bytes, coding: bytes = b"chunked") -> bytes:
    """An answer whose body is framed already."""
    return answer(b"Transfer-Encoding: " + coding, *headers, body=body)


@attrs.frozen
class Behaviour:
    """One server.

    Args:
        name: What it does, in words; one name may be used twice, with a pattern and without.
        reply: What it says.
        up: Whether a probe should pass.
        pattern: The `response-regexp` of the check; without one the body is not looked at.
        why: Where checkers disagree: why, in a line.
        reads: Whether it reads the request before it says anything.
        then: What it does after: end the connection, hold it open, or reset it.
        delay: How long it waits before it answers, as a share of the check's timeout.
        piece: Into pieces of how many bytes it breaks its answer; 0 sends it whole.
        pause: How long it waits before each piece but the first, as a share of the timeout.
        forever: What it says after, without end.
        tls: What comes before: nothing, a handshake, or a handshake with a server that knows no more than TLS 1.2.
        check_tls: Whether the check speaks TLS. That it does where the server does not is a behaviour too.
        listens: Whether anybody listens at all.
    """

    name: str
    reply: bytes
    up: bool = True
    pattern: str = ""
    why: str = ""
    reads: bool = attrs.field(default=True, kw_only=True)
    then: Literal["close", "hold", "reset"] = attrs.field(default="close", kw_only=True)
    delay: float = attrs.field(default=0.0, kw_only=True)
    piece: int = attrs.field(default=0, kw_only=True)
    pause: float = attrs.field(default=0.0, kw_only=True)
    forever: bytes = attrs.field(default=b"", kw_only=True)
    tls: Literal["", "1.3", "1.2"] = attrs.field(default="", kw_only=True)
    check_tls: bool = attrs.field(default=False, kw_only=True)
    listens: bool = attrs.field(default=True, kw_only=True)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.name, self.pattern
