"""Metrics: what metrics are made of, and what stays the same object while nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from maglev.api import (
    BackendState,
    DisableBackend,
    FailedPrecondition,
    FrontendState,
    ReloadConfig,
    Session,
    SetFrontendPoolBackendWeight,
)
from maglev.config import BackendConfig
from maglev.dataplanes.memory import MemoryDataplane
from maglev.runtime import LiveControl, Settings, open_controller
from tests.runtime.conftest import ACTOR, PLUGINS, Env, apply, config, frontend, until


def all_up(controller: LiveControl) -> bool:
    """Whether every backend has its counter at the top."""
    return all(b.state is BackendState.UP and b.counter == 3 for b in controller.metrics().backends if b.type)


async def test_figures_say_what_the_snapshot_says(env: Env) -> None:
    statics = {**config().backends, "static": BackendConfig("10.1.0.50")}
    async with env.open(config(backends=statics)) as controller:
        await until(lambda: all_up(controller), "all up")
        metrics, snapshot = controller.metrics(), controller.snapshot()
    assert [b.name for b in metrics.backends] == list(snapshot.backends)
    for backend in metrics.backends:
        told = snapshot.backends[backend.name]
        assert (backend.state, backend.counter) == (told.state, told.counter)
        assert backend.type == (None if backend.name == "static" else "scripted")
    for front in metrics.frontends:
        members = snapshot.frontends[front.name].members
        assert front.vip == snapshot.frontends[front.name].vip
        assert front.state is snapshot.frontends[front.name].state
        assert [(m.pool, m.backend, m.weight, m.effective_weight) for m in front.members] == [
            (m.pool, m.backend, m.weight, m.effective_weight) for m in members
        ]


async def test_what_did_not_change_is_the_same_object(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: all_up(controller), "all up")
        before = controller.metrics()
        await controller.command(DisableBackend("spare"), ACTOR)
        after = controller.metrics()
        same = [old is new for old, new in zip(before.backends, after.backends, strict=True)]
        assert same == [True, True, False]
        assert before.frontends[1] is after.frontends[1]
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 10), ACTOR)
        assert controller.metrics().frontends[0].members[0].weight == 10


async def test_a_reload_takes_figures_away(env: Env) -> None:
    async with env.open(config()) as controller:
        controller.metrics()
        only = {"a": BackendConfig("10.1.0.1", "alive")}
        await apply(controller, config(backends=only, frontends={"web": frontend("10.9.0.1", [("primary", {"a": 1})])}))
        metrics = controller.metrics()
        assert [b.name for b in metrics.backends] == ["a"]
        assert [f.name for f in metrics.frontends] == ["web"]
        assert metrics.frontends[0].state in FrontendState


async def test_status_counts_reloads(env: Env) -> None:
    async with env.open(config()) as controller:
        before = controller.status()
        assert before.reloads == {"success": 0, "failure": 0}
        await controller.command(ReloadConfig(), ACTOR)
        few = config(frontends={"other": frontend("10.9.9.9", [("primary", {"a": 1})])})
        controller.configuration.read_from(few)
        with pytest.raises(FailedPrecondition):
            await controller.command(ReloadConfig(), ACTOR)
        after = controller.status()
        assert after.reloads == {"success": 1, "failure": 1}
        assert after.config_loaded_at_s >= before.config_loaded_at_s


async def test_the_dataplane_alone_is_as_in_the_snapshot_but_for_what_it_holds(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: all_up(controller), "all up")
        whole, alone = controller.snapshot(), controller.dataplane_snapshot()
        assert whole.dataplane.state is not None
        assert alone == attrs.evolve(whole.dataplane, state=None)
        assert controller.status().version == whole.version


async def test_status_tells_of_the_dataplane(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: controller.status().dataplane.operations.get(("fill", "add-vip")) == 2, "VIPs made")
        status = controller.status()
        assert status.warm
        assert status.dataplane.connected
        assert status.dataplane.info is not None
        assert status.dataplane.api_messages == {}
        env.store.stop("told to")
        await until(lambda: not controller.status().dataplane.connected, "lost")
        assert "told to" in controller.status().dataplane.detail


async def test_refused_operations_are_counted(env: Env) -> None:
    env.store.faults.refuse("NO")
    async with env.open(config()) as controller:
        await until(lambda: controller.status().dataplane.operations.get(("fill", "error"), 0) >= 1, "an error")


async def test_what_is_only_observed_is_not_counted(env: Env) -> None:
    env.observe = True
    async with env.open(config()) as controller:
        await until(lambda: all_up(controller), "all up")
        assert controller.status().dataplane.operations == {}
        assert controller.status().dataplane.observing


class Counting(MemoryDataplane):
    """A memory dataplane whose sessions count messages, each from 0."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Session]:
        async with super().connect() as session:
            counting: Any = session
            counting.api_counts = Counter({("hello", "tx", "ok"): 5})
            yield session


async def test_messages_of_all_sessions_are_added_up(env: Env) -> None:
    dataplane = Counting(store=env.store)
    async with open_controller(Settings(config(), PLUGINS, dataplane)) as controller:
        await until(lambda: controller.status().dataplane.connected, "connected")
        assert controller.status().dataplane.api_messages == {("hello", "tx", "ok"): 5}
        env.store.lose()
        await until(lambda: not controller.status().dataplane.connected, "lost")
        assert controller.status().dataplane.api_messages == {("hello", "tx", "ok"): 5}
        await until(lambda: controller.status().dataplane.connected, "connected again")
        assert controller.status().dataplane.api_messages == {("hello", "tx", "ok"): 10}
