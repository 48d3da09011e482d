"""The checkers behind `engine: httpx`: HTTP/2, redirects and proxies, at some three times the cost of `engine: lean`.

Each probe has a connection of its own, and no cookies of those before it. httpx builds the requests and follows the
redirects. Answers are read and judged by the conversations of `engine: lean`, so that both engines agree on them.
"""

from __future__ import annotations

import ssl
from http.cookiejar import CookieJar
from typing import ClassVar
from weakref import WeakKeyDictionary

import httpx

from maglev.api import AsyncChecker, Code, ProbeResult, Target
from maglev.client_tls import client_context
from maglev.host_names import name_of
from maglev_http.httpx_network import Ended
from maglev_http.httpx_transport import BackendTransport, check_host, check_proxy
from maglev_http.options import HttpOptions, HttpsOptions
from maglev_http.request import header_lines, host_header, host_name
from maglev_http.verdicts import Verdicts


class HttpxHttpChecker(AsyncChecker):
    """`type: http` with `engine: httpx`. See `HttpOptions`."""

    name: ClassVar[str] = "http"
    Options: ClassVar[type[HttpOptions]] = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options)
        check_proxy(options.proxy)
        check_host(name_of(options.host))
        self._verdicts = Verdicts(options)
        self._backends: WeakKeyDictionary[Target, _Backend] = WeakKeyDictionary()
        self._context = self._make_context(options)

    def _make_context(self, options: HttpOptions) -> ssl.SSLContext | None:
        # A redirect may lead from http to https. Its certificate is not checked: the first answer had none either.
        if not options.follow_redirects:
            return None
        return client_context(HttpsOptions(insecure_skip_verify=True), _protocols(options))

    def outdated(self) -> bool:
        return self._make_context(self.options) is not self._context

    async def probe(self, target: Target) -> ProbeResult:
        """Ask once, on a new connection."""
        backend = self._backends.get(target)
        if backend is None:
            backend = self._backends[target] = _Backend(self.name, target, self.options, self._context, self._verdicts)
        backend.transport.begin()
        try:
            await backend.client.send(backend.request)
        except Ended as ended:
            return ended.result
        except httpx.TooManyRedirects:
            return ProbeResult(Code.L7STS, f"more than {self.options.max_redirects} redirects")
        except OSError:  # no socket could be had: what the network says has `Ended` the probe
            raise
        except Exception as error:
            if not backend.transport.followed:
                raise
            # A redirect is the peer's words, whatever they do to a library: they fail, and are never void.
            return ProbeResult(Code.L7RSP, f"redirected to what cannot be read: {type(error).__name__}")
        raise RuntimeError("a redirect was handed out, and not followed")

    def expired(self, target: Target) -> ProbeResult:
        backend = self._backends.get(target)
        return super().expired(target) if backend is None else backend.transport.expired()

    async def aclose(self) -> None:
        for backend in list(self._backends.values()):
            await backend.client.aclose()
        self._backends.clear()


class HttpxHttpsChecker(HttpxHttpChecker):
    """`type: https` with `engine: httpx`. See `HttpsOptions`."""

    name: ClassVar[str] = "https"
    Options: ClassVar[type[HttpOptions]] = HttpsOptions

    def _make_context(self, options: HttpOptions) -> ssl.SSLContext | None:
        if not isinstance(options, HttpsOptions):
            raise TypeError(f"{options!r} are not options of https")
        if options.alpn:
            raise ValueError("alpn with engine: httpx: it offers http/1.1, and h2 with http2: true")
        if options.cert_expiry is not None:
            raise ValueError("cert-expiry needs engine: lean")
        return client_context(options, _protocols(options))


class _NoCookies(CookieJar):
    """Keeps none: a probe must not depend on the one before it."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass

    def add_cookie_header(self, request: object) -> None:
        pass


class _Backend:
    """The client and the request of one backend, built once for all its probes."""

    def __init__(
        self, scheme: str, target: Target, options: HttpOptions, context: ssl.SSLContext | None, verdicts: Verdicts
    ) -> None:
        host = host_header(options, target.address, target.port or 0, scheme)
        name = host_name(options, target.address)
        bracketed = f"[{name}]" if ":" in name else name
        server_name = options.server_name if isinstance(options, HttpsOptions) else ""
        names = {name.lower(): server_name or name}
        self.transport = BackendTransport(target, options, context, names, verdicts)
        self.client = httpx.AsyncClient(
            transport=self.transport,
            cookies=_NoCookies(),
            follow_redirects=options.follow_redirects,
            max_redirects=options.max_redirects,
            timeout=None,  # noqa: S113 - the engine cancels at the deadline
            trust_env=False,
        )
        self.client.headers.clear()
        self.request = self.client.build_request(
            options.method, f"{scheme}://{bracketed}:{target.port}{options.path}", headers=header_lines(options, host)
        )


def _protocols(options: HttpOptions) -> tuple[str, ...]:
    return ("h2", "http/1.1") if options.http2 else ("http/1.1",)
