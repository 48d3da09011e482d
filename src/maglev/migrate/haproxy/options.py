"""Reads the options of `server`, `server-template` and `default-server` lines."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence

from maglev.migrate.findings import Findings, Place
from maglev.migrate.reporting import Reasons, report

_VALUED = frozenset(
    [
        "addr",
        "agent-addr",
        "agent-inter",
        "agent-port",
        "agent-send",
        "alpn",
        "ca-file",
        "cc",
        "check-alpn",
        "check-pool-conn-name",
        "check-proto",
        "check-sni",
        "ciphers",
        "ciphersuites",
        "client-sigalgs",
        "cookie",
        "crl-file",
        "crt",
        "curves",
        "downinter",
        "error-limit",
        "fall",
        "fastinter",
        "from",
        "guid",
        "hash-key",
        "healthcheck",
        "id",
        "idle-ping",
        "init-addr",
        "init-state",
        "inter",
        "interface",
        "ktls",
        "log-bufsize",
        "log-proto",
        "max-reuse",
        "maxconn",
        "maxqueue",
        "minconn",
        "namespace",
        "npn",
        "observe",
        "on-error",
        "on-marked-down",
        "on-marked-up",
        "pool-conn-name",
        "pool-low-conn",
        "pool-max-conn",
        "pool-purge-delay",
        "port",
        "proto",
        "proxy-v2-options",
        "quic-cc-algo",
        "redir",
        "resolve-net",
        "resolve-opts",
        "resolve-prefer",
        "resolvers",
        "rise",
        "shard",
        "sigalgs",
        "slowstart",
        "sni",
        "socks4",
        "source",
        "ssl-max-ver",
        "ssl-min-ver",
        "tcp-md5sig",
        "tcp-ut",
        "track",
        "usesrc",
        "verify",
        "verifyhost",
        "weight",
        "ws",
    ]
)
"""Options with a value behind them; the others have none."""

_CONNECTIONS = "maglevd forwards packets, and opens no connections for clients"
_COUNTED = "connections are not counted"
_NAMES = "servers are found by address: names are not looked up"
_AGENT = "maglevd asks no agent: a script may call `maglevc set frontend … weight`"
_TLS_OF_TRAFFIC = "TLS of clients ends at the server itself"
_TELLING = "the probe does not say this: a server that wants it refuses the probe"
REASONS: Reasons = {
    "agent-check": ("left out", _AGENT), "agent-addr": ("left out", _AGENT), "agent-inter": ("left out", _AGENT),
    "agent-port": ("left out", _AGENT), "agent-send": ("left out", _AGENT),
    "cookie": ("left out", "maglevd reads no cookies: src-ip-sticky keeps a client with its server"),
    "maxconn": ("left out", _COUNTED), "maxqueue": ("left out", _COUNTED), "minconn": ("left out", _COUNTED),
    "slowstart": ("left out", "a server that comes up gets its whole share at once"),
    "observe": ("left out", "traffic is not looked at"), "on-error": ("left out", "traffic is not looked at"),
    "error-limit": ("left out", "traffic is not looked at"),
    "on-marked-up": ("left out", "flows of a backup server stay with it until they end"),
    "send-proxy": ("left out", _TELLING), "send-proxy-v2": ("left out", _TELLING),
    "send-proxy-v2-ssl": ("left out", _TELLING), "send-proxy-v2-ssl-cn": ("left out", _TELLING),
    "check-send-proxy": ("left out", _TELLING), "proxy-v2-options": ("left out", _TELLING),
    "check-via-socks4": ("left out", "probes go to the server itself"),
    "check-proto": ("left out", "requests are HTTP/1.1; for others set engine: httpx"),
    "check-alpn": ("left out", "requests are HTTP/1.1; for others set engine: httpx"),
    "resolvers": ("left out", _NAMES), "resolve-opts": ("left out", _NAMES), "resolve-prefer": ("left out", _NAMES),
    "resolve-net": ("left out", _NAMES), "init-addr": ("left out", _NAMES),
    "namespace": ("left out", "there is one network namespace for all probes: set healthchecker.netns"),
    "usesrc": ("left out", "packets keep the client's address"),
    "interface": ("left out", "probes take the interface that the route names"),
    "crl-file": ("left out", "certificates that were revoked are not known"),
    "ssl-max-ver": ("left out", "probes take the highest version that both sides know"),
    "init-state": ("changed", "a server that was never probed gets no new flows, and one pass brings it up"),
    "redir": ("left out", "HTTP is not looked at"),
    "ssl": ("changed", _TLS_OF_TRAFFIC),
    "tcp-md5sig": ("left out", _TELLING),
    "hash-key": ("left out", "servers are told apart by address"),
}  # fmt: skip
"""Options that mean something to an operator; the rest is of connections that maglevd does not open."""
READ = frozenset(
    [
        "addr",
        "backup",
        "ca-file",
        "check",
        "check-sni",
        "check-sni-auto",
        "check-ssl",
        "ciphers",
        "crt",
        "disabled",
        "downinter",
        "enabled",
        "fall",
        "fastinter",
        "force-tlsv10",
        "force-tlsv11",
        "force-tlsv12",
        "force-tlsv13",
        "from",
        "healthcheck",
        "inter",
        "on-marked-down",
        "port",
        "rise",
        "sni",
        "sni-auto",
        "source",
        "ssl-min-ver",
        "track",
        "verify",
        "verifyhost",
        "weight",
    ]
)
"""Options that are carried over, or looked at where that is done."""


def read_options(words: Sequence[str], options: MutableMapping[str, str]) -> None:
    """Read options into those that hold already: the later one wins, and `no-…` takes one back."""
    at = 0
    while at < len(words):
        name = words[at].partition("(")[0]
        at += 1
        if name in _VALUED or words[at - 1].startswith("set-proxy-v2-tlv-fmt"):
            options[name] = words[at] if at < len(words) else ""
            at += 1
        elif name.startswith("no-"):
            options.pop(name[3:], None)
            options[name] = ""
        elif name in ("enabled", "non-stick", "stick"):
            options.pop("disabled", None)
        else:
            options.pop(f"no-{name}", None)
            options[name] = ""


def report_options(options: Mapping[str, str], place: Place, findings: Findings) -> None:
    """Report the options of a line that are not carried over."""
    for name in options:
        if name in READ or name.startswith("no-"):
            continue
        if name in REASONS:
            report(name, place, REASONS, findings, f"server {name}")
        else:
            findings.not_needed(place, f"server {name}", _CONNECTIONS)
