"""Reads the rules of `http-check` and `tcp-check`: what a check sends and what it expects."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence

import attrs

from maglev.migrate.findings import Findings, Place
from maglev.migrate.haproxy.sections import Directive
from maglev.migrate.reporting import Reasons, report

_VALUED = ("min-recv", "comment", "ok-status", "error-status", "tout-status", "on-success", "on-error", "status-code")
_DEPENDS = "it depends on what HAProxy knows at run time"
_OTHERS: Reasons = {
    "comment": ("not needed", "a failed probe says what came"),
    "disable-on-404": ("changed", "404 is a failure: the server gets no new flows and keeps the others"),
    "send-state": ("left out", "a probe does not tell the server's state"),
    "send-lf": ("left out", _DEPENDS),
    "send-binary-lf": ("left out", _DEPENDS),
    "set-var": ("left out", _DEPENDS),
}
_LONGEST_REGEX, _MOST_REPEATS = 60, 2
"""More could take Python's engine for ever, even on three characters."""


@attrs.frozen
class Connect:
    """A rule `connect`: where to.

    Args:
        port: As it stands; empty for that of the server.
        defaults: Whether what is not said comes from the server.
    """

    place: Place
    port: str = ""
    address: str = ""
    ssl: bool = False
    sni: str = ""
    defaults: bool = False


@attrs.frozen
class Send:
    """A rule `send` of a `tcp-check`."""

    place: Place
    data: bytes


@attrs.frozen
class Expect:
    """A rule `expect`.

    Args:
        match: How to look: `status`, `string`, `rstring`, …
        pattern: A status, a range, a text or a regular expression, as `match` says.
        negated: Whether it must not be there.
    """

    place: Place
    match: str
    pattern: str
    negated: bool


@attrs.define
class Request:
    """What an HTTP check sends."""

    method: str = "OPTIONS"
    path: str = "/"
    version: str = "HTTP/1.0"
    headers: dict[str, str] = attrs.field(factory=dict)


Rule = Connect | Send | Expect | Directive


def read_rules(directives: Sequence[Directive], findings: Findings) -> list[Rule]:
    """Read the rules of one kind in their order; a `send` of `http-check` stays a directive, to be read by `send`."""
    rules: list[Rule] = []
    for one in directives:
        match one.word(1):
            case "connect":
                rules.append(_connect(one, findings))
            case "expect":
                rules.append(_expect(one))
            case "send" if one.keyword == "http-check":
                rules.append(one)
            case "send" | "send-binary" as name:
                data = one.word(2).encode() if name == "send" else _bytes(one.word(2))
                if data is not None:
                    rules.append(Send(one.place, data))
                else:
                    findings.left_out(one.place, f"tcp-check {name}", "these are no hexadecimal digits")
            case name:
                report(name, one.place, _OTHERS, findings, f"{one.keyword} {name.partition('(')[0]}")
    return rules


def _bytes(digits: str) -> bytes | None:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


def _connect(one: Directive, findings: Findings) -> Connect:
    said: dict[str, str] = {}
    words = list(one.words[2:])
    while words:
        word = words.pop(0)
        said[word] = words.pop(0) if word in ("port", "addr", "sni", "alpn", "proto", "comment") and words else ""
    for name in ("send-proxy", "via-socks4", "alpn", "proto"):
        if name in said:
            findings.left_out(one.place, f"{one.keyword} connect {name}", "probes are plain TCP or TLS")
    return Connect(
        one.place,
        port=said.get("port", ""),
        address=said.get("addr", ""),
        ssl="ssl" in said,
        sni=said.get("sni", ""),
        defaults="default" in said,
    )


def _expect(one: Directive) -> Expect:
    words = list(one.words[2:])
    negated = False
    while words:
        word = words.pop(0)
        if word in _VALUED:
            del words[:1]
        elif word == "!":
            negated = True
        else:
            negated = negated or word.startswith("!")
            return Expect(one.place, word.removeprefix("!"), words[0] if words else "", negated)
    return Expect(one.place, "", "", negated)


def send(one: Directive, request: Request, findings: Findings) -> None:
    """Read an `http-check send` into a request."""
    words = iter(one.words[2:])
    for word in words:
        match word:
            case "meth":
                request.method = next(words, "")
            case "uri":
                request.path = next(words, "")
            case "ver":
                request.version = next(words, "")
            case "hdr":
                name, content = next(words, ""), next(words, "")
                if "%[" in content:
                    findings.left_out(one.place, f"http-check send hdr {name}", _DEPENDS)
                else:
                    request.headers[name] = content
            case "body" | "body-lf":
                next(words, "")
                findings.left_out(one.place, "http-check send body", "a request of a probe has no body")
            case "uri-lf":
                next(words, "")
                findings.left_out(one.place, "http-check send uri-lf", _DEPENDS)
            case _:
                next(words, "")  # a comment


def statuses(expect: Expect) -> str | None:
    """Write the statuses that a rule `status` or `rstatus` lets pass, as `response-code` has them.

    Returns:
        `None` if it lets none pass, or could not be read.
    """
    test = _status_test(expect.pattern) if expect.match == "status" else _regex_test(expect.pattern)
    if test is None:
        return None
    passing = [code for code in range(100, 600) if test(code) != expect.negated]
    return _ranges(passing) or None


def _status_test(pattern: str) -> Callable[[int], bool] | None:
    ranges: list[tuple[int, int]] = []
    for part in pattern.split(","):
        found = re.fullmatch(r"([0-9]{3})(?:-([0-9]{3}))?", part.strip(), re.ASCII)
        if not found:
            return None
        ranges.append((int(found[1]), int(found[2] or found[1])))
    return lambda code: any(first <= code <= last for first, last in ranges)


def _regex_test(pattern: str) -> Callable[[int], bool] | None:
    """Compile a pattern to try it on statuses, which have three characters."""
    if len(pattern) > _LONGEST_REGEX or pattern.count("{") > _MOST_REPEATS:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return None
    return lambda code: compiled.search(str(code)) is not None


def _ranges(codes: Sequence[int]) -> str:
    parts: list[list[int]] = []
    for code in codes:
        if parts and parts[-1][1] == code - 1:
            parts[-1][1] = code
        else:
            parts.append([code, code])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in parts)
