"""Faults that a review found: each was seen once."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address, ip_address
from typing import ClassVar

import pytest

from maglev.api import (
    BackendState,
    Encap,
    IPProtocol,
    PauseBackend,
    VipAttributes,
    VipKey,
)
from maglev.config import BackendConfig
from maglev.domain import warmup
from maglev.domain.model import Backend, Frontend, Member, Pool, ResolvedConfig
from maglev.domain.state import State, step, take_config
from maglev.runtime import LiveControl, overrides
from tests.runtime.conftest import ACTOR, Env, apply, config, frontend, held, states, until

WEB = "10.9.0.1:80/tcp"
WEB_KEY = VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)
SERVING = {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}


async def serving(env: Env, controller: LiveControl) -> None:
    await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
    await until(lambda: held(env).get(WEB) == SERVING, "serving")


async def test_a_paused_backend_with_another_address_shows_no_probe_of_the_old_one(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(env, controller)
        await controller.command(PauseBackend("b"), ACTOR)
        assert controller.backend("b").last_result is not None
        moved = {**config().backends, "b": BackendConfig("10.1.0.77", "alive")}
        await apply(controller, config(backends=moved))
        snapshot = controller.backend("b")
        assert snapshot.state is BackendState.PAUSED
        assert (snapshot.last_result, snapshot.probes) == (None, 0)


async def test_a_reload_that_drops_no_override_does_not_need_the_disk(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with env.open(config()) as controller:
        await serving(env, controller)
        monkeypatch.setattr(overrides, "_write_atomically", full)
        result = await controller.command(PauseBackend("b"), ACTOR)
        assert "lost at the next restart" in result.messages[0]
        new = config(frontends={**config().frontends, "more": frontend("10.9.0.3", [("primary", {"a": 100})])})
        result = await apply(controller, new)
        assert "more" in controller.snapshot().frontends
        assert any("lost at the next restart" in message for message in result.messages)


class Counted(IPv4Address):
    """An address that counts how often it is compared."""

    compared: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return super().__eq__(other)

    __hash__ = IPv4Address.__hash__


def many_servers(count: int, *, without: int) -> ResolvedConfig:
    addresses = {f"b{n}": Counted((10 << 24) + n) for n in range(count) if n != without}
    backends = {name: Backend(name, address) for name, address in addresses.items()}
    pool = Pool("p", tuple(Member(name, address) for name, address in addresses.items()))
    return ResolvedConfig(backends, {"web": Frontend("web", WEB_KEY, (pool,), VipAttributes(Encap.GRE4, 65536))})


def test_a_reload_does_not_compare_every_server_with_every_other() -> None:
    state = State(warmup.start(0, min_ns=0, max_ns=0))
    step(state, 0.0, take_config, many_servers(1000, without=0), why="start")
    Counted.compared = 0
    step(state, 0.0, take_config, many_servers(1000, without=1))
    assert Counted.compared < 20_000
