"""The checkers of VIPs: one for each VIP, since each keeps the answer of its latest probe."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial

import h11

from maglev.api import TLS, Checker, Closed, Code, Conversation, Done, ProbeResult, StreamChecker, Target
from maglev.host_names import name_of
from maglev_tester.probes.answer import RESET, Answer, describe
from maglev_tester.probes.exchange import Exchange
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Kind, Vip

_CONNECTED = Done(ProbeResult(Code.L4OK))
_PASS = ProbeResult(Code.L7OK)
_FAIL = ProbeResult(Code.L7RSP)


class VipChecker(Checker):
    """A checker that keeps what the latest probe of its one VIP found."""

    waiting_for = "waiting for the answer"
    """What a probe does that times out above TCP and TLS."""

    def __init__(self, vip: Vip) -> None:
        super().__init__(None)
        self.vip = vip
        self._answer: Answer | None = None

    def keep(self, answer: Answer) -> ProbeResult:
        """Keep an answer until the engine reports its probe; returns the result for the engine."""
        self._answer = answer
        return _PASS if answer.error is None else _FAIL

    def take(self, result: ProbeResult) -> Answer:
        """Take what the probe found that the engine now reports with this result."""
        answer, self._answer = self._answer, None
        if answer is None or result.code is Code.LAG:
            return describe(result, self.waiting_for)
        return answer


class TcpChecker(VipChecker, StreamChecker):
    """Connects, and asks for no more."""

    name = "tcp"

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        return _Connected


class _Connected(Conversation):
    __slots__ = ()

    def opening(self) -> Done:
        return _CONNECTED


class HttpVipChecker(VipChecker):
    """The base of the checkers of HTTP and HTTPS VIPs. For HTTPS there is a context, one for all VIPs."""

    def __init__(self, vip: Vip, settings: ProbeSettings, context: ssl.SSLContext | None) -> None:
        super().__init__(vip)
        host = settings.host or vip.host or _authority(vip)
        self.exchange = partial(Exchange, _request(host, settings), settings.header.lower().encode())
        """Makes an exchange for one probe."""
        self.secure = None if context is None else TLS(context, name_of(host), resume=False)
        """How to speak TLS, for HTTPS."""


class HttpChecker(HttpVipChecker, StreamChecker):
    """Sends a GET over a new connection."""

    name = "http"

    def tls(self, target: Target) -> TLS | None:
        return self.secure

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        return partial(_HttpConversation, self)


class _HttpConversation(Conversation):
    __slots__ = ("_checker", "_exchange")

    def __init__(self, checker: HttpChecker) -> None:
        self._checker = checker
        self._exchange = checker.exchange()

    def opening(self) -> bytes:
        return self._exchange.request()

    def receive(self, data: bytes) -> Done | None:
        answer = self._exchange.receive(data)
        return None if answer is None else Done(self._checker.keep(answer))

    def closed(self, why: Closed) -> ProbeResult:
        return self._checker.keep(RESET if why is Closed.RESET else self._exchange.closed())


def tls_context(settings: ProbeSettings) -> ssl.SSLContext:
    """Make the context of all HTTPS VIPs: making one takes as long as fifty probes."""
    context = ssl.create_default_context()
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _request(host: str, settings: ProbeSettings) -> h11.Request:
    connection = "keep-alive" if settings.keepalive else "close"
    headers = [("Host", host), ("User-Agent", "maglevt"), ("Accept", "*/*"), ("Connection", connection)]
    return h11.Request(method="GET", target=settings.uri.partition("#")[0], headers=headers)


def _authority(vip: Vip) -> str:
    """The address as a Host header: with its port, unless that is the usual one."""
    usual = {Kind.HTTP: 80, Kind.HTTPS: 443}[vip.kind]
    return vip.endpoint.removesuffix(f":{usual}") if vip.port == usual else vip.endpoint
