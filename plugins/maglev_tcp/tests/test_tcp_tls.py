"""TLS with servers as old as one meets them: weak keys, few ciphers, old versions, and those that want a certificate.

The options are the same for every checker that speaks TLS.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from maglev.api import Code, ProbeResult, Target
from maglev.testing import probe_once
from maglev_tcp.checker import TcpChecker
from maglev_tcp.options import TcpOptions

TLS1_2, TLS1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
GROUP_OF_1024_BITS = """\
-----BEGIN DH PARAMETERS-----
MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR
Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL
/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC
-----END DH PARAMETERS-----
"""
"""The second Oakley group (RFC 2409, section 6.2)."""
Serve = Callable[[ssl.SSLContext], int]
Ask = Callable[..., ProbeResult]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Greets one client over TLS in a thread; returns the port."""
    with contextlib.ExitStack() as stack:

        def start(context: ssl.SSLContext) -> int:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            thread = threading.Thread(target=_greet, args=(listener, context))
            thread.start()
            stack.callback(thread.join)
            port: int = listener.getsockname()[1]
            return port

        yield start


def _greet(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):  # that the handshake fails is what is wanted
        connection.settimeout(20)  # only so that a failing test ends
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"hello\n")
            secure.recv(1)


@pytest.fixture
def ask(serve: Serve, loopback_target: Callable[..., Target], ca_file: str) -> Ask:
    """Probes a server of this context, with these options, and wants to be greeted."""

    def probe(context: ssl.SSLContext, **options: Any) -> ProbeResult:
        made = {"ssl": True, "expect": "^hello", "server_name": "a.example", "ca_file": ca_file, **options}
        return probe_once(TcpChecker.build(TcpOptions(**made)), loopback_target(serve(context)))

    return probe


@pytest.fixture
def old_server(authority: trustme.CA, tmp_path: Path) -> Callable[..., ssl.SSLContext]:
    """Makes contexts of servers that take what is no longer taken."""

    def make(ciphers: str = "DEFAULT", newest: ssl.TLSVersion = TLS1_2, *, small_dh: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns() if newest < TLS1_2 else contextlib.nullcontext():
            context.maximum_version = newest
        authority.issue_cert("a.example", key_type=trustme.KeyType.RSA).configure_cert(context)
        if small_dh:
            path = tmp_path / "dh.pem"
            path.write_text(GROUP_OF_1024_BITS)
            context.load_dh_params(str(path))
        return context

    return make


def test_a_small_diffie_hellman_group_needs_a_lower_level_and_the_failure_says_so(
    ask: Ask, old_server: Callable[..., ssl.SSLContext]
) -> None:
    server = old_server("DHE-RSA-AES128-GCM-SHA256", small_dh=True)
    refused = ask(server)

    assert refused.code is Code.L6RSP
    assert "dh key too small: set security-level: 1" in refused.detail
    assert ask(server, security_level=1).code is Code.L7OK


def test_an_old_cipher_needs_to_be_named_and_the_failure_says_so(
    ask: Ask, old_server: Callable[..., ssl.SSLContext]
) -> None:
    server = old_server("AES128-SHA")
    refused = ask(server)

    assert refused.code is Code.L6RSP
    assert "no cipher in common (set ciphers" in refused.detail
    assert ask(server, ciphers="AES128-SHA").code is Code.L7OK


@pytest.mark.parametrize("version", ["TLSv1.0", "TLSv1.1"])
def test_an_old_version_needs_to_be_named_and_the_failure_says_so(
    ask: Ask, old_server: Callable[..., ssl.SSLContext], version: str
) -> None:
    newest = ssl.TLSVersion.TLSv1 if version == "TLSv1.0" else ssl.TLSVersion.TLSv1_1
    server = old_server(newest=newest)
    refused = ask(server)

    assert refused.code is Code.L6RSP
    assert "set min-tls-version" in refused.detail
    assert ask(server, security_level=0, min_tls_version=version).code is Code.L7OK


def test_a_weak_key_in_a_certificate_needs_a_lower_level_and_the_failure_says_so(ask: Ask, tmp_path: Path) -> None:
    trusted, context = weak_certificate(tmp_path)
    refused = ask(context, ca_file=trusted)

    assert refused.code is Code.L6RSP
    assert refused.detail.endswith("key too weak: set security-level: 1")
    assert ask(context, ca_file=trusted, security_level=1).code is Code.L7OK


def weak_certificate(folder: Path) -> tuple[str, ssl.SSLContext]:
    """A certificate with an RSA key of 1024 bits, signed by itself, and a server that shows it."""
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, now - dt.timedelta(1), now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    shown, private = folder / "weak.pem", folder / "weak.key"
    shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(shown, private)
    return str(shown), context


@pytest.mark.parametrize("version", [TLS1_2, TLS1_3], ids=["1.2", "1.3"])
def test_a_server_that_wants_a_certificate_is_shown_one_and_without_it_the_failure_says_so(
    ask: Ask, authority: trustme.CA, ca_file: str, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("a.example").configure_cert(server)
    server.minimum_version = server.maximum_version = version
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(ca_file)
    client = authority.issue_cert("client.example")
    certificate, key, both = (str(tmp_path / name) for name in ("client.crt", "client.key", "client.pem"))
    client.cert_chain_pems[0].write_to_path(certificate)
    client.private_key_pem.write_to_path(key)
    client.private_key_and_cert_chain_pem.write_to_path(both)

    refused = ask(server)

    assert not refused.ok
    assert "certificate" in refused.detail
    for shown in ({"certificate": certificate, "key": key}, {"certificate": both}):
        assert ask(server, **shown).code is Code.L7OK


def test_what_speaks_no_tls_is_told_from_what_speaks_it_badly(loopback_target: Callable[..., Target]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"220 hello\r\n")
                connection.recv(100)

        thread = threading.Thread(target=greet)
        thread.start()
        checker = TcpChecker.build(TcpOptions(ssl=True, insecure_skip_verify=True))
        result = probe_once(checker, loopback_target(listener.getsockname()[1]))
        thread.join()

    assert result == ProbeResult(Code.L6RSP, "wrong version number: this is not TLS", result.duration_ns)
