"""`http` and `https` against real servers on loopback, with every option of TLS."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trustme

from maglev.api import Code, ProbeResult, Target
from maglev.testing import probe_once
from maglev_http.checkers import HttpChecker, HttpsChecker
from maglev_http.options import HttpOptions, HttpsOptions

Serve = Callable[..., Any]
MakeTarget = Callable[..., Target]
MakeContext = Callable[..., ssl.SSLContext]


class Recorder:
    """Answers 200, and remembers what it was asked."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> None:
        self.requests: list[bytes] = []
        self.protocols: list[tuple[str | None, str | None]] = []
        self._answer = answer

    def __call__(self, connection: socket.socket) -> None:
        if isinstance(connection, ssl.SSLSocket):
            self.protocols.append((connection.version(), connection.selected_alpn_protocol()))
        self.requests.append(connection.recv(65_536))
        connection.sendall(self._answer)


def ask(
    serve: Serve, target: MakeTarget, options: HttpsOptions, context: ssl.SSLContext, handler: Any = None
) -> ProbeResult:
    server = serve(handler or Recorder(), context)
    return probe_once(HttpsChecker(options), target(server.port))


def test_http_over_ipv4_and_ipv6(serve: Serve, loopback_target: MakeTarget) -> None:
    for family, address, host in ((socket.AF_INET, "127.0.0.1", b"127.0.0.1"), (socket.AF_INET6, "::1", b"[::1]")):
        handler = Recorder()
        server = serve(handler, None, family)
        assert probe_once(HttpChecker(HttpOptions()), loopback_target(server.port, address)).code is Code.L7OK
        assert handler.requests[0].startswith(b"GET / HTTP/1.1\r\nHost: %b:%d\r\n" % (host, server.port))


def test_every_option_of_the_request_is_sent(serve: Serve, loopback_target: MakeTarget) -> None:
    handler = Recorder()
    options = HttpOptions(path="/x?y=z", host="a.example", method="OPTIONS", headers={"X-Probe": "maglev"})
    assert probe_once(HttpChecker(options), loopback_target(serve(handler).port)).ok
    (request,) = handler.requests
    assert request.startswith(b"OPTIONS /x?y=z HTTP/1.1\r\nHost: a.example\r\n")
    assert b"\r\nX-Probe: maglev\r\n" in request


@pytest.mark.parametrize("pattern,code", [("^ok$", Code.L7OK), ("^no$", Code.L7RSP)])
def test_the_body_is_judged(serve: Serve, loopback_target: MakeTarget, pattern: str, code: Code) -> None:
    checker = HttpChecker(HttpOptions(response_regexp=pattern))
    assert probe_once(checker, loopback_target(serve(Recorder()).port)).code is code


@pytest.mark.parametrize(
    "named,options,code",
    [
        ("a.example", HttpsOptions(host="a.example"), Code.L7OK),
        ("a.example", HttpsOptions(host="a.example:8443"), Code.L7OK),
        ("a.example", HttpsOptions(host="b.example"), Code.L6RSP),
        ("a.example", HttpsOptions(host="b.example", server_name="a.example"), Code.L7OK),
        ("127.0.0.1", HttpsOptions(), Code.L7OK),
        ("a.example", HttpsOptions(), Code.L6RSP),
    ],
    ids=["host", "host-with-port", "other-name", "server-name", "address", "no-name"],
)
def test_the_certificate_must_name_the_backend(
    serve: Serve,
    loopback_target: MakeTarget,
    server_context: MakeContext,
    ca_file: str,
    named: str,
    options: HttpsOptions,
    code: Code,
) -> None:
    options = attrs.evolve(options, ca_file=ca_file)
    assert ask(serve, loopback_target, options, server_context(named)).code is code


def test_sni_is_the_name_and_never_an_address(
    serve: Serve, loopback_target: MakeTarget, server_context: MakeContext
) -> None:
    seen: list[str | None] = []
    context = server_context("a.example")
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    for options in (HttpsOptions(host="a.example"), HttpsOptions(server_name="b.example"), HttpsOptions()):
        ask(serve, loopback_target, attrs.evolve(options, insecure_skip_verify=True), context)
    assert seen == ["a.example", "b.example", None]


