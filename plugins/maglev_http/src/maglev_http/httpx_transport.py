"""One backend's transport for httpx: requests name the host of their URL and go to the backend's address."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

from maglev.api import Target
from maglev_http.httpx_network import TargetNetwork
from maglev_http.options import HttpOptions, HttpsOptions


class _Content(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


class BackendTransport(httpx.AsyncBaseTransport):
    """Carries every request to one backend, whatever host its URL names, on a connection of its own.

    Args:
        target: The backend.
        options: Their `proxy` and `http2` count here.
        context: The TLS context, shared by all backends of the health check.
        names: Host names for which another name is sent and checked by TLS.
    """

    def __init__(
        self, target: Target, options: HttpOptions, context: ssl.SSLContext | None, names: dict[str, str]
    ) -> None:
        self._names = names
        self._network = TargetNetwork(target)
        address = str(target.address)
        # In a proxied URL the address stands in text, and an IPv6 one needs its brackets there.
        self._host = f"[{address}]" if options.proxy and target.address.version == 6 else address
        settings: dict[str, Any] = {
            "ssl_context": context,
            "max_connections": 1,
            "max_keepalive_connections": 0,
            "http1": not options.http2 or isinstance(options, HttpsOptions),
            "http2": options.http2,
            "network_backend": self._network,
        }
        if options.proxy:
            self._pool: httpcore.AsyncConnectionPool = httpcore.AsyncHTTPProxy(options.proxy, **settings)
        else:
            self._pool = httpcore.AsyncConnectionPool(**settings)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the backend. Exceptions are httpcore's, and `Ended`."""
        # There is one request at a time, and each has a new connection.
        self._network.server_name = self._names.get(request.url.host, request.url.host)
        response = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.scheme,
                    host=self._host,
                    port=request.url.port or (443 if request.url.scheme == "https" else 80),
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Content(response.stream), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._pool.aclose()


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
        ValueError: It is none, or its host is a name: looking it up would leave the probe's namespace, and wait.
    """
    if not url:
        return
    try:
        parsed = httpx.URL(url)
        ip_address(parsed.host)
    except (ValueError, httpx.InvalidURL) as error:
        raise ValueError(f"proxy {url!r} cannot be used: wanted for example http://192.0.2.3:3128") from error
    if parsed.scheme != "http":
        raise ValueError(f"proxy {url!r} cannot be used: wanted one with http://")
