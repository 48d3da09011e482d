"""TLS, certificates and tokens, as options of `maglevc`."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from plugins.maglev_cli.tests.site import Site, maglevc

TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, another one, a server's certificate, and tokens."""
    folder = tmp_path_factory.mktemp("keys")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other-ca.pem")
    server = authority.issue_cert("localhost")
    server.private_key_pem.write_to_path(folder / "key.pem")
    for blob in server.cert_chain_pems:
        blob.write_to_path(folder / "cert.pem", append=True)
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    expired: dict[str, Any] = {"not_before": long_ago, "not_after": long_ago + dt.timedelta(days=30)}
    for name, issuer, dates in (
        ("operator", authority, {}),
        ("expired", authority, expired),
        ("stranger", trustme.CA(), {}),
    ):
        leaf = issuer.issue_cert(f"{name}@example.org", common_name=name, **dates)
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
        leaf.cert_chain_pems[0].write_to_path(folder / f"{name}.crt")
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "wrong-token").write_text("another-token-altogether\n")
    return folder


@pytest.fixture(scope="module")
def secure_site(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = f"{{cert: {keys}/cert.pem, key: {keys}/key.pem, token-file: {keys}/token}}"
    site = Site(tmp_path_factory.mktemp("site"), options)
    try:
        site.start()
        yield site
    finally:
        site.close()


def may(site: Site, *options: str) -> str:
    done = site.run(*options, "show", "version")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("you may")]
    return line.removeprefix("you may").strip()


def test_the_server_is_checked_against_the_authority(secure_site: Site, keys: Path) -> None:
    assert may(secure_site, "--ca", f"{keys}/ca.pem") == "read and change: loopback"
    done = secure_site.run("--ca", f"{keys}/other-ca.pem", "show", "version")
    reason = "the server's certificate is not accepted: unable to get local issuer certificate"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{secure_site.server}: {reason}\n")
    other_name = maglevc("--server", f"127.0.0.1:{secure_site.port}", "--ca", f"{keys}/ca.pem", "show", "version")
    assert (other_name.returncode, other_name.stdout, other_name.stderr.count("\n")) == (1, "", 1)
    assert "the server's certificate is not accepted: IP address mismatch" in other_name.stderr


def test_the_token_is_sent_and_its_file_never_shown(secure_site: Site, keys: Path) -> None:
    assert may(secure_site, "--ca", f"{keys}/ca.pem", "--token-file", f"{keys}/token") == "read and change: token"
    assert "token" not in may(secure_site, "--ca", f"{keys}/ca.pem", "--token-file", f"{keys}/wrong-token")


def test_clear_text_to_a_server_that_speaks_tls_is_an_error(secure_site: Site) -> None:
    done = secure_site.run("show", "version")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{secure_site.server}: it speaks TLS, and was spoken to in clear text\n"


def test_tls_to_a_server_that_speaks_clear_text_is_an_error(shared_site: Site, keys: Path) -> None:
    done = shared_site.run("--ca", f"{keys}/ca.pem", "show", "version")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{shared_site.server}: it does not speak TLS\n"


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)], ids=["none", "http/1.1"])
def test_a_server_that_speaks_tls_but_not_http_2_is_no_maglevd(keys: Path, protocols: tuple[str, ...]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    if protocols:
        context.set_alpn_protocols(list(protocols))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(10_000)

        thread = threading.Thread(target=serve)
        thread.start()
        server = f"localhost:{listener.getsockname()[1]}"
        done = maglevc("--server", server, "--ca", f"{keys}/ca.pem", "show", "version")
        thread.join(30)
    told = f"{server}: the server there is not maglevd: it speaks TLS, but not HTTP/2\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)


def test_a_file_that_cannot_be_used_is_told_in_words(keys: Path) -> None:
    done = maglevc("--server", "localhost:1", "--ca", f"{keys}/token", "show", "version")
    assert (done.returncode, done.stderr) == (2, f"{keys}/token: contains no certificate\n")
    options = ("--ca", f"{keys}/ca.pem", "--cert", f"{keys}/operator.crt", "--key", f"{keys}/stranger.key")
    done = maglevc("--server", "localhost:1", *options, "show", "version")
    assert (done.returncode, done.stderr) == (2, f"{keys}/stranger.key is not the key of {keys}/operator.crt\n")


@pytest.fixture(scope="module")
def closed_site(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that lets nobody in without a certificate."""
    options = f"{{cert: {keys}/cert.pem, key: {keys}/key.pem, client-ca: {keys}/ca.pem}}"
    site = Site(tmp_path_factory.mktemp("site"), options)
    try:
        site.start()
        yield site
    finally:
        site.close()


def as_(keys: Path, name: str) -> tuple[str, ...]:
    return "--ca", f"{keys}/ca.pem", "--cert", f"{keys}/{name}.crt", "--key", f"{keys}/{name}.key"


@pytest.mark.parametrize(
    "name,reason",
    [
        ("expired", "the client certificate {keys}/expired.crt is not accepted: certificate has expired"),
        ("stranger", "the server hung up after the TLS handshake; most likely it does not accept {keys}/stranger.crt"),
        ("", "the server hung up after the TLS handshake; most likely it wants a client certificate"),
    ],
)
def test_a_certificate_that_is_not_accepted_changes_nothing_and_its_owner_learns_why(
    closed_site: Site, keys: Path, name: str, reason: str
) -> None:
    options = as_(keys, name) if name else ("--ca", f"{keys}/ca.pem")
    done = closed_site.run(*options, "set", "backend", "ams-1", "pause")
    told = f"{closed_site.server}: {reason.format(keys=keys)}\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
    seen = closed_site.run(*as_(keys, "operator"), "--output", "json", "show", "backend", "ams-1")
    assert seen.returncode == 0
    assert '"BACKEND_STATE_PAUSED"' not in seen.stdout


def test_errors_of_tls_are_one_line_for_who_watches_too(closed_site: Site, keys: Path) -> None:
    done = closed_site.run(*as_(keys, "expired"), "watch", "events", "num", "1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "certificate has expired" in done.stderr


def test_garbage_on_the_port_disturbs_neither_maglevd_nor_its_log(closed_site: Site, keys: Path) -> None:
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x00" * 5000, os.urandom(2000)):
        with socket.create_connection(("127.0.0.1", closed_site.port), 30) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):  # one way of hanging up
                while connection.recv(1000):
                    """Whatever it answers."""
    assert closed_site.run(*as_(keys, "operator"), "show", "backends").returncode == 0
    assert closed_site.log
    assert all(isinstance(json.loads(line), dict) for line in closed_site.log)
