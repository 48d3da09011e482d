"""One backend's transport for httpx: requests name the host of their URL and go to the backend's address."""

from __future__ import annotations

import base64
import re
import ssl
from ipaddress import ip_address

import httpx
from anyio.abc import ByteStream

from maglev.api import Code, Conversation, ProbeResult, Target
from maglev.probing.verdicts import CONNECT_TIMED_OUT, HANDSHAKE_TIMED_OUT
from maglev_http.conversations import BodyConversation, HeadConversation
from maglev_http.http2 import Http2Conversation
from maglev_http.httpx_network import Ended, connect, converse, secure
from maglev_http.options import HttpOptions
from maglev_http.redirects import RedirectWatch
from maglev_http.verdicts import Verdicts

_PORTS = {"http": 80, "https": 443}
_WORD = re.compile(rb"[!-~]+")
_ELSEWHERE = ProbeResult(Code.L7RSP, "redirected to what is not HTTP")
_NOWHERE = ProbeResult(Code.L7RSP, "redirected to what cannot be asked for")
_REFUSED = ProbeResult(Code.L7RSP, "the proxy did not connect us")


class BackendTransport(httpx.AsyncBaseTransport):
    """Carries every request to one backend, whatever host its URL names, on a connection of its own.

    Answers are read and judged by the conversations of `engine: lean`, so that both engines agree on them.

    Args:
        target: The backend.
        options: Their `proxy`, `http2`, `method`, `follow_redirects` and `response_regexp` count here.
        context: The TLS context, shared by all backends of the health check.
        names: Host names, in lower case, for which another name is sent and checked by TLS.
        verdicts: How to judge answers.
    """

    def __init__(
        self,
        target: Target,
        options: HttpOptions,
        context: ssl.SSLContext | None,
        names: dict[str, str],
        verdicts: Verdicts,
    ) -> None:
        if target.sockets is None:
            raise RuntimeError("a target without sockets cannot be probed with engine: httpx")
        self._sockets = target.sockets
        self._target = target
        text = str(target.address).partition("%")[0]
        self._address = f"[{text}]" if target.address.version == 6 else text
        self._options = options
        self._context = context
        self._names = names
        self._verdicts = verdicts
        self._proxy = httpx.URL(options.proxy) if options.proxy else None
        self._login = _login_of(self._proxy) if self._proxy is not None else []
        self._tunnelled = Verdicts(HttpOptions())
        self.begin()

    def begin(self) -> None:
        """Forget the probe before."""
        self._waits_for: ProbeResult | Conversation = CONNECT_TIMED_OUT
        self.followed = False
        """Whether a redirect was handed out: what is asked for from then on are the peer's words."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the backend, and return its answer if that is a redirect to be followed.

        Raises:
            Ended: The probe has its verdict. That is how any other answer ends.
            OSError: No socket could be had.
        """
        scheme = request.url.scheme
        if scheme not in _PORTS:
            raise Ended(_ELSEWHERE)
        port = _PORTS[scheme] if request.url.port is None else request.url.port
        if not 0 < port < 65_536 or not _WORD.fullmatch(request.url.raw_path) or not _WORD.fullmatch(_host_of(request)):
            raise Ended(_NOWHERE)
        self._waits_for = CONNECT_TIMED_OUT
        wire = await connect(self._sockets, self._whereto(port))
        try:
            stream, protocol = await self._secured(wire, request, port) if scheme == "https" else (wire, None)
            over_http2 = protocol == "h2" or (scheme == "http" and self._options.http2 and self._proxy is None)
            conversation = self._conversation2(request) if over_http2 else self._conversation(request, port)
            self._waits_for = conversation
            result = await converse(stream, conversation)
        finally:
            await wire.aclose()
        redirect = None if isinstance(conversation, HeadConversation) else conversation.redirect
        if redirect is None:
            raise Ended(result)
        self.followed = True
        return httpx.Response(redirect[0], headers=[(b"Location", redirect[1])], content=b"")

    def expired(self) -> ProbeResult:
        """Judge a probe that is still under way when its time is up."""
        waits_for = self._waits_for
        return waits_for if isinstance(waits_for, ProbeResult) else waits_for.expired()

    def _whereto(self, port: int) -> tuple[str | int, ...]:
        if self._proxy is not None:
            return self._proxy.host, self._proxy.port or 80
        host, _, *scope = self._target.sockaddr
        return host, port, *scope

    async def _secured(self, stream: ByteStream, request: httpx.Request, port: int) -> tuple[ByteStream, str | None]:
        """Begin TLS, through the proxy if there is one."""
        if self._context is None:
            raise RuntimeError("https was asked for, and there is no TLS context")
        if self._proxy is not None:
            peer = f"{self._address}:{port}"
            lines = [f"CONNECT {peer} HTTP/1.1".encode("ascii"), f"Host: {peer}".encode("ascii")]
            lines += [b": ".join(header) for header in self._login]
            words = b"\r\n".join(lines) + b"\r\n\r\n"
            self._waits_for = HeadConversation(words, self._tunnelled)
            result = await converse(stream, self._waits_for)
            if not result.ok:
                raise Ended(_REFUSED if result.code is Code.L7STS else result)
        self._waits_for = HANDSHAKE_TIMED_OUT
        host = request.url.raw_host.decode("ascii")
        return await secure(stream, self._context, self._names.get(host, host))

    def _conversation(self, request: httpx.Request, port: int) -> HeadConversation | RedirectWatch:
        """One over HTTP/1.1."""
        target = request.url.raw_path
        if self._proxy is not None and request.url.scheme == "http":
            target = f"http://{self._address}:{port}".encode("ascii") + target
        login = self._login if request.url.scheme == "http" else []
        lines = [request.method.encode("ascii") + b" " + target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in [*request.headers.raw, *login, (b"Connection", b"close")]]
        words = b"\r\n".join(lines) + b"\r\n\r\n"
        if self._verdicts.pattern is None:
            judge = HeadConversation(words, self._verdicts)
        else:
            judge = BodyConversation(words, self._verdicts, request.method)
        return RedirectWatch(judge) if self._options.follow_redirects else judge

    def _conversation2(self, request: httpx.Request) -> Http2Conversation:
        """One over HTTP/2."""
        return Http2Conversation(
            request.method.encode("ascii"),
            request.url.raw_scheme,
            _host_of(request),
            request.url.raw_path,
            request.headers.raw,
            self._verdicts,
            follow=self._options.follow_redirects,
        )


