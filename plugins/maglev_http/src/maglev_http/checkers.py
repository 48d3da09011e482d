"""The checkers `http` and `https`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Self

from maglev.api import TLS, AsyncChecker, Conversation, StreamChecker, Target
from maglev.client_tls import client_context
from maglev.tls_options import expiry_warning_s, tls_with
from maglev_http.conversations import BodyConversation, HeadConversation
from maglev_http.options import HttpOptions, HttpsOptions
from maglev_http.request import host_header, host_name, request_bytes
from maglev_http.verdicts import Verdicts


class HttpChecker(StreamChecker):
    """`type: http`. See `HttpOptions`."""

    name: ClassVar[str] = "http"
    Options: ClassVar[type[HttpOptions]] = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options)
        _refuse_options_of_httpx(options)
        self._verdicts = Verdicts(options)

    @classmethod
    def build(cls, options: HttpOptions) -> Self | AsyncChecker:
        """Make this checker, or with `engine: httpx` one that is built on httpx.

        Raises:
            ValueError: The options contradict each other, or name what cannot be used.
        """
        if options.engine == "lean":
            return cls(options)
        from maglev_http.httpx_checkers import HttpxHttpChecker, HttpxHttpsChecker  # noqa: PLC0415 - httpx costs 14 MB

        return HttpxHttpsChecker(options) if isinstance(options, HttpsOptions) else HttpxHttpChecker(options)

    @classmethod
    def advice(cls, options: HttpOptions) -> tuple[str, ...]:
        """Warn of options that do nothing, or not what it looks like."""
        advice = []
        if options.method == "HEAD" and options.response_regexp:
            advice.append("response-regexp with method HEAD: there is no body, the pattern is matched with nothing")
        if options.method != options.method.upper():
            advice.append(f"method {options.method}: methods are usually in capitals, and servers tell them apart")
        return tuple(advice)

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        options: HttpOptions = self.options
        host = host_header(options, target.address, target.port or 0, self.name)
        request = request_bytes(options, host)
        if options.response_regexp:
            return partial(BodyConversation, request, self._verdicts, options.method)
        return partial(HeadConversation, request, self._verdicts)


class HttpsChecker(HttpChecker):
    """`type: https`. See `HttpsOptions`."""

    name: ClassVar[str] = "https"
    Options: ClassVar[type[HttpOptions]] = HttpsOptions

    def __init__(self, options: HttpsOptions) -> None:
        super().__init__(options)
        if unsupported := [protocol for protocol in options.alpn if not protocol.startswith("http/1")]:
            raise ValueError(
                f"alpn {unsupported[0]}: the lean engine speaks http/1.1 only; set engine: httpx and http2: true"
            )
        self._context = client_context(options, options.alpn)
        self.expiry_warning_s = expiry_warning_s(options)

    @classmethod
    def advice(cls, options: HttpOptions) -> tuple[str, ...]:
        advice = super().advice(options)
        if not isinstance(options, HttpsOptions):
            return advice
        if not options.host and not options.server_name:
            advice += (
                "https without host or server-name: an IP address sends no SNI, and the certificate must name it",
            )
        if options.insecure_skip_verify and options.ca_file:
            advice += ("ca-file does nothing with insecure-skip-verify: true",)
        return advice

    def outdated(self) -> bool:
        return client_context(self.options, self.options.alpn) is not self._context

    def tls(self, target: Target) -> TLS | None:
        options: HttpsOptions = self.options
        return tls_with(options, self._context, options.server_name or host_name(options, target.address))


def _refuse_options_of_httpx(options: HttpOptions) -> None:
    wanted = {
        "follow-redirects": options.follow_redirects,
        "proxy": options.proxy,
        "http2": options.http2,
    }
    for name, value in wanted.items():
        if value:
            raise ValueError(f"{name} needs engine: httpx")
