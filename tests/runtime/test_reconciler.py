"""The reconciler leaves alone what it must, retries what failed, and never writes when it should only look."""

from __future__ import annotations

from ipaddress import ip_address

import anyio
import attrs
import pytest

from maglev.api import (
    AddVip,
    BackendState,
    DataplaneEvent,
    DeleteServer,
    Encap,
    EventFilter,
    EventKind,
    IPProtocol,
    ServerState,
    SetFrontendPoolBackendWeight,
    SetWeight,
    SyncDataplane,
    SyncEvent,
    VipAttributes,
    VipKey,
    VipState,
)
from tests.runtime.conftest import (
    ACTOR,
    Env,
    apply,
    config,
    frontend,
    held,
    next_event,
    serving,
    states,
    until,
    writes_of,
)

WEB = "10.9.0.1:80/tcp"
API = "10.9.0.2:80/tcp"
SERVING = {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}
FOREIGN = VipKey(ip_address("10.9.9.9"), IPProtocol.TCP, 443)


def plant(env: Env, key: VipKey, servers: dict[str, int], table_length: int = 16384) -> None:
    made = VipAttributes(Encap.GRE4, table_length)
    env.store.add_foreign_vip(
        key, VipState(made, {ip_address(a): ServerState(weight) for a, weight in servers.items()})
    )


async def test_a_vip_of_somebody_else_is_reported_and_left_alone_until_pruned(env: Env) -> None:
    plant(env, FOREIGN, {"10.1.0.50": 7})
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(SyncDataplane(), ACTOR)
        assert held(env)[str(FOREIGN)] == {"10.1.0.50": 7}
        assert controller.snapshot().dataplane.unmanaged == (FOREIGN,)
        await controller.command(SyncDataplane(prune=True), ACTOR)
        assert str(FOREIGN) not in held(env)


async def test_one_sync_undoes_tampering_and_a_second_writes_nothing(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        key = controller.state.frontends["web"].vip
        env.store.write(DeleteServer(key, ip_address("10.1.0.1")))
        env.store.write(SetWeight(key, ip_address("10.1.0.2"), 3))
        result = await controller.command(SyncDataplane(), ACTOR)
        assert result.changed
        assert held(env)[WEB] == SERVING
        before = len(writes_of(env))
        assert not (await controller.command(SyncDataplane(), ACTOR)).changed
        assert len(writes_of(env)) == before


async def test_observing_plans_and_tells_but_writes_nothing(env: Env) -> None:
    env.observe = True
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        result = await controller.command(SyncDataplane(), ACTOR)
        assert "add-vip: 2" in result.messages
        assert "observing: nothing was written" in result.messages
        assert controller.snapshot().frontends["web"].in_sync is False
    assert writes_of(env) == []


async def test_a_vip_found_with_another_table_is_drift_until_recreated(env: Env) -> None:
    web = VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)
    plant(env, web, {"10.1.0.1": 10, "10.1.0.2": 10}, table_length=1024)
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(SyncDataplane(), ACTOR)
        assert env.store.vip(web).attributes.table_length == 1024
        assert "table length is 1024, wanted 16384" in controller.snapshot().frontends["web"].drift
        await controller.command(SyncDataplane("web", recreate=True), ACTOR)
        assert env.store.vip(web).attributes.table_length == 16384
        assert held(env)[WEB] == SERVING
        assert controller.snapshot().frontends["web"].drift == ()


@pytest.mark.parametrize("sticky", [True, False])
async def test_a_flag_that_the_dataplane_does_not_tell_is_taken_as_wanted(env: Env, sticky: bool) -> None:
    web = VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)
    servers = {ip_address(address): ServerState(weight) for address, weight in SERVING.items()}
    env.store.add_foreign_vip(web, VipState(VipAttributes(Encap.GRE4, 16384, sticky=None), servers))
    pools = [("primary", {"a": 100, "b": 100}), ("fallback", {"spare": 100})]
    wanted = frontend("10.9.0.1", pools, src_ip_sticky=sticky)
    async with env.open(config(frontends={"web": wanted, "api": config().frontends["api"]})) as controller:
        await serving(controller)
        await controller.command(SyncDataplane("web", recreate=True), ACTOR)
        assert controller.snapshot().frontends["web"].drift == ()
        assert controller.snapshot().frontends["web"].sticky is sticky
        assert web not in {getattr(write, "vip", None) for write in writes_of(env) if isinstance(write, AddVip)}


async def test_another_number_of_sticky_buckets_is_drift_until_recreated(env: Env) -> None:
    env.store.conf = attrs.evolve(env.store.conf, sticky_buckets_per_core=1024)
    plant(env, FOREIGN, {})  # established flows may hang on it
    async with env.open(config()) as controller:
        await serving(controller)
        wanted = controller.state.config.conf.sticky_buckets_per_core
        await controller.command(SyncDataplane(), ACTOR)
        (drift,) = controller.dataplane_snapshot().drift
        assert drift == f"sticky buckets per core are 1024, wanted {wanted}"
        assert env.store.conf.sticky_buckets_per_core == 1024
        await controller.command(SyncDataplane(recreate=True), ACTOR)
        assert controller.dataplane_snapshot().drift == ()
        assert env.store.conf.sticky_buckets_per_core == wanted


