"""TLS, client certificates and tokens, with certificates made for the test."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import attrs
import pytest
import trustme

from maglev.api import PauseBackend
from maglev_grpc.client import ClientError, PermissionDenied, Security, Unavailable
from maglev_grpc.server import GrpcOptions, access
from maglev_grpc.server.access import Peer
from maglev_grpc.server.secrets import read_secrets
from maglev_grpc.tokens import Token
from plugins.maglev_grpc.tests.serving import Served, running

TOKEN = "correct-horse-battery-staple"
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@attrs.frozen
class Certificates:
    """Files of one authority, and of one that nobody trusts."""

    folder: Path
    authority: trustme.CA
    stranger: trustme.CA

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    async def issue(self, name: str, authority: trustme.CA | None = None, **details: Any) -> dict[str, Any]:
        """A certificate and its key, in files."""
        return await anyio.to_thread.run_sync(lambda: self.issue_now(name, authority, **details))

    def issue_now(self, name: str, authority: trustme.CA | None = None, **details: Any) -> dict[str, Any]:
        leaf = (authority or self.authority).issue_cert(name, common_name=name, **details)
        cert, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        leaf.cert_chain_pems[0].write_to_path(str(cert))
        leaf.private_key_pem.write_to_path(str(key))
        return {"cert": cert, "key": key}


@pytest.fixture
def certs(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path, trustme.CA(), trustme.CA())
    made.authority.cert_pem.write_to_path(str(made.ca))
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return made


@pytest.fixture(autouse=True)
def _from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here is let in for being on loopback."""
    monkeypatch.setattr(access, "read_peer", lambda *_: Peer("203.0.113.9:50000"))


@asynccontextmanager
async def refused(served: Served, security: Security | None) -> AsyncIterator[None]:
    async with served.client(security) as client:
        with pytest.raises(Unavailable):
            await client.info()
        yield


async def test_over_tls_everybody_reads_and_the_token_changes(certs: Certificates) -> None:
    server = await certs.issue("localhost")
    token = certs.folder / "token"
    async with running(**server, token_file=token) as served:
        async with served.client(Security(ca=certs.ca)) as client:
            assert len(await client.backends()) == 3
            with pytest.raises(PermissionDenied, match="needs a token"):
                await client.command(PauseBackend("alpha"))
        async with served.client(Security(ca=certs.ca, token_file=token)) as client:
            assert (await client.info()).may_change_why == "token"
            assert (await client.command(PauseBackend("alpha"))).changed


async def test_a_wrong_token_reads_but_changes_nothing(certs: Certificates) -> None:
    wrong = certs.folder / "wrong"
    await anyio.Path(wrong).write_text("correct-horse-battery-stable")
    async with running(**await certs.issue("localhost"), token_file=certs.folder / "token") as served:
        async with served.client(Security(ca=certs.ca, token_file=wrong)) as client:
            assert len(await client.backends()) == 3
            with pytest.raises(PermissionDenied, match="the token is wrong"):
                await client.command(PauseBackend("alpha"))
        assert served.control.snapshot().backends["alpha"].state == "up"


async def test_tls_and_clear_text_do_not_mix(certs: Certificates) -> None:
    async with running(**await certs.issue("localhost")) as served, refused(served, None):
        pass
    async with running() as served, refused(served, Security(ca=certs.ca)):
        pass


async def test_a_server_that_the_authority_does_not_know_is_not_spoken_to(certs: Certificates) -> None:
    strange = await certs.issue("localhost", certs.stranger)
    async with running(**strange) as served, refused(served, Security(ca=certs.ca)):
        pass


async def test_the_name_in_the_servers_certificate_counts(certs: Certificates) -> None:
    async with running(**await certs.issue("lb.example.org")) as served:
        async with refused(served, Security(ca=certs.ca)):
            pass
        async with served.client(Security(ca=certs.ca, server_name="lb.example.org")) as client:
            assert (await client.info()).version


async def test_a_client_certificate_changes_things_and_names_its_owner(
    certs: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "maglev.audit")
    async with running(**await certs.issue("localhost"), client_ca=certs.ca) as served:
        owner = Security(ca=certs.ca, **await certs.issue("operator@example.org"))
        async with served.client(owner) as client:
            assert (await client.command(PauseBackend("alpha"))).changed
    (record,) = [record for record in caplog.records if record.name == "maglev.audit"]
    assert "CN=operator@example.org" in getattr(record, "maglev_fields", {})["who"]