def _login_of(proxy: httpx.URL) -> list[tuple[bytes, bytes]]:
    """The header that carries the user and the password in a proxy's URL (RFC 7617); none if there are none."""
    if not proxy.userinfo:
        return []
    login = base64.b64encode(f"{proxy.username}:{proxy.password}".encode())
    return [(b"Proxy-Authorization", b"Basic " + login)]


def _host_of(request: httpx.Request) -> bytes:
    return next(value for name, value in request.headers.raw if name.lower() == b"host")


def check_host(name: str) -> None:
    """See that httpx takes a backend's name: it reads those in other alphabets more strictly than the DNS does.

    Raises:
        ValueError: It does not.
    """
    try:
        _ = httpx.URL(scheme="http", host=name).host
    except (ValueError, httpx.InvalidURL) as error:
        raise ValueError(f"host {name!r} cannot be used with engine: httpx: {error}") from error


def check_proxy(url: str) -> None:
    """See that a proxy can be used.

    Raises:
        ValueError: It is none, or its host is a name: looking it up would leave the probe's namespace, and wait; or a
            link-local address: a URL cannot say on which interface; or it says more than where the proxy is.
    """
    if not url:
        return
    try:
        parsed = httpx.URL(url)
        address = ip_address(parsed.host)
    except (ValueError, httpx.InvalidURL) as error:
        raise ValueError(f"proxy {url!r} cannot be used: wanted for example http://192.0.2.3:3128") from error
    if parsed.raw_path != b"/" or parsed.fragment:
        raise ValueError(f"proxy {url!r} cannot be used: wanted no path and no query")
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        raise ValueError(f"proxy {url!r} cannot be used: wanted a port from 1 to 65535")
    if parsed.scheme != "http":
        raise ValueError(f"proxy {url!r} cannot be used: wanted one with http://")
    if address.version == 6 and address.is_link_local:
        raise ValueError(f"proxy {url!r} cannot be used: its address is link-local")