async def test_weights_on_another_step_keep_it(env: Env) -> None:
    web = VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)
    plant(env, web, {"10.1.0.1": 100, "10.1.0.2": 100})
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        await controller.command(SyncDataplane(), ACTOR)
        assert held(env)[WEB] == {"10.1.0.1": 100, "10.1.0.2": 100, "10.1.0.9": 0}
        env.fail("a")
        await until(lambda: held(env)[WEB] == {"10.1.0.1": 0, "10.1.0.2": 100, "10.1.0.9": 0}, "a drained")


async def test_a_reload_that_changes_the_sticky_flag_makes_that_vip_anew_and_no_other(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        before = len(writes_of(env))
        web = frontend(
            "10.9.0.1", [("primary", {"a": 100, "b": 100}), ("fallback", {"spare": 100})], src_ip_sticky=True
        )
        await apply(controller, config(frontends={"web": web, "api": config().frontends["api"]}))
        key = controller.state.frontends["web"].vip
        await until(lambda: key in env.store.vips and env.store.vip(key).attributes.sticky, "sticky")
        await until(lambda: held(env)[WEB] == SERVING, "serving again")
        touched = {str(getattr(write, "vip", "")) for write in writes_of(env)[before:]}
        assert touched == {WEB}


async def test_what_a_reload_changes_while_writes_are_under_way_is_made_anew_all_the_same(env: Env) -> None:
    async with env.open(config()) as controller, anyio.create_task_group() as tasks:
        await serving(controller)
        env.store.hang()
        env.fail("a")
        await until(lambda: held(env)[WEB]["10.1.0.1"] == 0, "a drained, but no reply")
        web = frontend("10.9.0.1", [("primary", {"a": 100, "b": 100})], src_ip_sticky=True)
        conf = attrs.evolve(config().lb, sticky_buckets_per_core=1024)
        new = config(frontends={"web": web, "api": config().frontends["api"]}, lb=conf)
        tasks.start_soon(apply, controller, new)  # waits for the dataplane
        await until(lambda: controller.config.lb.sticky_buckets_per_core == 1024, "the reload is taken over")
        env.store.resume()
        await controller.command(SyncDataplane(), ACTOR)
        assert env.store.vip(controller.state.frontends["web"].vip).attributes.sticky
        assert env.store.conf.sticky_buckets_per_core == 1024


async def test_a_refused_operation_is_retried_and_stops_no_other_address(env: Env) -> None:
    refused = VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)
    env.store.faults.refuse(matching=lambda wanted: isinstance(wanted, AddVip) and wanted.vip == refused)
    async with env.open(config()) as controller:
        async with controller.subscribe(EventFilter(frozenset({EventKind.SYNC}))) as subscription:
            errors: tuple[str, ...] = ()
            while not errors:
                errors = (await next_event(subscription, SyncEvent)).errors
        assert errors[0] == f"add-vip {WEB}: UNSPECIFIED"
        await until(lambda: held(env).get(API) == {"10.1.0.1": 10}, "the other address serves")
        await until(lambda: held(env).get(WEB) == SERVING, "retried")


async def test_a_dataplane_that_hangs_does_not_stop_the_probes(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        env.store.hang()
        env.fail("a")
        await until(lambda: states(controller)["a"] is BackendState.DOWN, "a down")
        probes = controller.snapshot().backends["b"].probes
        await until(lambda: controller.snapshot().backends["b"].probes > probes + 10, "probes go on")
        env.store.resume()
        await until(lambda: held(env)[WEB]["10.1.0.1"] == 0, "a drained")


async def test_a_lost_dataplane_is_told_and_connected_again(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        async with controller.subscribe(EventFilter(frozenset({EventKind.DATAPLANE}))) as subscription:
            env.store.lose()
            changes = [str((await next_event(subscription, DataplaneEvent)).change) for _ in range(2)]
        assert changes == ["lost", "connected"]
        before = len(writes_of(env))
        await controller.command(SyncDataplane(), ACTOR)
        assert len(writes_of(env)) == before


async def test_a_vip_removed_while_the_dataplane_is_away_goes_when_it_is_back(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        env.store.stop()
        await until(lambda: controller.reconciler.session is None, "lost")
        await apply(controller, config(frontends={"web": config().frontends["web"]}))
        env.store.start()
        await until(lambda: set(held(env)) == {WEB}, "the other VIP is gone")


async def test_a_snapshot_after_a_write_tells_the_very_buckets_that_the_dataplane_has(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 30), ACTOR)
        told = {member.address: member.buckets for member in controller.frontend("web").members}
        vips = (await controller.read_dataplane()).vips
        assert told == {a: s.buckets for a, s in vips[controller.state.frontends["web"].vip].servers.items()}
