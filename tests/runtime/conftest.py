"""A small environment: a memory dataplane that outlives controllers, and backends that do as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import anyio
import attrs
import pytest

from maglev.api import (
    Actor,
    AsyncChecker,
    BackendState,
    Code,
    CommandResult,
    Operation,
    ProbeResult,
    ReloadConfig,
    Subscription,
    Target,
)
from maglev.config import (
    BackendConfig,
    Config,
    FrontendConfig,
    HealthCheckConfig,
    LbConfig,
    MemberConfig,
    PluginSet,
    PoolConfig,
)
from maglev.dataplanes.memory import MemoryDataplane, MemoryStore
from maglev.runtime import LiveControl, Settings, open_controller

E = TypeVar("E")
ACTOR = Actor("test", "library")
NO_WARM_UP = LbConfig(startup_min_delay=0, startup_max_delay=0, sync_interval=3600)


class Scripted(AsyncChecker):
    """Answers what the test says of a backend; passes if it says nothing."""

    name: ClassVar[str] = "scripted"
    needs_port: ClassVar[bool] = False
    results: ClassVar[dict[str, ProbeResult]] = {}
    asked: ClassVar[dict[str, int]] = {}

    async def probe(self, target: Target) -> ProbeResult:
        """Count and answer."""
        self.asked[target.backend] = self.asked.get(target.backend, 0) + 1
        return self.results.get(target.backend, ProbeResult(Code.L7OK, "told to pass"))


PLUGINS = PluginSet(checkers={"scripted": Scripted}, dataplanes={"memory": MemoryDataplane})


@attrs.define
class Env:
    """What outlives a controller."""

    state_dir: Path
    store: MemoryStore = attrs.field(factory=MemoryStore)
    observe: bool = False

    def fail(self, *backends: str) -> None:
        """From now on these fail their probes."""
        for name in backends:
            Scripted.results[name] = ProbeResult(Code.L4CON, "told to fail")

    def heal(self, *backends: str) -> None:
        """From now on these pass their probes."""
        for name in backends:
            Scripted.results.pop(name, None)

    def void(self, *backends: str) -> None:
        """From now on the probes of these are void."""
        for name in backends:
            Scripted.results[name] = ProbeResult(Code.NOFILE, "told to be void")

    @asynccontextmanager
    async def open(self, source: Config | Path) -> AsyncIterator[LiveControl]:
        """Run a controller on its dataplane."""
        dataplane = MemoryDataplane(store=self.store)
        settings = Settings(source, PLUGINS, dataplane, state_dir=self.state_dir, observe=self.observe)
        async with open_controller(settings) as controller:
            yield controller


@pytest.fixture
def env(tmp_path: Path) -> Env:
    """A fresh environment."""
    Scripted.results.clear()
    Scripted.asked.clear()
    return Env(tmp_path / "state")


def check(**changes: Any) -> HealthCheckConfig:
    """A health check that decides fast."""
    return HealthCheckConfig(**{"type": "scripted", "interval": 0.02, "timeout": 1, "rise": 2, "fall": 2, **changes})


def config(**changes: Any) -> Config:
    """Two frontends: `web` with two servers and a fallback, `api` with one of them on another address."""
    whole: dict[str, Any] = {
        "dataplane": "memory",
        "lb": NO_WARM_UP,
        "healthchecks": {"alive": check()},
        "backends": {
            "a": BackendConfig("10.1.0.1", "alive"),
            "b": BackendConfig("10.1.0.2", "alive"),
            "spare": BackendConfig("10.1.0.9", "alive"),
        },
        "frontends": {
            "web": frontend("10.9.0.1", [("primary", {"a": 100, "b": 100}), ("fallback", {"spare": 100})]),
            "api": frontend("10.9.0.2", [("primary", {"a": 100})]),
        },
        **changes,
    }
    return Config(**whole)


def frontend(address: str, pools: list[tuple[str, dict[str, int]]], **changes: Any) -> FrontendConfig:
    """A TCP frontend on port 80."""
    made = [
        PoolConfig(name, {backend: MemberConfig(weight) for backend, weight in members.items()})
        for name, members in pools
    ]
    return FrontendConfig(address, made, **{"protocol": "tcp", "port": 80, **changes})


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds; fail, saying what, if it never does."""
    with anyio.move_on_after(20):
        while not condition():  # noqa: ASYNC110 - any condition at all, not one that somebody signals
            await anyio.sleep(0.005)
        return
    # Not pytest.fail: that is no Exception, and ends the loop that all tests share.
    raise AssertionError(f"never happened: {what}")


async def next_event(subscription: Subscription, kind: type[E]) -> E:
    """The next event of a subscription, which must be of this kind."""
    event = (await anext(aiter(subscription.events))).event
    assert isinstance(event, kind)
    return event


def states(controller: LiveControl) -> dict[str, BackendState]:
    """The state of each backend."""
    return {name: health.state for name, health in controller.state.health.items()}


def held(env: Env) -> dict[str, dict[str, int]]:
    """The weights that the dataplane holds, by VIP and server, in words."""
    return {
        str(key): {str(address): server.weight for address, server in vip.servers.items()}
        for key, vip in env.store.vips.items()
    }


def writes_of(env: Env) -> list[Operation]:
    """All operations that reached the dataplane so far, in order."""
    return [written.operation for written in env.store.journal]


async def apply(controller: LiveControl, new: Config, *, force: bool = False) -> CommandResult:
    """Reload with a configuration built in code."""
    controller.configuration.read_from(new)
    return await controller.command(ReloadConfig(force=force), ACTOR)


async def serving(controller: LiveControl) -> None:
    """Wait until all backends are up, and the dataplane is known to hold what is wanted, but for drift."""

    def settled() -> bool:
        members = [member for name in controller.config.frontends for member in controller.frontend(name).members]
        view, queue = controller.state.dataplane, controller.reconciler._queue
        held = all(member.dataplane_weight == member.table_weight for member in members)
        return held and view.known and not view.unsynced and not queue.addresses

    await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
    await until(settled, "in sync, but for drift")
