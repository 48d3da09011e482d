"""The rules for who may change things, and a remote caller on a real connection."""

from __future__ import annotations

import logging
import os
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
from maglev_grpc.tokens import Token
from plugins.maglev_grpc.tests.serving import running

TOKEN = "correct-horse-battery"
SECRETS = Secrets(tokens=(Token(TOKEN.encode()), Token(b"another-token-of-ours", "alice")))
ME = f"uid {os.getuid()}"
TLS = {"transport_security_type": [b"ssl"]}
CLEAR = {"transport_security_type": [b"insecure"]}
CERTIFICATE = {**TLS, "x509_subject": [b"CN=operator,O=example"]}
RELAY = "maglev-grpc/0123/"
REMOTE = f"unix-abstract:{RELAY}/203.0.113.9/50000/7"


def on_loopback(uid: int | str) -> str:
    return f"unix-abstract:{RELAY}{uid}/127.0.0.1/4000/7"


def on_socket(uid: int) -> str:
    return f"unix-abstract:{RELAY}{uid}/42/7"


def bearer(token: str) -> list[tuple[str, str | bytes]]:
    return [("user-agent", "x"), ("authorization", f"Bearer {token}")]


@pytest.mark.parametrize(
    "uri,peer",
    [
        (on_loopback(""), Peer("127.0.0.1:4000", loopback=True)),
        (f"unix-abstract:{RELAY}1000/127.9.9.9/4000/7", Peer("127.9.9.9:4000", loopback=True, uid=1000)),
        (f"unix-abstract:{RELAY}/::1/4000/7", Peer("[::1]:4000", loopback=True)),
        (REMOTE, Peer("203.0.113.9:50000")),
        (f"unix-abstract:{RELAY}/fe80::1%25eth0/4000/7", Peer("[fe80::1%eth0]:4000")),
        ("ipv4:127.0.0.1:4000", Peer("ipv4:127.0.0.1:4000")),
        ("unix:", Peer("unix:")),
        ("unix-abstract:somebody", Peer("unix-abstract:somebody")),
        (f"unix-abstract:{RELAY}1000/42/7", Peer("unix:uid=1000,pid=42", uid=1000)),
        ("unix-abstract:maglev-grpc/other/0/1/1", Peer("unix-abstract:maglev-grpc/other/0/1/1")),
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
        (on_loopback(0), CLEAR, [], "uid 0", "loopback"),
        (on_loopback(990), TLS, [], "uid 990", "loopback"),
        (on_loopback(1000), CLEAR, bearer(TOKEN), "token", "token"),
        (on_socket(1000), CLEAR, bearer("another-token-of-ours"), "alice", "token"),
        (f"unix-abstract:{RELAY}0/42/7", CLEAR, [], "uid 0", "unix socket"),
        (f"unix-abstract:{RELAY}990/42/7", CLEAR, [], "uid 990", "unix socket"),
        (REMOTE, CERTIFICATE, [], "CN=operator,O=example", "client certificate"),
        (REMOTE, TLS, bearer(TOKEN), "token", "token"),
        (REMOTE, TLS, bearer("another-token-of-ours"), "alice", "token"),
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
        (REMOTE, TLS, bearer("wrong" * 5), SECRETS, "the token is wrong"),
        (REMOTE, TLS, bearer(""), SECRETS, "the token is wrong"),
        (REMOTE, TLS, bearer(TOKEN + "x"), SECRETS, "the token is wrong"),
        (REMOTE, TLS, bearer("ütf-8"), SECRETS, "the token is wrong"),
        (REMOTE, TLS, [("authorization", f"Basic {TOKEN}")], SECRETS, "may only read"),
        (REMOTE, CLEAR, bearer(TOKEN), SECRETS, "a token needs TLS"),
        (on_loopback(1000), CLEAR, [], Secrets(), "root and maglevd's own user may make changes; you are uid 1000"),
        (on_loopback(1000), TLS, [], SECRETS, "own user may make changes, and clients with a token; you are uid 1000"),
        (on_loopback(1000), CLEAR, bearer(TOKEN + "x"), SECRETS, "the token is wrong"),
        (on_loopback(""), CLEAR, [], Secrets(), "the kernel does not report your user"),
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


@pytest.mark.parametrize("uid", [0, 990, 1000])
@pytest.mark.parametrize("where", [on_loopback, on_socket])
@pytest.mark.parametrize("local_writes", ["all", "same-user", "none"])
def test_local_users_may_change_things_as_the_option_says(local_writes: str, where: Any, uid: int) -> None:
    caller = Policy(990, local_writes=local_writes, relay=RELAY).decide(where(uid), CLEAR, [], Secrets())
    assert caller.may_change is (local_writes == "all" or (local_writes == "same-user" and uid != 1000))
    assert caller.may_change or local_writes == "same-user" or "local-writes is none" in caller.why


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
        ("PauseBackend", ME, "grpc"),
        ("PauseBackend", ME, "grpc"),
        ("SetFrontendPoolBackendWeight", ME, "grpc"),
        ("PauseBackend", ME, "grpc"),
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
