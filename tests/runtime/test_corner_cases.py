"""Corner cases of reloads, dry runs, retries and the warm-up: each was seen to fail once."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, ClassVar

import anyio
import pytest

from maglev.api import (
    AddServer,
    BackendState,
    DataplaneError,
    Encap,
    FailedPrecondition,
    IPProtocol,
    NotConnected,
    PauseBackend,
    ProbeResult,
    ServerState,
    SetFrontendPoolBackendWeight,
    SetWeight,
    SyncDataplane,
    Target,
    VipAttributes,
    VipKey,
    VipState,
)
from maglev.config import BackendConfig, Config, LbConfig, PluginSet
from maglev.dataplanes.memory import MemoryDataplane
from maglev.domain import warmup
from maglev.domain.model import Backend, Frontend, Member, Pool, ResolvedConfig
from maglev.domain.overrides import OperatorOverrides
from maglev.domain.state import State, step, take_config
from maglev.probing import Job, Prober
from maglev.runtime import overrides
from tests.runtime.conftest import ACTOR, Env, Scripted, apply, check, config, frontend, held, serving, until

WEB = "10.9.0.1:80/tcp"
WEB_KEY = VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)
SERVING = {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}


async def test_a_paused_backend_with_another_address_shows_no_probe_of_the_old_one(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
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
        await serving(controller)
        monkeypatch.setattr(overrides, "_write_atomically", full)
        result = await controller.command(PauseBackend("b"), ACTOR)
        assert "lost at the next restart" in result.messages[0]
        new = config(frontends={**config().frontends, "more": frontend("10.9.0.3", [("primary", {"a": 100})])})
        result = await apply(controller, new)
        assert "more" in controller.snapshot().frontends
        assert any("lost at the next restart" in message for message in result.messages)


async def test_an_address_that_failed_and_is_held_back_now_is_not_tried_all_the_time(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    env.store.add_foreign_vip(
        WEB_KEY, VipState(VipAttributes(Encap.GRE4, 16384), {IPv4Address("10.1.0.1"): ServerState(1)})
    )
    env.void("spare")
    lb = LbConfig(startup_min_delay=0.05, startup_max_delay=60, sync_interval=3600)
    pools = [("primary", {"a": 100, "b": 100})]
    waiting = frontend("10.9.0.5", [("primary", {"spare": 100})])
    first = config(lb=lb, frontends={"web": frontend("10.9.0.1", pools), "waiting": waiting})
    env.store.faults.refuse(matching=lambda o: isinstance(o, AddServer | SetWeight), times=None)
    async with env.open(first) as controller:
        await until(lambda: controller.reconciler.operations["transition", "error"], "a write was refused")
        tls = frontend("10.9.0.1", [("primary", {"spare": 100})], port=443)
        await apply(controller, config(lb=lb, frontends={**first.frontends, "tls": tls}))
        assert not controller.state.released(WEB_KEY.address)
        reads = 0
        session = controller.reconciler.session
        assert session is not None
        read = session.read

        async def counted(*, details: bool = False) -> Any:
            nonlocal reads
            reads += 1
            return await read(details=details)

        monkeypatch.setattr(session, "read", counted)
        await anyio.sleep(1.5)
        assert reads < 3


async def test_who_waits_for_a_run_that_lost_the_dataplane_is_told_why(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        session = controller.reconciler.session
        assert session is not None

        async def broken(*, details: bool = False) -> Any:
            raise DataplaneError("reading: out of memory")

        monkeypatch.setattr(session, "read", broken)
        with pytest.raises(NotConnected, match="out of memory"):
            await controller.command(SyncDataplane(), ACTOR)


async def test_a_preview_while_the_dataplane_cannot_be_read_is_as_the_command(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        session = controller.reconciler.session
        assert session is not None

        async def broken(*, details: bool = False) -> Any:
            raise DataplaneError("reading: out of memory")

        controller.state.dataplane.known = False
        monkeypatch.setattr(session, "read", broken)
        told = await controller.preview(PauseBackend("b"))
        done = await controller.command(PauseBackend("b"), ACTOR)
        assert {b.backend: b.after for b in told.backends} == {"b": BackendState.PAUSED}
        assert told.messages == done.messages


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


async def test_a_preview_of_a_sync_knows_what_happened_while_it_read(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        session = controller.reconciler.session
        assert session is not None
        read, asked, answer = session.read, anyio.Event(), anyio.Event()

        async def slow(*, details: bool = False) -> Any:
            asked.set()
            await answer.wait()
            return await read(details=details)

        monkeypatch.setattr(session, "read", slow)
        async with anyio.create_task_group() as tasks:

            async def preview() -> None:
                told = await controller.preview(SyncDataplane())
                assert (told.operations, told.frontends) == ((), ())

            tasks.start_soon(preview)
            await asked.wait()
            await controller.command(PauseBackend("b"), ACTOR)
            answer.set()


async def test_vips_left_over_go_when_the_warm_up_ends_with_nothing_to_release(env: Env) -> None:
    servers: dict[IPv4Address | IPv6Address, ServerState] = {IPv4Address("10.1.0.1"): ServerState(10)}
    for port in ("10.9.0.1", "10.9.0.2"):
        key = VipKey(ip_address(port), IPProtocol.TCP, 80)
        env.store.add_foreign_vip(key, VipState(VipAttributes(Encap.GRE4, 16384), servers))
    env.void("spare")
    lb = LbConfig(startup_min_delay=0.05, startup_max_delay=60, sync_interval=3600)
    web, api = (frontend(at, [("primary", {name: 100})]) for at, name in (("10.9.0.1", "a"), ("10.9.0.2", "spare")))
    async with env.open(config(lb=lb, frontends={"web": web, "api": api})) as controller:
        await until(lambda: controller.state.released(WEB_KEY.address), "web is released")
        backends = {"a": BackendConfig("10.1.0.1", "alive")}
        await apply(controller, config(lb=lb, frontends={"web": web}, backends=backends))
        await until(lambda: controller.state.warm.over, "warm-up over")
        await until(lambda: set(held(env)) == {WEB}, "api is gone")


async def test_the_warm_up_ends_when_a_reload_removes_what_it_waits_for(env: Env) -> None:
    servers: dict[IPv4Address | IPv6Address, ServerState] = {IPv4Address("10.1.0.1"): ServerState(10)}
    for port in ("10.9.0.1", "10.9.0.2"):
        key = VipKey(ip_address(port), IPProtocol.TCP, 80)
        env.store.add_foreign_vip(key, VipState(VipAttributes(Encap.GRE4, 16384), servers))
    env.void("spare")
    lb = LbConfig(startup_min_delay=0.05, startup_max_delay=60, sync_interval=3600)
    web, api = (frontend(at, [("primary", {name: 100})]) for at, name in (("10.9.0.1", "a"), ("10.9.0.2", "spare")))
    async with env.open(config(lb=lb, frontends={"web": web, "api": api})) as controller:
        await until(lambda: controller.state.released(WEB_KEY.address), "web is released")
        await apply(controller, config(lb=lb, frontends={"web": web}))
        await until(lambda: controller.state.warm.over, "warm-up over")


class Unequal(Scripted):
    """A checker whose options cannot be compared any more after some times."""

    name: ClassVar[str] = "unequal"
    built: ClassVar[int] = 0
    closed: ClassVar[int] = 0

    def __init__(self, options: object) -> None:
        super().__init__(options)
        Unequal.built += 1

    class Options:
        """Options of a stranger's."""

        left: ClassVar[int] = 1_000_000

        def __eq__(self, other: object) -> bool:
            Unequal.Options.left -= 1
            if Unequal.Options.left < 0:
                raise RuntimeError("cannot be compared")
            return self is other

        __hash__ = object.__hash__

    def close(self) -> None:
        """Count."""
        Unequal.closed += 1


