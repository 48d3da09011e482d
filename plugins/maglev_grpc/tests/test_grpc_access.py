"""Who may change things: the rules themselves, and a remote caller on a real connection."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.api import (
    CommandError,
    DisableBackend,
    EnableBackend,
    PauseBackend,
    ReloadConfig,
    SetFrontendPoolBackendWeight,
    SyncDataplane,
)
from maglev_grpc.client import PermissionDenied, Security, Unavailable
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server import access
from maglev_grpc.server.access import Peer, Policy, read_peer
from maglev_grpc.server.secrets import Secrets
from plugins.maglev_grpc.tests.serving import running

TOKEN = "correct-horse-battery"
SECRETS = Secrets(tokens=(TOKEN.encode(), b"another-token-of-ours"))
TLS = {"transport_security_type": [b"ssl"]}
CLEAR = {"transport_security_type": [b"insecure"]}
CERTIFICATE = {**TLS, "x509_subject": [b"CN=operator,O=example"]}
RELAY = "maglev-grpc/0123/"
REMOTE = "ipv4:203.0.113.9:50000"


def bearer(token: str) -> list[tuple[str, str | bytes]]:
    return [("user-agent", "x"), ("authorization", f"Bearer {token}")]


@pytest.mark.parametrize(
    "uri,peer",
    [
        ("ipv4:127.0.0.1:4000", Peer("127.0.0.1:4000", loopback=True)),
        ("ipv4:127.9.9.9:4000", Peer("127.9.9.9:4000", loopback=True)),
        ("ipv6:%5B::1%5D:4000", Peer("[::1]:4000", loopback=True)),
        ("ipv6:[::ffff:127.0.0.1]:4000", Peer("[::ffff:127.0.0.1]:4000", loopback=True)),
        ("ipv6:[::ffff:192.0.2.1]:4000", Peer("[::ffff:192.0.2.1]:4000")),
        ("ipv4:192.0.2.1:4000", Peer("192.0.2.1:4000")),
        ("ipv6:%5Bfe80::1%25eth0%5D:4000", Peer("[fe80::1%eth0]:4000")),
        ("unix:", Peer("unix:")),
        ("unix-abstract:somebody", Peer("unix-abstract:somebody")),
        (f"unix-abstract:{RELAY}1000/42/7", Peer("unix:uid=1000,pid=42", uid=1000)),
        ("unix-abstract:maglev-grpc/other/0/1/1", Peer("unix-abstract:maglev-grpc/other/0/1/1")),
        ("ipv4:rubbish", Peer("rubbish")),
        ("", Peer("")),
    ],
)
def test_what_grpc_says_of_a_peer_is_understood(uri: str, peer: Peer) -> None:
    assert read_peer(uri, RELAY) == peer


@given(st.sampled_from(["", "ipv4:", "ipv6:", "unix:", "unix-abstract:"]), st.text())
def test_no_peer_is_too_strange_and_none_of_these_is_ours(scheme: str, rest: str) -> None:
    assert read_peer(scheme + rest, RELAY).uid is None


@pytest.mark.parametrize(
    "uri,context,metadata,who,why",
    [
        ("ipv4:127.0.0.1:4000", CLEAR, [], "local", "loopback"),
        (f"unix-abstract:{RELAY}0/42/7", CLEAR, [], "uid 0", "unix socket"),
        (f"unix-abstract:{RELAY}990/42/7", CLEAR, [], "uid 990", "unix socket"),
        (REMOTE, CERTIFICATE, [], "CN=operator,O=example", "client certificate"),
        (REMOTE, TLS, bearer(TOKEN), "token", "token"),
        (REMOTE, TLS, bearer("another-token-of-ours"), "token", "token"),
        (REMOTE, TLS, [("authorization", f"bearer  {TOKEN} ")], "token", "token"),
    ],
)
def test_these_may_change_things(uri: str, context: Any, metadata: Any, who: str, why: str) -> None:
    caller = Policy(990, relay=RELAY).decide(uri, context, metadata, SECRETS)
    assert (caller.may_change, caller.name, caller.why) == (True, who, why)


@pytest.mark.parametrize(
    "uri,context,metadata,secrets,why",
    [
        (REMOTE, CLEAR, [], Secrets(), "203.0.113.9:50000 may only read: changing things needs a connection from"),
        (REMOTE, TLS, [], SECRETS, "may only read: changing things needs a token"),
        (REMOTE, TLS, bearer("wrong" * 5), SECRETS, "the token is not the right one"),
        (REMOTE, TLS, bearer(""), SECRETS, "the token is not the right one"),
        (REMOTE, TLS, bearer(TOKEN + "x"), SECRETS, "the token is not the right one"),
        (REMOTE, TLS, bearer("ütf-8"), SECRETS, "the token is not the right one"),
        (REMOTE, TLS, [("authorization", f"Basic {TOKEN}")], SECRETS, "may only read"),
        (REMOTE, CLEAR, bearer(TOKEN), SECRETS, "a token counts over TLS only"),
        (REMOTE, {**CLEAR, "x509_subject": [b"CN=made-up"]}, [], SECRETS, "may only read"),
        (f"unix-abstract:{RELAY}1000/42/7", CLEAR, [], Secrets(), "you are uid 1000"),
        ("unix-abstract:maglev-grpc/other/0/42/7", CLEAR, [], Secrets(), "may only read"),
        ("unix:", CLEAR, [], Secrets(), "may only read"),
    ],
)
def test_these_may_only_read(uri: str, context: Any, metadata: Any, secrets: Secrets, why: str) -> None:
    caller = Policy(990, relay=RELAY).decide(uri, context, metadata, secrets)
    assert not caller.may_change
    assert why in caller.why


def test_everybody_may_change_things_if_the_options_say_so() -> None:
    caller = Policy(990, allow_remote_writes=True).decide(REMOTE, CLEAR, [], Secrets())
    assert (caller.may_change, caller.name, caller.why) == (True, "anonymous", "allow-remote-writes")


@pytest.fixture
def from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """All callers come from another host."""
    monkeypatch.setattr(access, "read_peer", lambda *_: Peer("203.0.113.9:50000"))


@pytest.mark.usefixtures("from_elsewhere")
async def test_a_caller_from_elsewhere_reads_everything_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "maglev.audit")
    async with running() as served, served.client() as client:
        before = served.control.snapshot()
        info = await client.info()
        assert (info.may_change, len(await client.backends())) == (False, 3)
        assert (await client.preview(DisableBackend("alpha"))).frontends
        for command in (
            PauseBackend("alpha"),
            EnableBackend("nobody"),
            SetFrontendPoolBackendWeight("web", "primary", "alpha", 101),
            SyncDataplane(recreate=True, prune=True),
            ReloadConfig(force=True),
        ):
            with pytest.raises(PermissionDenied, match=r"203\.0\.113\.9:50000 may only read"):
                await client.command(command)
        assert served.control.snapshot().backends == before.backends
    records = [getattr(record, "maglev_fields", {}) for record in caplog.records if record.name == "maglev.audit"]
    assert [record["command"] for record in records] == [
        "PauseBackend",
        "EnableBackend",
        "SetFrontendPoolBackendWeight",
        "SyncDataplane",
        "ReloadConfig",
    ]
    assert records[0].pop("why") in records[0]["refused"]
    assert records[0] == {
        "command": "PauseBackend",
        "arg_backend": "alpha",
        "who": "anonymous",
        "via": "grpc",
        "peer": "203.0.113.9:50000",
        "outcome": "refused",
        "refused": "PauseBackend: 203.0.113.9:50000 may only read: "
        "changing things needs a connection from the host itself",
    }


@pytest.mark.usefixtures("from_elsewhere")
async def test_remote_writes_can_be_allowed_and_forbidden_while_serving() -> None:
    async with running(allow_remote_writes=True) as served, served.client() as client:
        assert (await client.command(PauseBackend("alpha"))).changed
        await served.exporter.reload(type(served.exporter.options)(addr="localhost:0"))
        with pytest.raises(PermissionDenied):
            await client.command(PauseBackend("beta"))


async def test_what_was_done_is_in_the_audit_record_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "maglev.audit")
    async with running() as served, served.client() as client:
        await client.command(PauseBackend("alpha"))
        for command in (PauseBackend("nobody"), SetFrontendPoolBackendWeight("web", "primary", "alpha", 101)):
            with pytest.raises(CommandError):
                await client.command(command)
        with pytest.raises(CommandError):
            await client.call("PauseBackend", pb.PauseBackendRequest(backend="x" * 300))
    records = [getattr(record, "maglev_fields", {}) for record in caplog.records if record.name == "maglev.audit"]
    assert [(record["command"], record["who"], record["via"]) for record in records] == [
        ("PauseBackend", "local", "grpc"),
        ("PauseBackend", "local", "grpc"),
        ("SetFrontendPoolBackendWeight", "local", "grpc"),
        ("PauseBackend", "local", "grpc"),
    ]
    assert [("refused" in record) for record in records] == [False, True, True, True]
    assert [record["outcome"] for record in records] == ["changed", "refused", "refused", "refused"]
    assert {record["why"] for record in records} == {"loopback"}
    assert all(record["peer"].startswith(("127.0.0.1:", "[::1]:")) for record in records)
    assert len(records[3]["arg_backend"]) == 256


async def test_a_token_is_not_sent_in_clear_text(tmp_path: Path) -> None:
    await anyio.Path(tmp_path / "token").write_text(TOKEN)
    async with running() as served, served.client(Security(token_file=tmp_path / "token")) as client:
        with pytest.raises(Unavailable, match="localhost"):
            await client.info()
