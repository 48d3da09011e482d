"""Builds the bytes of a request, once per backend."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from maglev.host_names import name_of
from maglev_http.options import HttpOptions

_WITH_BODY = {"POST", "PUT", "PATCH"}
_PORTS = {"http": 80, "https": 443}
USER_AGENT = "maglevd"


def address_text(address: IPv4Address | IPv6Address) -> str:
    """An address without the scope of a link-local one, which means nothing to the peer."""
    return str(address).partition("%")[0]


def host_header(options: HttpOptions, address: IPv4Address | IPv6Address, port: int, scheme: str) -> str:
    """Return the value of the header `Host`.

    Args:
        options: Their `host` is taken as given, but that a bare IPv6 address gets its brackets.
        address: The backend's, for where there is no `host`; then the port follows unless it is the scheme's own.
        port: The port probed.
        scheme: `http` or `https`.
    """
    if options.host:
        bare_ipv6 = options.host.count(":") > 1 and not options.host.startswith("[")
        return f"[{options.host}]" if bare_ipv6 else options.host
    text = address_text(address)
    host = f"[{text}]" if address.version == 6 else text
    return host if port == _PORTS[scheme] else f"{host}:{port}"


def host_name(options: HttpOptions, address: IPv4Address | IPv6Address) -> str:
    """The name or address of the backend in requests: `host` without port and brackets, else its address."""
    return name_of(options.host) if options.host else address_text(address)


def header_lines(options: HttpOptions, host: str) -> list[tuple[str, str]]:
    """Names and values of the headers to send, in order. The user's own replace ours."""
    lines = {"User-Agent": USER_AGENT, "Accept": "*/*"}
    given = {name.lower() for name in options.headers}
    kept = [(name, value) for name, value in lines.items() if name.lower() not in given]
    body = [("Content-Length", "0")] if options.method.upper() in _WITH_BODY else []
    return [("Host", host), *kept, *options.headers.items(), *body]


def request_bytes(options: HttpOptions, host: str) -> bytes:
    """Write the request for HTTP/1.1 on a connection that serves one probe; `host` is from `host_header`.

    The options are checked already: nothing in them can end a line.
    """
    lines = [f"{options.method} {options.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in [*header_lines(options, host), ("Connection", "close")]]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