def test_unknown_authority_is_a_failure_unless_told_not_to_look(
    serve: Serve, loopback_target: MakeTarget, server_context: MakeContext, ca_file: str
) -> None:
    context = server_context("a.example", authority=trustme.CA())
    strict = HttpsOptions(host="a.example", ca_file=ca_file)
    assert ask(serve, loopback_target, strict, context).code is Code.L6RSP
    assert ask(serve, loopback_target, HttpsOptions(host="a.example"), context).code is Code.L6RSP
    assert ask(serve, loopback_target, HttpsOptions(insecure_skip_verify=True), context).code is Code.L7OK


def test_expired_certificate_is_a_failure(
    serve: Serve, loopback_target: MakeTarget, authority: trustme.CA, ca_file: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    authority.issue_cert("a.example", not_after=yesterday).configure_cert(context)
    assert ask(serve, loopback_target, HttpsOptions(host="a.example", ca_file=ca_file), context).code is Code.L6RSP


def test_a_certificate_is_shown_to_a_backend_that_asks(
    serve: Serve, loopback_target: MakeTarget, server_context: MakeContext, authority: trustme.CA, tmp_path: Path
) -> None:
    context = server_context("a.example")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    issued = authority.issue_cert("probe.example")
    certificate, key, both = (str(tmp_path / name) for name in ("cert.pem", "key.pem", "both.pem"))
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    issued.private_key_and_cert_chain_pem.write_to_path(both)
    for shown in (HttpsOptions(certificate=certificate, key=key), HttpsOptions(certificate=both)):
        options = attrs.evolve(shown, insecure_skip_verify=True)
        assert ask(serve, loopback_target, options, context).code is Code.L7OK
    assert not ask(serve, loopback_target, HttpsOptions(insecure_skip_verify=True), context).ok


def test_old_versions_are_refused(serve: Serve, loopback_target: MakeTarget, server_context: MakeContext) -> None:
    context = server_context("a.example")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    old, new = (HttpsOptions(insecure_skip_verify=True, min_tls_version=v) for v in ("TLSv1.2", "TLSv1.3"))
    assert ask(serve, loopback_target, old, context).code is Code.L7OK
    assert ask(serve, loopback_target, new, context).code is Code.L6RSP


@pytest.mark.parametrize(
    "offered,chosen", [((), None), (("http/1.1",), "http/1.1"), (("http/1.0", "http/1.1"), "http/1.1")]
)
def test_alpn_is_offered(
    serve: Serve,
    loopback_target: MakeTarget,
    server_context: MakeContext,
    offered: tuple[str, ...],
    chosen: str | None,
) -> None:
    context = server_context("a.example")
    context.set_alpn_protocols(["h2", "http/1.1"])
    handler = Recorder()
    assert ask(serve, loopback_target, HttpsOptions(insecure_skip_verify=True, alpn=offered), context, handler).ok
    assert [protocol for _, protocol in handler.protocols] == [chosen]


def test_a_server_without_tls(serve: Serve, loopback_target: MakeTarget) -> None:
    server = serve(Recorder(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert probe_once(HttpsChecker(HttpsOptions()), loopback_target(server.port)).code is Code.L6RSP


@pytest.mark.parametrize("resume", [True, False])
def test_whether_sessions_are_resumed_is_told_to_the_engine(resume: bool, loopback_target: MakeTarget) -> None:
    tls = HttpsChecker(HttpsOptions(resume=resume)).tls(loopback_target(1))
    assert tls is not None
    assert tls.resume is resume


def test_the_context_is_built_once(loopback_target: MakeTarget) -> None:
    checker = HttpsChecker(HttpsOptions())
    first, second = checker.tls(loopback_target(1)), checker.tls(loopback_target(2))
    assert first is not None
    assert second is not None
    assert first.context is second.context
