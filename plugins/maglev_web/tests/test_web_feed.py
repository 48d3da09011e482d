"""A real controller on the memory dataplane, over gRPC, as the dashboard's server sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from maglev import api
from maglev_web.feed import Daemons, watching
from maglev_web.feed import daemon as feeds
from plugins.maglev_grpc.tests.serving import Served, running
from plugins.maglev_web.tests.serving import until

pytestmark = pytest.mark.usefixtures("grpc_loop")


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "INFO_EVERY_S", 0.1)
    monkeypatch.setattr(feeds, "COUNTERS_EVERY_S", 0.1)


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Served, Daemons]]:
    async with running() as served, watching([served.target]) as daemons:
        await until(lambda: daemons.by_name[served.target].status.connected, "it is connected")
        await until(lambda: daemons.by_name[served.target].status.info, "it told of itself")
        yield served, daemons


def member(daemons: Daemons, frontend: str, backend: str) -> Any:
    (one,) = json.loads(daemons.state())["maglevds"]
    return next(m for m in one["state"]["frontends"][frontend]["members"] if m["backend"] == backend)


async def test_the_state_is_the_daemons() -> None:
    async with watched() as (served, daemons):
        (one,) = json.loads(daemons.state())["maglevds"]
        assert one["name"] == served.target
        assert one["state"]["order"] == ["web", "dns"]
        assert set(one["state"]["backends"]) == {"alpha", "beta", "spare"}
        assert one["state"]["dataplane"]["connected"] is True
        assert one["status"]["info"]["may_change"] is True
        (summary,) = json.loads(daemons.summaries())
        assert summary["frontends"] == {"up": 2}


async def test_change_arrives_as_messages_and_in_the_state() -> None:
    async with watched() as (served, daemons):
        messages: list[Any] = []

        async def read() -> None:
            async for text in daemons.broker.follow():
                messages.extend(json.loads(line[6:]) for line in text.splitlines() if line.startswith(b"data: "))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await until(lambda: daemons.broker.readers, "somebody reads")
            await served.control.command(api.PauseBackend("alpha"), api.Actor("test", "library"))
            await until(lambda: member(daemons, "web", "alpha")["dataplane_weight"] == 0, "the dataplane has it")
            await until(lambda: {one["kind"] for one in messages} >= {"event", "state", "counters"}, "messages come")
            tasks.cancel_scope.cancel()
        event = next(one["data"] for one in messages if one["kind"] == "event" and "backend" in one["data"])
        assert (event["backend"]["backend"], event["backend"]["transition"]["to_state"]) == ("alpha", "paused")


async def test_command_shows_before_it_is_answered() -> None:
    async with watched() as (served, daemons):
        daemon = daemons.by_name[served.target]
        await daemon.client.command(api.SetFrontendPoolBackendWeight("web", "primary", "beta", 40))
        await daemon.refresh()
        assert member(daemons, "web", "beta")["weight"] == 40


async def test_daemon_that_goes_is_shown_as_gone_and_the_state_stays() -> None:
    async with watched() as (served, daemons):
        daemon = daemons.by_name[served.target]
        served.stop()
        await until(lambda: not daemon.status.connected, "it is gone")
        assert daemon.status.why
        assert json.loads(daemons.state())["maglevds"][0]["state"]["order"] == ["web", "dns"]


async def test_one_daemon_that_is_away_does_not_touch_the_others() -> None:
    async with running() as served, watching([served.target, "127.0.0.1:1"]) as daemons:
        await until(lambda: daemons.by_name[served.target].status.connected, "the one is connected")
        states = {one["name"]: one for one in json.loads(daemons.state())["maglevds"]}
        assert states[served.target]["status"]["connected"]
        assert not states["127.0.0.1:1"]["status"]["connected"]
        assert states["127.0.0.1:1"]["state"]["frontends"] == {}


async def test_fault_in_a_feed_is_logged_and_the_feed_starts_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feeds, "_AGAIN_S", 0.01)
    async with watched() as (served, daemons):
        daemon = daemons.by_name[served.target]
        calls = 0

        read = daemon.client.read

        async def broken(name: str, request: Any) -> Any:
            nonlocal calls
            if name != "GetInfo":
                return await read(name, request)
            calls += 1
            raise RuntimeError("of another version")

        with monkeypatch.context() as patched:
            patched.setattr(daemon.client, "read", broken)
            await until(lambda: calls > 2, "it is tried again")
        assert "a feed failed and is started again" in caplog.messages
        assert daemon.status.connected