async def test_a_reload_that_fails_after_it_saved_leaves_the_file_as_it_was(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unequal(**weights: int) -> Config:
        checks = {"alive": check(type="unequal", params=Unequal.Options())}
        pools = {"web": frontend("10.9.0.1", [("primary", {"a": 100, "b": 100, **weights}), ("f", {"spare": 100})])}
        return config(healthchecks=checks, frontends=pools)

    plugins = PluginSet(checkers={"unequal": Unequal}, dataplanes={"memory": MemoryDataplane})
    monkeypatch.setattr("tests.runtime.conftest.PLUGINS", plugins)
    monkeypatch.setattr(Unequal.Options, "left", 1_000_000)
    async with env.open(unequal()) as controller:
        await serving(controller)
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 30), ACTOR)
        kept = await anyio.Path(env.state_dir / "overrides.json").read_bytes()
        store = controller.commands._execution._saver._store  # type: ignore[attr-defined]
        saved = store.save

        def save_and_fail(given: OperatorOverrides) -> None:
            saved(given)
            Unequal.Options.left = 0

        monkeypatch.setattr(store, "save", save_and_fail)
        with pytest.raises(FailedPrecondition, match="cannot be compared"):
            await apply(controller, unequal(a=50))
        assert await anyio.Path(env.state_dir / "overrides.json").read_bytes() == kept
        assert controller.snapshot().frontends["web"].members[0].weight == 30


