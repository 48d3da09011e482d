"""Makes the checker and the params of what a proxy checks: its check option and its rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

import attrs

from maglev.migrate.exchange import pattern_of, to_send
from maglev.migrate.findings import Findings, Place
from maglev.migrate.haproxy.rulesets import Connect, Expect, Request, Rule, Send, read_rules, send, statuses
from maglev.migrate.haproxy.sections import Directive

_DEFAULT_STATUSES = "200-399"
_VERSION = re.compile(r"HTTP/[0-9.]*", re.ASCII)

CHECK_OPTIONS = (
    "httpchk", "tcp-check", "ssl-hello-chk", "smtpchk", "mysql-check", "pgsql-check", "redis-check", "ldap-check",
    "spop-check", "external-check",
)  # fmt: skip


@attrs.frozen
class Method:
    """What is checked, before it is known of which server.

    Args:
        protocol: `http` or `tcp`; TLS comes with the server.
        params: The checker's own, without those for TLS.
        connect: Where to, if the rules say it.
        tls: Whether the check itself speaks TLS, whatever the server does.
        place: Where it stands; that of the proxy for a plain connection.
    """

    protocol: str
    place: Place
    params: Mapping[str, Any] = attrs.field(factory=dict)
    connect: Connect | None = None
    tls: bool = False


def method_of(inherited: Sequence[Directive], own: Sequence[Directive], place: Place, findings: Findings) -> Method:
    """Find what a proxy checks: its last check option, with its own rules, or else those of `defaults`."""
    chosen: Directive | None = None
    for one in (*inherited, *own):
        if one.keyword == "option" and one.word(1) in CHECK_OPTIONS:
            chosen = one
        elif one.words[:2] == ("no", "option") and chosen and one.word(2) == chosen.word(1):
            chosen = None
    if chosen is None:
        return Method("tcp", place)
    rules: list[Rule] = []
    if keyword := {"httpchk": "http-check", "tcp-check": "tcp-check"}.get(chosen.word(1)):
        mine = [one for one in own if one.keyword == keyword]
        theirs = [one for one in inherited if one.keyword == keyword]
        rules = read_rules(mine or theirs, findings)
    return _made(chosen, rules, findings)


def method_of_section(directives: Sequence[Directive], place: Place, findings: Findings) -> Method:
    """Find what a section `healthcheck` checks."""
    chosen = next((one for one in directives if one.keyword == "type"), None)
    if chosen is None or chosen.word(1) not in CHECK_OPTIONS:
        return Method("tcp", place)
    keyword = "http-check" if chosen.word(1) == "httpchk" else "tcp-check"
    return _made(chosen, read_rules([one for one in directives if one.keyword == keyword], findings), findings)


def _made(chosen: Directive, rules: Sequence[Rule], findings: Findings) -> Method:
    connects = [rule for rule in rules if isinstance(rule, Connect)]
    if len(connects) > 1:
        findings.left_out(connects[1].place, "connect", "a health check makes one connection: the first is taken")
    rules = _of_first_connection(rules)
    match chosen.word(1):
        case "httpchk":
            method = _http(chosen, rules, findings)
        case "tcp-check":
            method = Method("tcp", chosen.place, _exchange(rules, findings))
        case name:
            method = _KINDS[name](chosen, findings)
    connect = connects[0] if connects else None
    return attrs.evolve(method, connect=connect, tls=method.tls or bool(connect and connect.ssl))


def _of_first_connection(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules up to the second `connect`, without the first."""
    first = [*takewhile(lambda rule: isinstance(rule, Connect), rules)]
    return [*takewhile(lambda rule: not isinstance(rule, Connect), rules[len(first) :])]


# --- HTTP ---------------------------------------------------------------------------------------------------------


