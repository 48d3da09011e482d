"""Says why directives of haproxy.cfg are not carried over."""

from __future__ import annotations

from collections.abc import Iterator

from maglev.migrate.findings import Findings, Kind
from maglev.migrate.haproxy.sections import Directive, Section
from maglev.migrate.reporting import Reasons, report

_HTTP: tuple[Kind, str] = ("left out", "HTTP is not looked at: packets are forwarded as they are")
_FLOWS: tuple[Kind, str] = ("left out", "no rule is applied to flows: a packet filter may do it")
_ROUTED: tuple[Kind, str] = (
    "left out",
    "a frontend has one list of pools: give what is told apart here a VIP of its own",
)
_CONNECTIONS: tuple[Kind, str] = ("not needed", "maglevd forwards packets, and opens no connections for clients")
_COUNTED: tuple[Kind, str] = ("left out", "connections are not counted")
_LOGGED: tuple[Kind, str] = ("not needed", "maglevd has logs of its own; flows are not logged")
_SHOWN: tuple[Kind, str] = ("not needed", "maglevd has metrics, `maglevc` and a dashboard")
_KEPT: tuple[Kind, str] = ("left out", "no table of clients is kept: src-ip-sticky keeps a client with its server")
_MAILED: tuple[Kind, str] = ("left out", "alert on maglevd's metrics in place of mail")
_SECTION: tuple[Kind, str] = ("not needed", "nothing here refers to this section")


def _each(words: str, reason: tuple[Kind, str]) -> dict[str, tuple[Kind, str]]:
    return dict.fromkeys(words.split(), reason)


PROXY: Reasons = {
    **_each(
        "http-request http-response http-after-response redirect reqadd reqdel rspadd rspdel reqrep rsprep reqirep "
        "rspirep compression errorfile errorfiles errorloc errorloc302 errorloc303 http-error http-reuse filter "
        "filter-sequence http-send-name-header unique-id-format unique-id-header monitor-uri monitor monitor-net "
        "use-fcgi-app retry-on option:forwardfor option:forwarded option:originalto option:checkcache capture declare "
        "option:http-buffer-request max-session-srv-conns",
        _HTTP,
    ),
    **_each("tcp-request tcp-response quic-initial rate-limit", _FLOWS),
    **_each("use_backend use-server acl force-persist ignore-persist force-be-switch", _ROUTED),
    **_each("stick stick-table appsession persist cookie dynamic-cookie-key option:persist", _KEPT),
    **_each("email-alert", _MAILED),
    **_each("stats", _SHOWN),
    **_each(
        "log log-format log-format-sd log-tag log-steps error-log-format option:httplog option:httpslog option:tcplog "
        "option:dontlognull option:dontlog-normal option:logasap option:log-separate-errors option:log-health-checks "
        "option:socket-stats option:contstats",
        _LOGGED,
    ),
    **_each("fullconn maxconn minconn hash-balance-factor", _COUNTED),
    "hash-type": ("not needed", "Maglev's hash is consistent"),
    "hash-preserve-affinity": ("not needed", "flows stay with their server"),
    "external-check": ("left out", "maglevd runs no programs"),
    "option:allbackups": ("not needed", "carried over"),
    "dispatch": ("left out", "a pool has servers: write this address as one"),
    "transparent": ("left out", "a pool has servers"),
    "retries": _CONNECTIONS,
    "option:redispatch": _CONNECTIONS,
    "bind-process": _CONNECTIONS,
    "grace": _CONNECTIONS,
    "backlog": _CONNECTIONS,
    "id": _CONNECTIONS,
    "guid": _CONNECTIONS,
    "crt": ("left out", "TLS of clients ends at the servers: the certificates belong there"),
    "be-unpublished": ("left out", "there is no such switch: leave the frontend out"),
}
"""Keywords of proxies; those of `option` as `option:name`. All other options and timeouts are of connections."""
_READ = {
    "mode", "balance", "server", "server-template", "default-server", "bind", "default_backend", "disabled", "enabled",
    "description", "source", "http-check", "tcp-check", "listen", "from",
}  # fmt: skip
_READ_OPTIONS = {
    "httpchk", "tcp-check", "ssl-hello-chk", "smtpchk", "mysql-check", "pgsql-check", "redis-check", "ldap-check",
    "spop-check", "external-check", "allbackups",
}  # fmt: skip

GLOBAL: Reasons = {
    "spread-checks": ("changed", "intervals vary by 10 %"),
    "external-check": ("left out", "maglevd runs no programs"),
}
GLOBAL_READ = {"setenv", "presetenv", "unsetenv", "resetenv", "ca-base", "crt-base", "ssl-server-verify"}


def report_proxy(section: Section, findings: Findings) -> None:
    """Report the own directives of a proxy or of `defaults` that are not carried over."""
    for one in section.own:
        shown, key = _name(one)
        if one.keyword in _READ or is_unconditional(one) or (key.startswith("option:") and key[7:] in _READ_OPTIONS):
            continue
        if key in PROXY or one.keyword in PROXY:
            report(key if key in PROXY else one.keyword, one.place, PROXY, findings, shown)
        elif one.keyword in ("option", "timeout", "no", "default") or one.keyword.startswith(("clitcpka", "srvtcpka")):
            if key != "timeout:check":
                report("retries", one.place, PROXY, findings, shown)
        else:
            report(one.keyword, one.place, PROXY, findings, shown)


def is_unconditional(one: Directive) -> bool:
    """Tell whether this is a `use_backend` without a condition, to a backend that is named."""
    return one.keyword == "use_backend" and len(one.words) == 2 and "%[" not in one.words[1]


def _name(one: Directive) -> tuple[str, str]:
    """Return how a directive is shown, and the key of its reason."""
    words = one.words[1:] if one.keyword in ("no", "default") else one.words
    if words[:1] in (("option",), ("timeout",)):
        return " ".join(words[:2]), ":".join(words[:2])
    return one.keyword, one.keyword


def report_section(section: Section, findings: Findings) -> None:
    """Report a section that is of no use here; of `global` what would be missed."""
    if section.kind == "global":
        for one in _missed(section):
            report(one.keyword, one.place, GLOBAL, findings, one.keyword)
        return
    findings.not_needed(section.place, section.kind, _SECTION[1])


def _missed(section: Section) -> Iterator[Directive]:
    return (one for one in section.own if one.keyword in GLOBAL)
