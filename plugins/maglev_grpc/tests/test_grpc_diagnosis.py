"""A failed connection is explained in words that help, and one that TLS refuses changes nothing."""

from __future__ import annotations

import datetime as dt
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from maglev.api import BackendState, PauseBackend
from maglev_grpc.client import Disconnected, Security, Unavailable, connect
from maglev_grpc.client.diagnosis import diagnose, explained
from maglev_grpc.errors import ServerFault
from plugins.maglev_grpc.tests.serving import running

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
GOOD, EXPIRED, STRANGER, NONE = "good", "expired", "stranger", ""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, another one, and certificates of all kinds."""
    folder = tmp_path_factory.mktemp("keys")
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    other.cert_pem.write_to_path(str(folder / "other-ca.pem"))
    expired: dict[str, Any] = {"not_before": LONG_AGO, "not_after": LONG_AGO + dt.timedelta(days=30)}
    for name, issuer, host, dates in (
        ("localhost", authority, "localhost", {}),
        (GOOD, authority, "good@example.org", {}),
        (EXPIRED, authority, "expired@example.org", expired),
        (STRANGER, other, "stranger@example.org", {}),
    ):
        leaf = issuer.issue_cert(host, **dates)
        leaf.cert_chain_pems[0].write_to_path(str(folder / f"{name}.crt"))
        leaf.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    return folder


def pair(keys: Path, name: str) -> dict[str, Any]:
    """The options that name a certificate and its key."""
    return {"cert": keys / f"{name}.crt", "key": keys / f"{name}.key"} if name else {}


HUNG_UP = "the server hung up after the TLS handshake; most likely it "


@pytest.mark.parametrize(
    "name,reason",
    [
        (EXPIRED, "expired.crt is not accepted: certificate has expired"),
        (STRANGER, f"{HUNG_UP}does not accept "),
        (NONE, f"{HUNG_UP}wants a client certificate"),
    ],
)
async def test_a_certificate_that_is_not_accepted_is_told_to_its_owner_and_changes_nothing(
    keys: Path, name: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "maglev.audit")
    async with running(**pair(keys, "localhost"), client_ca=keys / "ca.pem") as served:
        async with served.client(Security(ca=keys / "ca.pem", **pair(keys, name))) as client:
            with pytest.raises(Unavailable) as caught:
                await client.command(PauseBackend("alpha"))
            assert str(caught.value).startswith(f"{served.target}: ")
            assert reason in str(caught.value)
            async with aclosing(client.watch()) as items:
                lost = await anext(items)
                assert isinstance(lost, Disconnected)
                assert reason in lost.why
        assert served.control.snapshot().backends["alpha"].state is BackendState.UP
    # As the documentation says: gRPC tells nobody of a handshake that failed.
    assert not [record for record in caplog.records if record.name == "maglev.audit"]


@pytest.mark.parametrize(
    "security,reason",
    [
        ({"ca": "other-ca.pem"}, "the server's certificate is not accepted: unable to get local issuer certificate"),
        ({"ca": "ca.pem", "server_name": "lb.example.org"}, "the server's certificate is not accepted: Hostname mism"),
        ({}, "it speaks TLS, and was spoken to in clear text"),
    ],
)
async def test_a_server_that_is_not_spoken_to_is_told_why(keys: Path, security: dict[str, Any], reason: str) -> None:
    if "ca" in security:
        security = {**security, "ca": keys / security["ca"]}
    async with running(**pair(keys, "localhost")) as served, served.client(Security(**security)) as client:
        with pytest.raises(Unavailable, match=f"{served.target}: {reason}"):
            await client.info()


async def test_tls_to_clear_text_is_told(keys: Path) -> None:
    async with running() as served, served.client(Security(ca=keys / "ca.pem")) as client:
        with pytest.raises(Unavailable, match=f"^{served.target}: it does not speak TLS$"):
            await client.info()


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that does something with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):  # whoever looks hangs up when it likes
                    connection.settimeout(30)
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"localhost:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def test_an_alert_is_told_as_what_it_says(keys: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(keys / "ca.pem"))
    context.load_cert_chain(keys / "localhost.crt", keys / "localhost.key")
    context.verify_mode = ssl.CERT_REQUIRED

    def answer(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True)

    with listening(answer) as target:
        for name, told in ((EXPIRED, "certificate expired"), (STRANGER, "unknown ca"), (NONE, "certificate required")):
            reason = diagnose(target, Security(ca=keys / "ca.pem", **pair(keys, name)))
            assert reason == f"the server refuses the connection: {told}"


def test_where_nothing_shows_nothing_is_told(keys: Path) -> None:
    secure = Security(ca=keys / "ca.pem")
    with listening(lambda connection: connection.recv(10_000)) as target:  # hangs up at once
        assert diagnose(target, Security()) == ""
        assert diagnose(target, secure) == ""
    assert diagnose(target, secure) == ""  # nobody there any more
    assert diagnose("unix:/run/x.sock", Security()) == ""
    assert diagnose("localhost:1", Security(ca=keys / "missing.pem")) == ""


@pytest.mark.parametrize(
    "files,told",
    [
        ({"ca": "text"}, "text: contains no certificate"),
        ({"ca": "empty"}, "empty: contains no certificate"),
        ({"ca": "good.key"}, "good.key: contains no certificate"),
        ({"ca": "."}, ": Is a directory"),
        ({"ca": "missing"}, "missing: No such file or directory"),
        ({"cert": "text", "key": "good.key"}, "text: contains no certificate"),
        ({"cert": "good.key", "key": "good.crt"}, "good.key: contains no certificate"),
        ({"cert": "good.crt", "key": "text"}, "text: contains no private key"),
        ({"cert": "good.crt", "key": "missing"}, "missing: No such file or directory"),
        ({"cert": "good.crt", "key": "stranger.key"}, "stranger.key is not the key of {keys}/good.crt"),
        (
            {"cert": "good.crt", "key": "locked.key"},
            "locked.key: the key is encrypted; use one without a",
        ),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_before_anything_is_sent(
    keys: Path, files: dict[str, str], told: str
) -> None:
    await anyio.to_thread.run_sync(_unusable_files, keys)
    options: dict[str, Any] = {name: keys / file for name, file in files.items()}
    with pytest.raises(ValueError, match=re.escape(told.format(keys=keys))):
        async with connect("localhost:1", Security(**options)):
            pass


def _unusable_files(keys: Path) -> None:
    (keys / "text").write_text("no PEM\n")
    (keys / "empty").write_text("")
    key = load_pem_private_key((keys / "good.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (keys / "locked.key").write_bytes(locked)


async def test_a_host_that_does_not_exist_is_told() -> None:
    async with connect("nowhere.invalid:1") as client:
        with pytest.raises(Unavailable, match=r"^nowhere.invalid:1: there is no address for nowhere.invalid: [^:\]]+$"):
            await client.info()


NOBODY = "Failed to connect to remote host: Connection refused"
NO_HTTP2 = "Failed parsing HTTP/2 (Expected SETTINGS frame as the first frame, got frame type 45)"
NO_ALPN = "Cannot check peer: missing selected ALPN property."
PREAMBLE = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "


@pytest.mark.parametrize(
    "said,told",
    [
        (f"lb:1: {PREAMBLE}{NOBODY}", f"lb:1: {NOBODY}"),
        (f"lb:1: {PREAMBLE}{NO_HTTP2}", f"lb:1: the server there is not maglevd: {NO_HTTP2}"),
        (f"lb:1: {PREAMBLE}{NO_ALPN}", "lb:1: the server there is not maglevd: it speaks TLS, but not HTTP/2"),
        ("maglevd is shutting down", "maglevd is shutting down"),
    ],
)
async def test_what_grpc_says_well_enough_is_only_shortened(said: str, told: str) -> None:
    assert str(await explained(Unavailable(said), "lb:1", Security())) == told


async def test_other_errors_are_left_alone() -> None:
    fault = ServerFault("lb:1: Socket closed")
    assert await explained(fault, "lb:1", Security()) is fault