def _http(chosen: Directive, rules: Sequence[Rule], findings: Findings) -> Method:
    request = _old_request(chosen, findings)
    sends = [rule for rule in rules if isinstance(rule, Directive)]
    for one in sends[:1]:
        send(one, request, findings)
    if len(sends) > 1:
        findings.left_out(sends[1].place, "http-check send", "a health check sends one request: the first is taken")
        cut = next(at for at, rule in enumerate(rules) if rule is sends[1])
        rules = rules[:cut]
    if request.version != "HTTP/1.1":
        findings.changed(chosen.place, f"option httpchk {request.version}", "requests are HTTP/1.1")
    params: dict[str, Any] = {"path": request.path, "method": request.method}
    if not request.path.startswith("/"):
        findings.changed(chosen.place, f"option httpchk {request.path}", "a path begins with /: / is asked for")
        params["path"] = "/"
    headers = {name: text for name, text in request.headers.items() if name.lower() not in ("host", "connection")}
    if host := next((text for name, text in request.headers.items() if name.lower() == "host"), ""):
        params["host"] = host
    else:
        findings.changed(chosen.place, "option httpchk", "requests have a Host header: the server's address")
    params |= _expected_of_http([rule for rule in rules if isinstance(rule, Expect)], findings)
    if headers:
        params["headers"] = headers
    return Method("http", chosen.place, params)


def _old_request(chosen: Directive, findings: Findings) -> Request:
    """Read what stands behind `option httpchk`; headers may hide in its version, behind line ends."""
    words = chosen.words[2:]
    request = Request()
    if len(words) == 1:
        request.path = words[0]
    elif words:
        request.method, request.path, *rest = words
        version, *lines = (rest[0] if rest else request.version).replace("\r", "").split("\n")
        request.version = version if _VERSION.fullmatch(version) else request.version
        for line in lines:
            name, colon, text = line.partition(":")
            if colon:
                request.headers[name.strip()] = text.strip()
        if rest[1:]:
            request.headers["Host"] = " ".join(rest[1:])
    for name, text in list(request.headers.items()):
        if "%[" in text:
            findings.left_out(chosen.place, f"option httpchk {name}", "it depends on what HAProxy knows at run time")
            del request.headers[name]
    return request


def _expected_of_http(rules: Sequence[Expect], findings: Findings) -> dict[str, Any]:
    """Return the params of all expectations, which are all to be met: there is room for one of each kind.

    HAProxy judges no status where a rule asks for something else.
    """
    params: dict[str, Any] = {}
    for rule in rules:
        shown = f"http-check expect {'! ' if rule.negated else ''}{rule.match}"
        if rule.match in ("status", "rstatus"):
            key, value = "response-code", statuses(rule)
        elif rule.match in ("string", "rstring") and not rule.negated:
            key, value = "response-regexp", rule.pattern if rule.match == "rstring" else pattern_of(rule.pattern)
        else:
            message = "only a status, or a pattern that must be in the body, can be asked for"
            findings.left_out(rule.place, shown, message)
            continue
        if not value:
            findings.left_out(rule.place, shown, "nothing was found that it lets pass")
        elif params.setdefault(key, value) != value:
            findings.left_out(rule.place, shown, f"a health check has one {key}: the first is taken")
    return {"response-code": "100-599" if "response-regexp" in params else _DEFAULT_STATUSES} | params


# --- TCP ----------------------------------------------------------------------------------------------------------


def _exchange(rules: Sequence[Rule], findings: Findings) -> dict[str, Any]:
    """Return the params of what is sent and expected in turn.

    A `tcp` check sends once and expects once. Where the client speaks first, all can be sent at once, and the answers
    are looked for in their order; where the server does, only its greeting is.
    """
    turns = [rule for rule in rules if isinstance(rule, Send | Expect)]
    usable = list(_usable(turns, findings))
    sends = [rule for rule in usable if isinstance(rule, Send)]
    expects = [rule for rule in usable if isinstance(rule, Expect)]
    if expects and sends and isinstance(usable[0], Expect):
        message = "the server speaks first: only its greeting is judged, and nothing is sent"
        findings.changed(sends[0].place, "tcp-check send", message)
        return _expected([next(iter(expects))])
    params = _expected(expects)
    if sends:
        params["send"] = to_send(b"".join(rule.data for rule in sends))
    if len(expects) > 1 or (expects and isinstance(usable[-1], Send) and len(sends) > 1):
        message = "all is sent at once, and the answers are looked for in this order"
        findings.changed((expects[1] if len(expects) > 1 else sends[1]).place, "tcp-check", message)
    return params


