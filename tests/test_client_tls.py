"""The options for TLS, and the contexts that equal ones share."""

from __future__ import annotations

import gc
import os
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
import trustme

from maglev.client_tls import client_context, contexts_in_use
from maglev.tls_options import TlsOptions, given_options


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def shown(authority: trustme.CA, tmp_path: Path) -> Path:
    """A certificate to show, with its key in the same file."""
    path = tmp_path / "client.pem"
    authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def test_equal_options_share_one_context() -> None:
    context = client_context(TlsOptions())

    assert client_context(TlsOptions()) is context
    assert client_context(TlsOptions(resume=False, cert_expiry=timedelta(days=14))) is context


@pytest.mark.parametrize(
    "other",
    [
        {"insecure_skip_verify": True},
        {"ciphers": "DEFAULT"},
        {"security_level": 1},
        {"min_tls_version": "TLSv1.3"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_options_that_make_another_context_share_none(other: dict[str, Any]) -> None:
    context = client_context(TlsOptions())

    assert client_context(attrs.evolve(TlsOptions(), **other)) is not context


def test_protocols_make_another_context() -> None:
    context = client_context(TlsOptions(), ("http/1.1",))

    assert client_context(TlsOptions()) is not context
    assert client_context(TlsOptions(), ("h2", "http/1.1")) is not context


def test_equal_contents_of_two_files_share_one_context(ca_file: Path, shown: Path, tmp_path: Path) -> None:
    options = TlsOptions(ca_file=str(ca_file), certificate=str(shown))
    copies: dict[str, Path] = {"ca_file": tmp_path / "ca2.pem", "certificate": tmp_path / "client2.pem"}
    for name, copy in copies.items():
        copy.write_bytes(Path(getattr(options, name)).read_bytes())

    context = client_context(options)
    paths: dict[str, Any] = {name: str(copy) for name, copy in copies.items()}

    assert client_context(TlsOptions(**paths)) is context


@pytest.mark.parametrize("name", ["ca_file", "certificate", "key"])
def test_a_replaced_file_makes_another_context(
    authority: trustme.CA, ca_file: Path, shown: Path, tmp_path: Path, name: str
) -> None:
    key = tmp_path / "client.key"
    key.write_bytes(shown.read_bytes())
    files = {"ca_file": ca_file, "certificate": shown, "key": key}
    paths: dict[str, Any] = {what: str(path) for what, path in files.items()}
    options = TlsOptions(**paths)
    context = client_context(options)

    files[name].write_bytes(files[name].read_bytes().replace(b"-----\n", b"----- \n", 1))

    assert client_context(options) is not context


def test_another_store_of_the_system_makes_another_context(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, new = tmp_path / "system.pem", tmp_path / "new.pem"
    authority.cert_pem.write_to_path(str(store))
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nowhere"))
    context = client_context(TlsOptions())
    assert len(context.get_ca_certs()) == 1

    new.write_bytes(store.read_bytes() + trustme.CA().cert_pem.bytes())
    new.replace(store)

    assert len(client_context(TlsOptions()).get_ca_certs()) == 2


def test_a_context_goes_with_its_last_holder() -> None:
    gc.collect()
    before = contexts_in_use()
    holders = [client_context(TlsOptions(ciphers="AES128-SHA")) for _ in range(3)]
    assert contexts_in_use() == before + 1

    holders.clear()

    assert contexts_in_use() == before


def test_a_file_that_changes_while_it_is_read_is_not_shared(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = TlsOptions(ca_file=str(ca_file))
    load = ssl.SSLContext.load_verify_locations

    def load_and_replace(context: ssl.SSLContext, file: str) -> None:
        load(context, file)
        ca_file.write_bytes(ca_file.read_bytes() + b"\n")

    with monkeypatch.context() as patched:
        patched.setattr(ssl.SSLContext, "load_verify_locations", load_and_replace)
        context = client_context(options)

    assert client_context(options) is not context


@pytest.mark.parametrize(
    "wrong,message",
    [
        ({"ciphers": "NO-SUCH"}, "knows none of them"),
        ({"ciphers": "DEFAULT:@seclevel=1"}, "set the option security-level"),
        ({"security_level": 6}, "wanted 0 to 5"),
        ({"min_tls_version": "TLSv1.1"}, "needs security-level: 0"),
        ({"min_tls_version": "TLSv1.0", "security_level": 1}, "needs security-level: 0"),
        ({"key": "x.pem"}, "key without certificate"),
        ({"cert_expiry": "2 weeks"}, "not a duration"),
    ],
)
def test_options_that_cannot_be_used_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attrs.evolve(TlsOptions(), **wrong)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for wrong in TlsOptions(ca_file=str(fifo)), TlsOptions(certificate=str(fifo)), TlsOptions(ca_file=str(tmp_path)):
        with pytest.raises(ValueError, match=r"not a regular file|Is a directory"):
            client_context(wrong)


def test_the_level_alone_leaves_the_ciphers_as_they_are() -> None:
    def offered(options: TlsOptions) -> list[str]:
        return [cipher["name"] for cipher in client_context(options).get_ciphers()]

    assert offered(TlsOptions(security_level=1)) == offered(TlsOptions())


def test_options_that_are_given_are_told() -> None:
    assert given_options(TlsOptions()) == ()
    assert given_options(TlsOptions(ca_file="x", security_level=1)) == ("ca-file", "security-level")
