"""The checker `redis`: says PING, and wants +PONG."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import attrs

from maglev.api import Checker, Code, Conversation, Done, ProbeResult, StreamChecker, Target, option
from maglev.plugin import hookimpl

PONG = Done(ProbeResult(Code.L7OK, "PONG"), last_send=b"QUIT\r\n")
OTHER = Done(ProbeResult(Code.L7RSP, "the answer is not PONG"))


@attrs.frozen
class RedisOptions:
    """The `params` of a `redis` health check."""

    password: str = option("", help="Authenticate with this password first", secret=True)


class Ping(Conversation):
    """One probe: all that it has to say is said at once, and the answer is compared as it comes."""

    __slots__ = ("_request", "_seen", "_wanted")

    def __init__(self, request: bytes, wanted: bytes) -> None:
        self._request = request
        self._wanted = wanted
        self._seen = b""

    def opening(self) -> bytes:
        return self._request

    def receive(self, data: bytes) -> Done | None:
        self._seen += data
        if self._seen.startswith(self._wanted):
            return PONG
        return None if self._wanted.startswith(self._seen) else OTHER


class RedisChecker(StreamChecker):
    """`type: redis`."""

    name = "redis"
    Options = RedisOptions

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        password = self.options.password.encode()
        if not password:
            return partial(Ping, b"PING\r\n", b"+PONG\r\n")
        login = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\n" % (len(password), password)
        return partial(Ping, login + b"PING\r\n", b"+OK\r\n+PONG\r\n")


@hookimpl
def maglev_checkers() -> Iterable[type[Checker]]:
    """Register the checkers of this distribution."""
    return [RedisChecker]