async def test_with_an_authority_for_clients_nobody_enters_without_a_certificate(certs: Certificates) -> None:
    async with running(**await certs.issue("localhost"), client_ca=certs.ca) as served:
        async with refused(served, Security(ca=certs.ca)):
            pass
        async with refused(
            served,
            Security(ca=certs.ca, **await certs.issue("mallory@example.org", certs.stranger)),
        ):
            pass


async def test_an_expired_client_certificate_is_refused(certs: Certificates) -> None:
    old = await certs.issue("gone@example.org", not_before=LONG_AGO, not_after=LONG_AGO + dt.timedelta(days=30))
    async with running(**await certs.issue("localhost"), client_ca=certs.ca) as served:
        async with refused(served, Security(ca=certs.ca, **old)):
            pass
        async with served.client(Security(ca=certs.ca, **await certs.issue("here@example.org"))) as client:
            assert (await client.info()).version


async def test_certificates_and_tokens_are_read_again_on_reload(certs: Certificates) -> None:
    token = certs.folder / "token"
    async with running(**await certs.issue("localhost"), token_file=token) as served:
        async with served.client(Security(ca=certs.ca, token_file=token)) as client:
            assert (await client.info()).may_change
            await certs.issue("localhost", certs.stranger)
            await anyio.Path(token).write_text("a-new-token-for-everybody")
            await served.exporter.reload(served.exporter.options)
            assert not (await client.info()).may_change  # the connection stays, its token is the old one
        async with refused(served, Security(ca=certs.ca)):
            pass
        strange = certs.folder / "strange.pem"
        await anyio.Path(strange).write_bytes(certs.stranger.cert_pem.bytes())
        async with served.client(Security(ca=strange, token_file=token)) as client:
            assert (await client.info()).may_change


async def test_a_reload_that_cannot_be_used_leaves_everything_as_it_was(certs: Certificates) -> None:
    server = await certs.issue("localhost")
    async with running(**server) as served:
        before = served.exporter.options
        await anyio.Path(server["key"]).write_text("no key at all")
        with pytest.raises(ValueError, match="are not a certificate and its key"):
            await served.exporter.reload(before)
        with pytest.raises(ValueError, match="a change from tls to clear needs a restart"):
            await served.exporter.reload(attrs.evolve(before, cert=None, key=None))
        assert served.exporter.options is before
        async with served.client(Security(ca=certs.ca)) as client:
            assert (await client.info()).version


def test_files_that_cannot_be_used_are_named(certs: Certificates) -> None:
    server, other = certs.issue_now("localhost"), certs.issue_now("other")
    missing, empty, short = (
        certs.folder / "missing",
        certs.folder / "empty",
        certs.folder / "short",
    )
    empty.write_text("\n \n")
    short.write_text("secret\n")
    for options, complaint in (
        (GrpcOptions(cert=server["cert"], key=other["key"]), "are not a certificate and its key"),
        (GrpcOptions(cert=missing, key=server["key"]), "missing: No such file"),
        (GrpcOptions(**server, client_ca=missing), "missing: No such file"),
        (GrpcOptions(**server, client_ca=empty), "empty holds no certificates"),
        (GrpcOptions(**server, token_file=empty), "empty: contains no token"),
        (GrpcOptions(**server, token_file=short), "short:1: a token has 16 characters or more"),
    ):
        with pytest.raises(ValueError, match=complaint):
            read_secrets(options)


def test_secrets_do_not_show() -> None:
    options = GrpcOptions()
    shown = repr(attrs.evolve(read_secrets(options), tokens=(Token(TOKEN.encode()),), key=b"PRIVATE"))
    assert TOKEN not in shown
    assert "PRIVATE" not in shown


async def test_what_cannot_be_read_on_the_clients_side_is_named(certs: Certificates) -> None:
    async with running(**await certs.issue("localhost")) as served:
        for security, complaint in (
            (Security(ca=certs.folder / "missing"), "missing: No such file"),
            (Security(ca=certs.ca, token_file=certs.folder / "missing"), "missing: No such file"),
        ):
            with pytest.raises(ValueError, match=complaint):
                async with served.client(security):
                    pass
    with pytest.raises(ValueError, match="or neither"):
        Security(cert=certs.ca)
    assert issubclass(Unavailable, ClientError)
