"""The checker `tcp`: connect, send and expect, TLS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from maglev.api import TLS, Code, Conversation, Done, ProbeResult, StreamChecker, Target
from maglev.client_tls import client_context
from maglev.patterns import compile_pattern
from maglev_tcp.expect import Expect
from maglev_tcp.options import TcpOptions

_CONNECTED = ProbeResult(Code.L4OK, "connected")
_SECURED = ProbeResult(Code.L6OK, "TLS handshake completed")


class Connected(Conversation):
    """Ends as soon as the connection is made (and the TLS handshake done)."""

    __slots__ = ("_done",)

    def __init__(self, done: Done) -> None:
        self._done = done

    def opening(self) -> Done:
        return self._done


class TcpChecker(StreamChecker):
    """`type: tcp`. See `TcpOptions`."""

    name: ClassVar[str] = "tcp"
    Options: ClassVar[type[TcpOptions]] = TcpOptions

    def __init__(self, options: TcpOptions) -> None:
        super().__init__(options)
        self._context = (
            client_context(ca_file=options.ca_file, insecure=options.insecure_skip_verify) if options.ssl else None
        )
        self._server_name = options.server_name
        self._start = _conversations(options)

    @classmethod
    def advice(cls, options: TcpOptions) -> tuple[str, ...]:
        """Warn of options that do nothing, or less than it looks."""
        advice = []
        if options.send and not options.expect:
            advice.append("send without expect: the answer is not looked at, so being connected is all that is checked")
        if not options.ssl and (options.server_name or options.ca_file or options.insecure_skip_verify):
            advice.append("server-name, ca-file and insecure-skip-verify do nothing without ssl: true")
        if options.ssl and not options.server_name and not options.insecure_skip_verify:
            advice.append(
                "ssl without server-name: the certificate must name the backend's IP address, and no SNI is sent"
            )
        return tuple(advice)

    def tls(self, target: Target) -> TLS | None:
        if self._context is None:
            return None
        return TLS(self._context, self._server_name or str(target.address).partition("%")[0])

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        return self._start


def _conversations(options: TcpOptions) -> Callable[[], Conversation]:
    sent = options.send.encode()
    if options.expect:
        return partial(Expect, sent, compile_pattern(options.expect, "expect"))
    return partial(Connected, Done(_SECURED if options.ssl else _CONNECTED, last_send=sent, orderly=options.ssl))
