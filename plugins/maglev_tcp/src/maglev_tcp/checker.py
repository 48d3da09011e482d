"""The checker `tcp`: connect, send and expect, TLS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from maglev.api import TLS, Code, Conversation, Done, ProbeResult, StreamChecker, Target
from maglev.client_tls import client_context
from maglev.patterns import compile_pattern
from maglev.tls_options import expiry_warning_s, given_options, tls_with
from maglev_tcp.expect import Expect
from maglev_tcp.options import TcpOptions
from maglev_tcp.sending import hex_bytes, text_bytes

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
        self._context = client_context(options) if options.ssl else None
        self.expiry_warning_s = expiry_warning_s(options)
        self._start = _conversations(options)

    @classmethod
    def advice(cls, options: TcpOptions) -> tuple[str, ...]:
        """Warn of options that do nothing, or less than it looks."""
        advice = []
        if (options.send or options.send_hex) and not options.expect:
            advice.append("send without expect: the answer is not checked, so any established connection passes")
        idle = (*(("server-name",) if options.server_name else ()), *given_options(options))
        if idle and not options.ssl:
            advice.append(f"these do nothing without ssl: true: {', '.join(idle)}")
        if options.ssl and not options.server_name and not options.insecure_skip_verify:
            advice.append(
                "ssl without server-name: the certificate must name the backend's IP address, and no SNI is sent"
            )
        return tuple(advice)

    def outdated(self) -> bool:
        return self._context is not None and client_context(self.options) is not self._context

    def tls(self, target: Target) -> TLS | None:
        if self._context is None:
            return None
        options: TcpOptions = self.options
        return tls_with(options, self._context, options.server_name or str(target.address).partition("%")[0])

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        return self._start


def _conversations(options: TcpOptions) -> Callable[[], Conversation]:
    if options.send and options.send_hex:
        raise ValueError("send and send-hex are both set: use only one")
    sent = hex_bytes(options.send_hex) if options.send_hex else text_bytes(options.send, options.encoding)
    if options.expect:
        return partial(Expect, sent, compile_pattern(options.expect, "expect", options.encoding))
    return partial(Connected, Done(_SECURED if options.ssl else _CONNECTED, last_send=sent, orderly=options.ssl))
