"""Somebody else who writes to the dataplane is noticed and named in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from maglev.api import SyncDataplane, VipKey
from tests.runtime.conftest import ACTOR, Env, config, frontend, until


def carrying(env: Env, vip: VipKey) -> int:
    """How many servers of a VIP have weight in the dataplane."""
    held = env.store.vips.get(vip)
    return sum(server.weight > 0 for server in held.servers.values()) if held else 0


async def test_two_controllers_on_one_dataplane_notice_each_other(
    env: Env, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Env(tmp_path / "other", store=env.store)
    mine = config()
    theirs = config(frontends={"web": frontend("10.9.0.1", [("primary", {"a": 100, "b": 10})])})
    async with env.open(mine) as first:
        # The other infers the weight step from what it finds: a and b must both have their weight.
        await until(lambda: carrying(env, first.state.frontends["web"].vip) == 2, "filled")
        await first.command(SyncDataplane(), ACTOR)
        assert first.dataplane_snapshot().drift == ()
        async with other.open(theirs) as second:
            await until(lambda: second.reconciler.in_sync(second.state.frontends["web"].vip.address) is True, "theirs")
            await second.command(SyncDataplane(), ACTOR)
            await first.command(SyncDataplane(), ACTOR)
            (told,) = first.dataplane_snapshot().drift
            assert "somebody else writes to this dataplane" in told
            assert "10.9.0.1:80/tcp" in told
            assert any("foreign-writes" in record.getMessage() for record in caplog.records)
        await first.command(SyncDataplane(), ACTOR)
        await first.command(SyncDataplane(), ACTOR)
        assert first.dataplane_snapshot().drift == ()


async def test_who_only_observes_does_not_complain(env: Env, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    observer = Env(tmp_path / "other", store=env.store, observe=True)
    async with env.open(config()) as writer, observer.open(config()) as watcher:
        await until(lambda: watcher.reconciler.session is not None, "connected")
        await writer.command(SyncDataplane(), ACTOR)
        await watcher.command(SyncDataplane(), ACTOR)
        assert watcher.dataplane_snapshot().drift == ()
    assert not any("foreign-writes" in record.getMessage() for record in caplog.records)