async def test_a_reload_whose_messages_cannot_be_made_is_refused_and_closes_what_it_built(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> tuple[str, ...]:
        raise RuntimeError("cannot be compared")

    plugins = PluginSet(checkers={"unequal": Unequal}, dataplanes={"memory": MemoryDataplane})
    monkeypatch.setattr("tests.runtime.conftest.PLUGINS", plugins)
    monkeypatch.setattr(Unequal.Options, "left", 1_000_000)
    monkeypatch.setattr(Unequal, "closed", 0)
    checks = [{"alive": check(type="unequal", params=Unequal.Options())} for _ in range(2)]
    async with env.open(config(healthchecks=checks[0])) as controller:
        await serving(controller)
        # It compares the options of dataplanes and exporters, which are plugins' too.
        monkeypatch.setattr("maglev.runtime.configuration.needs_restart", broken)
        monkeypatch.setattr(Unequal, "built", 0)
        monkeypatch.setattr(Unequal, "closed", 0)
        with pytest.raises(FailedPrecondition, match="cannot be compared"):
            await apply(controller, config(healthchecks=checks[1]))
        await until(lambda: Unequal.closed == Unequal.built == 2, "what was built for nothing is closed")


async def test_a_checker_is_closed_though_the_daemon_stops_right_after_the_reload(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = PluginSet(checkers={"unequal": Unequal}, dataplanes={"memory": MemoryDataplane})
    monkeypatch.setattr("tests.runtime.conftest.PLUGINS", plugins)
    monkeypatch.setattr(Unequal.Options, "left", 1_000_000)
    monkeypatch.setattr(Unequal, "built", 0)
    monkeypatch.setattr(Unequal, "closed", 0)
    probing = anyio.Event()

    async def probe(_checker: Unequal, _target: Target) -> ProbeResult:
        try:
            probing.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.1)  # it tidies up
        raise AssertionError

    checks = [{"alive": check(type="unequal", params=Unequal.Options())} for _ in range(2)]
    async with env.open(config(healthchecks=checks[0])) as controller:
        await serving(controller)
        monkeypatch.setattr(Unequal, "probe", probe)
        await probing.wait()
        await apply(controller, config(healthchecks=checks[1]))
    assert Unequal.closed == Unequal.built


async def test_a_checker_is_closed_as_soon_as_the_last_of_several_probes_has_ended() -> None:
    class Tidy(Scripted):
        closed: ClassVar[bool] = False

        async def probe(self, target: Target) -> ProbeResult:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.02)
            raise AssertionError

        def close(self) -> None:
            Tidy.closed = True

    checker = Tidy(None)
    prober = Prober(lambda *_: 1_000_000_000)
    jobs = [Job(name, checker, Target(name, IPv4Address("127.0.0.1"), None, 10**9), "tidy") for name in "abc"]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prober.run)
        for job in jobs:
            prober.add(job, 0)
        await until(lambda: prober.running == len(jobs), "all probes run")
        for job in jobs:
            prober.remove(job)
        with anyio.fail_after(4):  # it gives up after five seconds
            await prober.release(checker)
        tasks.cancel_scope.cancel()
    await prober.aclose()
    assert Tidy.closed
