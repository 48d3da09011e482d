"""The options of `type: http` and `type: https`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from maglev import host_names
from maglev.api import hide_query, hide_url, hide_values, option
from maglev.tls_options import TlsOptions
from maglev_http.codes import parse_codes

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH = re.compile(r"/[!-~]*")
_VALUE = re.compile(r"[\t -~]*")
_OURS = {
    "host": "set the option host instead",
    "content-length": "a health check sends no body",
    "transfer-encoding": "a health check sends no body",
    "connection": "a connection serves one probe",
}


def _matches(pattern: re.Pattern[str], wanted: str) -> Any:
    def check(_: object, attribute: attrs.Attribute[str], value: str) -> None:
        if not pattern.fullmatch(value):
            raise ValueError(f"{attribute.name.replace('_', '-')} {value!r} cannot be sent: wanted {wanted}")

    return check


def _check_method(_: object, __: attrs.Attribute[str], value: str) -> None:
    if not _TOKEN.fullmatch(value) or value.upper() == "CONNECT":
        raise ValueError(f"method {value!r} cannot be used: wanted a method's name, for example GET or HEAD")


def _check_codes(_: object, __: attrs.Attribute[int | str], value: int | str) -> None:
    parse_codes(value)


def _check_headers(_: object, __: attrs.Attribute[Mapping[str, str]], value: Mapping[str, str]) -> None:
    for name, text in value.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"header name {name!r} cannot be sent: wanted letters, digits and -")
        if not _VALUE.fullmatch(text):
            raise ValueError(f"the value of header {name} cannot be sent: wanted one line of printable ASCII")
        if name.lower() in _OURS:
            raise ValueError(f"header {name} cannot be set: {_OURS[name.lower()]}")


def _check_redirects(_: object, __: attrs.Attribute[int], value: int) -> None:
    if not 1 <= value <= 20:
        raise ValueError(f"max-redirects {value} is out of range: wanted 1 to 20")


@attrs.frozen
class HttpOptions:
    """The `params` of an `http` health check."""

    path: str = option(
        "/",
        help="Path to request, optionally with a query",
        secret=hide_query,
        validator=_matches(_PATH, "/ and printable ASCII, the rest percent-encoded"),
    )
    host: str = option(
        "",
        help="Host header, sent as given, and TLS server name; default: the backend's address and port",
        examples=("www.example.org",),
        validator=host_names.host,
    )
    method: str = option("GET", help="Request method", examples=("GET", "HEAD"), validator=_check_method)
    response_code: int | str = option(
        "200-299",
        help="Status codes that pass",
        allowed="codes and ranges from 100 to 999, with commas between",
        examples=("200-299,304",),
        validator=_check_codes,
    )
    response_regexp: str = option(
        "",
        help="Pattern to find in the body, or in its first 64 KiB; to match a body that ends in a newline, the pattern "
        "must include it (ok\\n?$)",
        allowed="RE2 syntax",
        examples=("^ok",),
    )
    encoding: Literal["utf-8", "latin-1"] = option(
        "utf-8",
        help="Encoding of response-regexp and body; latin-1: each byte is a character, and \\xNN in the pattern is the "
        "byte NN; utf-8: a body that is not UTF-8 is also tried as latin-1",
    )
    headers: Mapping[str, str] = option(
        factory=dict,
        help="Additional headers to send",
        secret=hide_values,
        examples=({"X-Probe": "maglev"},),
        validator=_check_headers,
    )
    engine: Literal["lean", "httpx"] = option(
        "lean", help="lean: HTTP/1.1, for thousands of backends; httpx: HTTP/2, redirects and proxies, for few backends"
    )
    follow_redirects: bool = option(
        False, help="Follow redirects, always on the same backend, whatever host they name (engine: httpx)"
    )
    max_redirects: int = option(5, help="How many redirects to follow (engine: httpx)", validator=_check_redirects)
    proxy: str = option(
        "",
        help="Probe through this proxy; its host must be an IP address (engine: httpx)",
        secret=hide_url,
        examples=("http://192.0.2.3:3128",),
    )
    http2: bool = option(False, help="Use HTTP/2: by ALPN with TLS, with prior knowledge without (engine: httpx)")


@attrs.frozen
class HttpsOptions(TlsOptions, HttpOptions):
    """The `params` of an `https` health check: those of `http` and those for TLS."""

    server_name: str = option(
        "",
        help="Name to send (SNI) and to check in the certificate; default: that of host",
        validator=host_names.server_name,
    )
    alpn: tuple[str, ...] = option((), help="Protocols to offer by ALPN; default: none", examples=(("http/1.1",),))
