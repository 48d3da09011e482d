"""TLS, certificates and tokens, as options of `maglevc`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from plugins.maglev_cli.tests.world import Site

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
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{secure_site.server}: ")
    assert done.stderr.count("\n") == 1


def test_the_token_is_sent_and_its_file_never_shown(secure_site: Site, keys: Path) -> None:
    assert may(secure_site, "--ca", f"{keys}/ca.pem", "--token-file", f"{keys}/token") == "read and change: token"
    assert "token" not in may(secure_site, "--ca", f"{keys}/ca.pem", "--token-file", f"{keys}/wrong-token")


def test_clear_text_to_a_server_that_speaks_tls_is_an_error(secure_site: Site) -> None:
    done = secure_site.run("show", "version")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