def _usable(turns: Sequence[Send | Expect], findings: Findings) -> Iterator[Send | Expect]:
    for rule in turns:
        if isinstance(rule, Send):
            yield rule
            continue
        shown = f"tcp-check expect {'! ' if rule.negated else ''}{rule.match}"
        if rule.negated:
            findings.left_out(rule.place, shown, "a pattern has to match: maglevd has none that must not")
        elif rule.match not in ("string", "rstring", "binary") or not _is_readable(rule):
            findings.left_out(rule.place, shown, "this way to look for something could not be carried over")
        else:
            yield rule


def _is_readable(rule: Expect) -> bool:
    return bool(rule.pattern) and (rule.match != "binary" or bool(re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", rule.pattern)))


def _expected(rules: Sequence[Expect]) -> dict[str, Any]:
    if not rules:
        return {}
    binary = any(rule.match == "binary" for rule in rules)
    parts = [_pattern(rule) for rule in rules]
    params: dict[str, Any] = {
        "expect": parts[0] if len(parts) == 1 else "(?s)" + ".*".join(f"(?:{one})" for one in parts)
    }
    return params | ({"encoding": "latin-1"} if binary else {})


def _pattern(rule: Expect) -> str:
    if rule.match == "rstring":
        return rule.pattern
    return pattern_of(bytes.fromhex(rule.pattern) if rule.match == "binary" else rule.pattern)


# --- the checks with an option of their own -----------------------------------------------------------------------


def _tls_hello(chosen: Directive, findings: Findings) -> Method:
    findings.changed(chosen.place, "option ssl-hello-chk", "a whole TLS handshake is made, of version 1.2 or newer")
    return Method("tcp", chosen.place, {"insecure-skip-verify": True}, tls=True)


def _smtp(chosen: Directive, findings: Findings) -> Method:
    message = "the greeting is judged, which must begin with 2; HELO and QUIT are not sent"
    findings.changed(chosen.place, "option smtpchk", message)
    return Method("tcp", chosen.place, {"expect": "^2[0-9][0-9][ -]"})


def _redis(chosen: Directive, _findings: Findings) -> Method:
    return Method("tcp", chosen.place, {"send": r"PING\r\n", "expect": r"^\+PONG"})


def _mysql(chosen: Directive, findings: Findings) -> Method:
    """The first packet of a server: three bytes of length, number 0, version 10 of the protocol; an error has 255."""
    message = "the server's greeting is judged; nobody logs in, which MySQL counts as a failed connection of this host"
    findings.changed(chosen.place, "option mysql-check", message)
    return Method("tcp", chosen.place, {"expect": r"(?s)^...\x00\x0a", "encoding": "latin-1"})


def _postgres(chosen: Directive, _findings: Findings) -> Method:
    """A start-up message of protocol 3.0 with the user's name; `R` begins the server's request to authenticate."""
    user = chosen.word(3) if chosen.word(2) == "user" else ""
    body = b"\0\3\0\0user\0" + user.encode() + b"\0\0"
    message = (len(body) + 4).to_bytes(4, "big") + body
    return Method("tcp", chosen.place, {"send": to_send(message), "expect": r"^R\x00\x00", "encoding": "latin-1"})


def _ldap(chosen: Directive, _findings: Findings) -> Method:
    """An anonymous bind of LDAPv3 as message 1; the answer to it (0x61) with the result success (RFC 4511, 4.2)."""
    params = {
        "send-hex": "30 0c 02 01 01 60 07 02 01 03 04 00 80 00",
        "expect": r"(?s)^\x30.{1,5}\x02\x01\x01\x61.{1,5}\x0a\x01\x00",
        "encoding": "latin-1",
    }
    return Method("tcp", chosen.place, params)


def _only_connect(chosen: Directive, findings: Findings) -> Method:
    why = "maglevd runs no programs" if chosen.word(1) == "external-check" else "there is no such check"
    message = f"{why}: replaced by a connection, which only tells that the port takes it"
    findings.changed(chosen.place, f"option {chosen.word(1)}", message)
    return Method("tcp", chosen.place)


_KINDS: Mapping[str, Callable[[Directive, Findings], Method]] = {
    "ssl-hello-chk": _tls_hello,
    "smtpchk": _smtp,
    "redis-check": _redis,
    "mysql-check": _mysql,
    "pgsql-check": _postgres,
    "ldap-check": _ldap,
    "spop-check": _only_connect,
    "external-check": _only_connect,
}
