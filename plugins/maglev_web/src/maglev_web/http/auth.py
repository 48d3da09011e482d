"""Asks for user and password in front of `/admin/`, and makes addresses wait that send wrong ones."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import attrs
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from maglev.doors import host_of
from maglev.serving import CHALLENGE, Credentials

FREE_TRIES = 5
"""Wrong passwords of one address before it has to wait."""
LONGEST_WAIT_S = 60.0
FORGET_S = 600.0
_ADDRESSES = 10_000


@attrs.frozen
class _Failures:
    count: int
    last_s: float

    def wait_s(self, now_s: float) -> float:
        if self.count < FREE_TRIES:
            return 0.0
        delay_s = min(LONGEST_WAIT_S, float(2 ** min(self.count - FREE_TRIES, 16)))
        return max(0.0, self.last_s + delay_s - now_s)


class SlowDown:
    """Counts wrong passwords by address, a /64 being one address; remembers a bounded number of them.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return how long an address must wait before its next try, in seconds."""
        failures = self._failures.get(host_of(address))
        return failures.wait_s(self._clock()) if failures else 0.0

    def failed(self, address: str) -> None:
        """Take note of a wrong password."""
        key, now_s = host_of(address), self._clock()
        before = self._failures.pop(key, None)
        again = before is not None and now_s - before.last_s < FORGET_S
        self._failures[key] = _Failures(before.count + 1 if before and again else 1, now_s)
        while len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)

    def passed(self, address: str) -> None:
        """Forget what an address did wrong."""
        self._failures.pop(host_of(address), None)


class BasicAuth:
    """Lets only those in who know user and password; everything behind it is reached through it and not otherwise."""

    def __init__(self, app: ASGIApp, credentials: Credentials, slow_down: SlowDown | None = None) -> None:
        self._app = app
        self._credentials = credentials
        self._slow_down = slow_down or SlowDown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            return
        refusal = self._refuse(Headers(scope=scope), (scope.get("client") or ("",))[0])
        await (refusal or self._app)(scope, receive, send)

    def _refuse(self, headers: Headers, address: str) -> Response | None:
        wait_s = self._slow_down.wait_s(address)
        if wait_s > 0:
            retry = {"retry-after": str(int(wait_s) + 1)}
            return PlainTextResponse("too many wrong passwords; wait\n", 429, retry)
        given = headers.getlist("authorization")
        if len(given) == 1 and self._credentials.match(given[0]):
            self._slow_down.passed(address)
            return None
        if given:
            self._slow_down.failed(address)
        return PlainTextResponse("user and password are needed\n", 401, {"www-authenticate": CHALLENGE})
