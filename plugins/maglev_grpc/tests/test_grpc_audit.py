"""Every attempt to change something leaves one record: who, what, and what came of it, also if nobody could read it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import grpc
import grpc.aio
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.api import BackendState, PauseBackend
from maglev_grpc.client import PermissionDenied, ResourceExhausted, Security
from maglev_grpc.convert import COMMANDS
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_grpc.server import access
from maglev_grpc.server.access import Caller, Peer
from maglev_grpc.server.audit import TOKENS_EVERY_S, Audit
from plugins.maglev_grpc.tests.serving import Served, running, until
from plugins.maglev_grpc.tests.test_grpc_abuse import raw_call, run_examples

TOKEN = "correct-horse-battery-staple"
Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Records:
    """The audit record so far."""
    caplog.set_level(logging.INFO, "maglev.audit")
    return lambda: [getattr(record, "maglev_fields", {}) for record in caplog.records if record.name == "maglev.audit"]


def nothing_changed(served: Served) -> bool:
    states = {backend.state for backend in served.control.snapshot().backends.values()}
    return states == {BackendState.UP}


@pytest.mark.parametrize("method", COMMANDS)
async def test_a_change_that_nobody_can_read_is_an_invalid_argument_and_recorded(method: str, records: Records) -> None:
    async with running() as served:
        assert await raw_call(served, method, b"\xff\xff\xff\xff") is grpc.StatusCode.INVALID_ARGUMENT
        assert nothing_changed(served)
    (record,) = records()
    assert record.pop("peer").startswith(("127.0.0.1:", "[::1]:"))
    assert record == {
        "command": COMMANDS[method].__name__,
        "who": f"uid {os.getuid()}",
        "via": "grpc",
        "why": "loopback",
        "outcome": "refused",
        "refused": f"this is not a {method}Request",
    }


async def test_a_change_that_is_too_large_is_refused_and_recorded(records: Records) -> None:
    async with running() as served, served.client() as client:
        with pytest.raises(ResourceExhausted, match="larger than max"):
            await client.call("PauseBackend", pb.PauseBackendRequest(backend="x" * 2_000_000))
        assert nothing_changed(served)
        await until(records, "it is recorded")
    (record,) = records()
    assert (record["command"], record["who"]) == ("PauseBackend", f"uid {os.getuid()}")
    assert "larger than 1048576 bytes" in record["refused"]
    assert "arg_backend" not in record


async def test_a_change_without_a_request_is_recorded_whether_it_ends_well_or_breaks_off(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def read_peer(uri: str, relay: str = "") -> Peer:
        begun.append(uri)
        return Peer("here:1", loopback=True)

    monkeypatch.setattr(access, "read_peer", read_peer)
    async with running() as served, grpc.aio.insecure_channel(served.target) as opened:
        channel: Any = opened
        empty = channel.stream_unary("/maglev.v1.Maglev/DisableBackend")(timeout=20)
        await empty.done_writing()
        with pytest.raises(grpc.aio.AioRpcError, match="no whole request came") as caught:
            await empty
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        broken = channel.stream_unary("/maglev.v1.Maglev/DisableBackend")(timeout=20)
        await until(lambda: len(begun) == 2, "the call has begun")
        broken.cancel()
        await until(lambda: len(records()) == 2, "both are recorded")
        assert nothing_changed(served)
    assert [record["command"] for record in records()] == ["DisableBackend"] * 2
    assert all("no whole request came" in record["refused"] for record in records())


@pytest.mark.parametrize("method", COMMANDS)
async def test_whatever_bytes_ask_for_a_change_leave_exactly_one_record(method: str, records: Records) -> None:
    @settings(max_examples=15)
    @given(payload=st.binary(max_size=40))
    async def check(payload: bytes) -> None:
        before = len(records())
        await raw_call(served, method, payload)
        assert len(records()) == before + 1

    async with running() as served:
        await run_examples(check)


async def test_reading_leaves_no_record_however_badly_it_is_asked_for(records: Records) -> None:
    async with running() as served, served.client() as client:
        await client.backends()
        await raw_call(served, "GetBackend", b"\xff\xff\xff\xff")
        with pytest.raises(ResourceExhausted):
            await client.call("GetBackend", pb.GetBackendRequest(name="x" * 2_000_000))
    assert records() == []


@pytest.fixture
async def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of a server that speaks TLS and takes a token, for remote callers; also `ca.pem`."""

    def write() -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        leaf = authority.issue_cert("localhost")
        leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
        (tmp_path / "token").write_text(TOKEN)
        (tmp_path / "wrong").write_text(TOKEN[::-1])

    monkeypatch.setattr(access, "read_peer", lambda *_: Peer("203.0.113.9:50000"))
    await anyio.to_thread.run_sync(write)
    return {name: tmp_path / f"{name}.pem" for name in ("cert", "key")} | {"token_file": tmp_path / "token"}


async def test_a_wrong_token_is_recorded_even_if_it_only_reads(
    certificates: dict[str, Any], tmp_path: Path, records: Records
) -> None:
    async with running(**certificates) as served:
        async with served.client(Security(ca=tmp_path / "ca.pem", token_file=tmp_path / "wrong")) as client:
            for _ in range(3):
                assert len(await client.backends()) == 3
            with pytest.raises(PermissionDenied, match="the token is wrong"):
                await client.command(PauseBackend("alpha"))
        assert nothing_changed(served)
    wrong = "the token is wrong"
    who = {"who": "anonymous", "via": "grpc", "peer": "203.0.113.9:50000", "why": wrong, "outcome": "refused"}
    reading, changing = records()
    assert reading == {"call": "ListBackends", **who, "refused": wrong}
    assert changing == {
        "command": "PauseBackend",
        "arg_backend": "alpha",
        **who,
        "refused": f"PauseBackend: {wrong}",
    }


def test_wrong_tokens_of_one_host_are_recorded_once_in_a_while(records: Records) -> None:
    now = 0.0
    audit = Audit(lambda: now)

    def comes(host: str, port: int) -> None:
        audit.wrong_token("GetInfo", Caller("anonymous", f"{host}:{port}", may_change=False, why="", wrong_token=True))

    comes("192.0.2.1", 1)
    comes("192.0.2.1", 2)
    comes("[2001:db8::1]", 3)
    now = TOKENS_EVERY_S - 1
    comes("192.0.2.1", 4)
    now = TOKENS_EVERY_S
    comes("192.0.2.1", 5)
    assert [record["peer"] for record in records()] == ["192.0.2.1:1", "[2001:db8::1]:3", "192.0.2.1:5"]


def test_many_hosts_with_wrong_tokens_cost_bounded_memory() -> None:
    audit = Audit(lambda: 0.0)
    for number in range(5000):
        audit.wrong_token("GetInfo", Caller("anonymous", f"host{number}:1", may_change=False, why=""))
    assert len(audit._wrong_tokens) == 1024
