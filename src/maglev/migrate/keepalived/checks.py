"""Makes a probe of the checks of a real server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import attrs

from maglev.migrate.exchange import GREETED_BY_SMTP, dns_query
from maglev.migrate.findings import Findings
from maglev.migrate.keepalived.statements import Statement
from maglev.migrate.keepalived.timing import TIMING, timing_of
from maglev.migrate.model import Address, Probe
from maglev.migrate.reporting import Reasons, report
from maglev.migrate.values import host_address, port_number

_BY_RANK = (
    "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "TCP_CHECK", "PING_CHECK", "UDP_CHECK", "BFD_CHECK",
    "MISC_CHECK", "FILE_CHECK",
)  # fmt: skip
CHECKS = frozenset(_BY_RANK)
"""Keywords of checks."""

_CONNECTION = {"connect_ip", "connect_port", "bindto", "bind_if", "bind_port", *TIMING}
_EVERYWHERE: Reasons = {
    "bind_port": ("left out", "probes take any free port"),
    "fwmark": ("left out", "probes bear no mark"),
    "log_all_failures": ("not needed", "`maglevc watch events probe` shows every probe"),
    "tls_compliant": ("not needed", "maglevd ends TLS in order"),
    "fast_recovery": ("not needed", "one probe is one request"),
    "http_protocol": ("changed", "requests are HTTP/1.1"),
    "host": ("left out", "maglevd probes a server's own address only"),
    "misc_path": ("left out", "maglevd runs no programs"),
    "misc_timeout": ("left out", "maglevd runs no programs"),
    "misc_dynamic": ("left out", "no check sets a weight: a script may call `maglevc set frontend … weight`"),
    "user": ("left out", "maglevd runs no programs"),
    "payload": ("left out", "no check sends UDP"),
    "require_reply": ("left out", "no check sends UDP"),
    "min_reply_length": ("left out", "no check sends UDP"),
    "max_reply_length": ("left out", "no check sends UDP"),
    "track_file": ("left out", "no check reads a file: a script may call `maglevc set backend … pause`"),
    "weight": ("left out", "no check sets a weight"),
    "dynamic": ("left out", "no check sets a weight"),
}
_URL: Reasons = {
    "digest": ("left out", "maglevd computes no digests: set response-regexp to what the page must say"),
    "regex_no_match": ("left out", "a pattern has to match: maglevd has none that must not"),
    "regex_stack": ("not needed", "patterns are matched in linear time"),
    "regex_min_offset": ("left out", "the body's first 64 KiB are searched"),
    "regex_max_offset": ("left out", "the body's first 64 KiB are searched"),
    "tls_compliant": ("not needed", "maglevd ends TLS in order"),
}
_PATTERN_FLAGS = {"caseless": "i", "multiline": "m", "dotall": "s", "ungreedy": "U"}
_PATTERN_AS_IT_IS = {"utf", "no_auto_possess", "no_start_optimize", "auto_callout", "no_dotstar_anchor"}


@attrs.frozen
class Surroundings:
    """What a check takes over from outside.

    Args:
        levels: The real server and the virtual server.
        address: The server's.
        port: The server's, or the virtual server's; 0 if there is none.
        protocol: That of the virtual server.
        ssl: The block `SSL` of the file.
    """

    levels: Sequence[Statement]
    address: Address
    port: int
    protocol: Literal["tcp", "udp", "any"]
    ssl: Statement | None


@attrs.frozen
class _What:
    """A checker with its port and params."""

    type: str
    port: int | None = None
    params: Mapping[str, Any] = attrs.field(factory=dict)


def probe_of(around: Surroundings, findings: Findings) -> Probe | None:
    """Make the probe of a real server of the check that tells most; `None` if it has no check."""
    checks = sorted(around.levels[0].all(*CHECKS), key=lambda one: _BY_RANK.index(one.keyword))
    if not checks:
        return None
    check = checks[0]
    for other in checks[1:]:
        findings.left_out(other.place, other.keyword, f"a server has one health check: its {check.keyword} is taken")
    port = _port(check, around, findings)
    what = _KINDS[check.keyword](check, around, port, findings)
    timing = timing_of(check, around.levels, findings)
    _report_rest(check, findings)
    return Probe(
        type=what.type,
        port=what.port,
        params=what.params,
        interval=timing.interval,
        fast_interval=timing.fast_interval,
        timeout=timing.timeout,
        rise=1,
        fall=timing.fall,
        source=_source(check, around, findings),
        name=f"{what.type}-{what.port}" if what.port else what.type,
        place=check.place,
    )


def _port(check: Statement, around: Surroundings, findings: Findings) -> int:
    if (said := check.last("connect_port")) is None:
        return 25 if check.keyword == "SMTP_CHECK" and not around.port else around.port
    if (port := port_number(said.argument)) is None:
        findings.left_out(said.place, said.keyword, "this is no port; that of the server is taken")
        return around.port
    return port


def _source(check: Statement, around: Surroundings, findings: Findings) -> Address | None:
    if (said := check.last("connect_ip")) and host_address(said.argument) != around.address:
        message = f"maglevd probes a server's own address, {around.address}"
        findings.changed(said.place, f"connect_ip {said.argument}", message)
    device = check.last("bind_if")
    if (said := check.last("bindto")) is None:
        if device:
            findings.left_out(device.place, "bind_if", "probes take the interface that the route names")
        return None
    zone = f"%{device.argument}" if device and said.argument.lower().startswith("fe80:") else ""
    source = host_address(said.argument + zone)
    if source is None or source.version != around.address.version:
        findings.left_out(said.place, "bindto", f"this is no IPv{around.address.version} address")
        return None
    return source


def _report_rest(check: Statement, findings: Findings) -> None:
    read = _CONNECTION | _READ.get(check.keyword, set())
    for one in check.block:
        if one.keyword not in read or one.keyword == "bind_port":
            report(one.keyword, one.place, _EVERYWHERE, findings, f"{check.keyword} {one.keyword}")


# --- each kind ----------------------------------------------------------------------------------------------------


def _tcp(check: Statement, around: Surroundings, port: int, findings: Findings) -> _What:
    return _What("tcp", port) if port else _fallback(check, around, port, findings, "it has no port to connect to")


def _http(check: Statement, around: Surroundings, port: int, findings: Findings) -> _What:
    secure = check.keyword == "SSL_GET"
    urls = list(check.all("url"))
    for other in urls[1:]:
        findings.left_out(other.place, f"{check.keyword} url", "a health check asks for one URL: the first is taken")
    url = urls[0] if urls else Statement(("url",), check.place)
    params: dict[str, Any] = {}
    if path := url.last("path"):
        params["path"] = path.argument
    hosts = (level.last("virtualhost") for level in (url, check, *around.levels))
    if host := next((found.argument for found in hosts if found), ""):
        params["host"] = host
    if codes := _codes(url, findings):
        params["response-code"] = codes
    if pattern := _pattern(url):
        params["response-regexp"] = pattern
    if secure:
        params |= _tls(check, around)
    read = {"path", "virtualhost", "status_code", "regex", "regex_options"}
    for one in url.block:
        if one.keyword not in read:
            report(one.keyword, one.place, _URL, findings, f"url {one.keyword}")
    return _What("https" if secure else "http", port or (443 if secure else 80), params)


def _codes(url: Statement, findings: Findings) -> str:
    said = [(one.place, word) for one in url.all("status_code") for word in one.words[1:]]
    wrong = [(place, word) for place, word in said if not re.fullmatch(r"[1-9]\d\d(-[1-9]\d\d)?", word, re.ASCII)]
    for place, word in wrong:
        findings.left_out(place, f"status_code {word}", "this is no status, and no range of them")
    return ",".join(word for place, word in said if (place, word) not in wrong)


def _pattern(url: Statement) -> str:
    """Write a pattern with its options before it, as RE2 has them; whether RE2 takes it is judged later."""
    if (regex := url.last("regex")) is None or url.last("regex_no_match"):
        return ""
    options = [option for one in url.all("regex_options") for option in one.words[1:]]
    flags = "".join(_PATTERN_FLAGS.get(option, "") for option in dict.fromkeys(options))
    return (f"(?{flags})" if flags else "") + " ".join(regex.words[1:])


def _tls(check: Statement, around: Surroundings) -> dict[str, Any]:
    """Keepalived looks at no certificate; it shows its own if the block SSL says so."""
    params: dict[str, Any] = {"insecure-skip-verify": True}
    if name := check.last("sni_name"):
        params["server-name"] = name.argument
    if around.ssl and (certificate := around.ssl.last("certificate")):
        params["certificate"] = certificate.argument
        if key := around.ssl.last("key"):
            params["key"] = key.argument
    return params


def _smtp(check: Statement, _around: Surroundings, port: int, findings: Findings) -> _What:
    findings.changed(check.place, "SMTP_CHECK", "the greeting (220) is judged; HELO and QUIT are not sent")
    return _What("tcp", port or 25, GREETED_BY_SMTP)


def _dns(check: Statement, around: Surroundings, port: int, findings: Findings) -> _What:
    name, record = check.last("name"), check.last("type")
    params = dns_query(name.argument if name else ".", record.argument if record else "SOA")
    if params is None:
        return _fallback(check, around, port, findings, "its name or type is not known")
    findings.changed(check.place, "DNS_CHECK", "the name server is asked over TCP, which it must answer too")
    return _What("tcp", port or 53, params)


def _ping(_check: Statement, _around: Surroundings, _port: int, _findings: Findings) -> _What:
    return _What("icmp")


def _host_alive(check: Statement, _around: Surroundings, _port: int, findings: Findings) -> _What:
    findings.changed(check.place, check.keyword, "replaced by `icmp`, which only tells that the host answers")
    return _What("icmp")


def _unlike_any(check: Statement, around: Surroundings, port: int, findings: Findings) -> _What:
    return _fallback(check, around, port, findings, "maglevd runs no programs and reads no files")


def _fallback(check: Statement, around: Surroundings, port: int, findings: Findings, why: str) -> _What:
    """Replace a check that has no counterpart: without any, the server would always count as up."""
    if around.protocol == "tcp" and port:
        message = f"{why}: replaced by `tcp`, which only tells that port {port} takes connections"
        findings.changed(check.place, check.keyword, message)
        return _What("tcp", port)
    findings.changed(check.place, check.keyword, f"{why}: replaced by `icmp`, which only tells that the host answers")
    return _What("icmp")


_Kind = Callable[[Statement, Surroundings, int, Findings], _What]
_KINDS: Mapping[str, _Kind] = {
    "HTTP_GET": _http,
    "SSL_GET": _http,
    "SMTP_CHECK": _smtp,
    "DNS_CHECK": _dns,
    "TCP_CHECK": _tcp,
    "PING_CHECK": _ping,
    "UDP_CHECK": _host_alive,
    "BFD_CHECK": _host_alive,
    "MISC_CHECK": _unlike_any,
    "FILE_CHECK": _unlike_any,
}
_READ: Mapping[str, set[str]] = {
    "HTTP_GET": {"url", "virtualhost"},
    "SSL_GET": {"url", "virtualhost", "enable_sni", "sni_name"},
    "SMTP_CHECK": {"helo_name"},
    "DNS_CHECK": {"name", "type"},
    "BFD_CHECK": {"name"},
}

__all__ = ["CHECKS", "Surroundings", "probe_of"]
