"""Commands: from our own page only, read strictly, and refused with a reason."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import attrs
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev import api
from maglev_grpc.client import PermissionDenied, Unavailable
from maglev_web.http.commands import COMMANDS, Malformed, described, read_order
from plugins.maglev_web.tests.serving import BASIC, Served, raw, serving

ARGUMENTS: dict[str, dict[str, Any]] = {
    "PauseBackend": {"backend": "a"},
    "ResumeBackend": {"backend": "a"},
    "EnableBackend": {"backend": "a"},
    "DisableBackend": {"backend": "a"},
    "ResetBackend": {"backend": "a"},
    "SetFrontendPoolBackendWeight": {"frontend": "f", "pool": "p", "backend": "a", "weight": 5},
    "ResetFrontendPoolBackendWeight": {"frontend": "f", "pool": "p", "backend": "a"},
    "SyncDataplane": {"frontend": "f", "recreate": True},
    "ReloadConfig": {"force": True},
}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_command_is_read_as_it_is_meant(name: str) -> None:
    body = json.dumps({"maglevd": "one", "command": name, "arguments": ARGUMENTS[name]}).encode()
    order = read_order(body)
    assert type(order.command) is COMMANDS[name].command
    assert {key: value for key, value in attrs.asdict(order.command).items() if value} == ARGUMENTS[name]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"pause"', b"{", b"\xff", b"[" * 10_000,
        b'{"maglevd": "one"}',
        b'{"maglevd": "one", "command": "explode", "arguments": {}}',
        b'{"maglevd": "one", "command": "PauseBackend", "arguments": {}}',
        b'{"maglevd": "one", "command": "PauseBackend", "arguments": {"backend": 5}}',
        b'{"maglevd": "one", "command": "PauseBackend", "arguments": {"backend": "a", "weight": 5}}',
        b'{"maglevd": "one", "command": "PauseBackend", "arguments": {"backend": "a"}, "more": 1}',
        b'{"maglevd": "one", "command": "SyncDataplane", "arguments": {"recreate": "false"}}',
        b'{"maglevd": "one", "command": "ReloadConfig", "arguments": {"force": 1}}',
        (b'{"maglevd": "one", "command": "SetFrontendPoolBackendWeight", '
        b'"arguments": {"frontend": "f", "pool": "p", "backend": "", "weight": true}}'),
        (b'{"maglevd": "one", "command": "SetFrontendPoolBackendWeight", '
        b'"arguments": {"frontend": "f", "pool": "p", "backend": "", "weight": 5.5}}'),
        b'{"maglevd": ["one"], "command": "PauseBackend", "arguments": {"backend": "a"}}',
    ],
)  # fmt: skip
def test_what_is_no_command_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_order(body)


def test_page_is_told_every_command_and_its_arguments() -> None:
    told = {one["name"]: one for one in json.loads(json.dumps(described()))}
    assert list(told) == [info.name for info in api.COMMANDS]
    assert told["ResumeBackend"]["states"] == ["paused"]
    assert [one["name"] for one in told["SyncDataplane"]["arguments"]] == ["frontend", "recreate", "prune"]
    assert {name for name, one in told.items() if one["disruptive"]} == {"DisableBackend"}


@given(
    st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_body_makes_reading_it_fail_otherwise(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_order(body)


async def test_command_from_the_page_is_carried_out() -> None:
    async with serving() as served:
        answer = await served.order()
        assert answer.status_code == 200
        assert answer.json() == {"changed": True, "messages": ["done"], "errors": []}
        assert served.client.commands == [api.PauseBackend("alpha")]


async def test_preview_changes_nothing() -> None:
    async with serving() as served:
        assert (await served.order("preview")).json() == {
            "frontends": [],
            "messages": [],
            "backends": [],
            "operations": [],
        }
        assert served.client.previews == [api.PauseBackend("alpha")]
        assert served.client.commands == []


@pytest.mark.parametrize(
    "headers",
    [
        {"x-maglev-token": ""},
        {"x-maglev-token": "guess"},
        {"x-maglev-token": b"\xe9"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=application/json"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://[::1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
    ids=str,
)
async def test_what_does_not_come_from_our_page_is_refused(headers: dict[str, Any]) -> None:
    async with serving() as served:
        for what in ("command", "preview"):
            assert (await served.order(what, headers=headers)).status_code in (400, 403)
        assert served.client.commands == served.client.previews == []


async def test_our_own_origin_is_welcome() -> None:
    async with serving() as served:
        headers = {"origin": f"http://127.0.0.1:{served.port}", "sec-fetch-site": "same-origin"}
        assert (await served.order(headers=headers)).status_code == 200


async def test_other_origins_may_not_ask_for_leave() -> None:
    async with serving() as served:
        headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
        answer = await served.http.options("/admin/api/command", headers=headers, auth=BASIC)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def refused_as_too_large(served: Served, content: Any) -> None:
    """Either the answer says so, or the connection is gone before all was sent."""
    with suppress(httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        assert (await served.order(content=content)).status_code == 413
    assert served.client.commands == []
    assert (await served.http.get("/healthz")).status_code == 200


@pytest.mark.parametrize("size", [16 * 1024 + 1, 5_000_000])
async def test_body_that_is_too_large_is_refused(size: int) -> None:
    async with serving() as served:
        await refused_as_too_large(served, b" " * size)


async def test_body_that_grows_too_large_is_refused_without_being_kept() -> None:
    async def endless() -> Any:
        for _ in range(1000):
            yield b" " * 1000

    async with serving() as served:
        await refused_as_too_large(served, endless())


async def test_body_with_two_lengths_is_refused() -> None:
    async with serving() as served:
        head = b"POST /admin/api/command HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\n12345"
        assert b" 400 " in (await raw(served.port, head))[:16]


async def test_get_gives_no_commands() -> None:
    async with serving() as served:
        assert (await served.http.get("/admin/api/command", auth=BASIC)).status_code == 405


@pytest.mark.parametrize(
    "refusal, status",
    [
        (api.UnknownName("backend", "alhpa", ("alpha",)), 404),
        (api.BadArgument("101"), 400),
        (api.FailedPrecondition("it is disabled"), 409),
        (api.NotConnected("no dataplane"), 409),
        (PermissionDenied("only reading"), 403),
        (Unavailable("nobody there"), 502),
        (api.DataplaneError("refused"), 502),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_refusal_says_why(refusal: Exception, status: int) -> None:
    async with serving() as served:
        served.client.refusal = refusal
        answer = await served.order()
        assert (answer.status_code, answer.json()) == (status, {"error": str(refusal)})


async def test_daemon_that_is_not_there_is_named() -> None:
    async with serving() as served:
        answer = await served.order(json={"maglevd": "two", "command": "PauseBackend", "arguments": {"backend": "a"}})
        assert answer.status_code == 404
        assert "two" in answer.json()["error"]
