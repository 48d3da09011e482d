"""From a probe's verdict to the dataplane: pools fail over, flushes happen once, restarts and reloads hurt nobody."""

from __future__ import annotations

import attrs

from maglev.api import (
    BackendEvent,
    BackendState,
    DataplaneEvent,
    EventFilter,
    EventKind,
    Operation,
    SetFrontendPoolBackendWeight,
    SetWeight,
    SyncDataplane,
)
from maglev.config import BackendConfig
from maglev.runtime import LiveControl
from tests.runtime.conftest import (
    ACTOR,
    Env,
    apply,
    check,
    config,
    frontend,
    held,
    next_event,
    states,
    until,
    writes_of,
)

WEB = "10.9.0.1:80/tcp"
API = "10.9.0.2:80/tcp"


def jobs_of(controller: LiveControl) -> dict[str, object]:
    """What probes each backend."""
    return {name: controller.jobs.record(name).job for name in states(controller)}


async def test_backends_that_pass_get_their_weight_and_the_fallback_stands_by(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        await until(
            lambda: held(env) == {WEB: {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}, API: {"10.1.0.1": 10}},
            "weights written",
        )
        members = {m.backend: m for m in controller.snapshot().frontends["web"].members}
        assert members["spare"].effective_weight == 0
        assert "standing by" in members["spare"].reason


async def test_a_server_that_fails_loses_its_weight_in_every_frontend_and_its_flows_are_flushed_once(
    env: Env,
) -> None:
    async with env.open(config()) as controller:
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "a serves")
        env.fail("a")
        await until(lambda: held(env)[WEB]["10.1.0.1"] == 0 and held(env)[API]["10.1.0.1"] == 0, "a drained")
        await controller.command(SyncDataplane(), ACTOR)
        flushes = [w for w in writes_of(env) if isinstance(w, SetWeight) and w.flush]
        assert sorted(str(f.vip) for f in flushes) == [WEB, API]
        assert {str(f.server) for f in flushes} == {"10.1.0.1"}


async def test_the_fallback_takes_over_when_the_whole_primary_pool_is_down_and_gives_back(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "a serves")
        env.fail("a", "b")
        await until(lambda: held(env)[WEB] == {"10.1.0.1": 0, "10.1.0.2": 0, "10.1.0.9": 10}, "on fallback")
        assert controller.snapshot().frontends["web"].active_pool == "fallback"
        env.heal("b")
        await until(lambda: held(env)[WEB] == {"10.1.0.1": 0, "10.1.0.2": 10, "10.1.0.9": 0}, "back on primary")


async def test_no_written_table_is_ever_without_a_server_while_pools_fail_over(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "a serves")
        await until(lambda: states(controller)["spare"] is BackendState.UP, "spare up")
        before = len(env.store.journal)
        env.fail("a", "b")
        await until(lambda: held(env)[WEB]["10.1.0.9"] == 10, "on fallback")
        env.heal("a", "b")
        await until(lambda: held(env)[WEB]["10.1.0.9"] == 0, "back on primary")
        weights = {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}
        for write in writes_of(env)[before:]:
            if isinstance(write, SetWeight) and str(write.vip) == WEB:
                weights[str(write.server)] = write.weight
                assert any(weights.values())


async def test_when_none_up_hold_keeps_the_last_weights(env: Env) -> None:
    web = frontend("10.9.0.1", [("primary", {"a": 100, "b": 100})], when_none_up="hold")
    async with env.open(config(frontends={"web": web})) as controller:
        await until(lambda: held(env).get(WEB) == {"10.1.0.1": 10, "10.1.0.2": 10}, "serving")
        env.fail("a")
        await until(lambda: held(env)[WEB] == {"10.1.0.1": 0, "10.1.0.2": 10}, "a drained")
        env.fail("b")
        await until(lambda: states(controller)["b"] is BackendState.DOWN, "b down")
        await controller.command(SyncDataplane(), ACTOR)
        assert held(env)[WEB] == {"10.1.0.1": 0, "10.1.0.2": 10}
        assert controller.snapshot().frontends["web"].holding


async def test_void_results_move_nothing_and_are_shown_as_stale(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "a serves")
        env.void("a")
        await until(lambda: controller.snapshot().backends["a"].void_code == "NOFILE", "void seen")
        probes = controller.snapshot().backends["a"].probes
        await until(lambda: controller.snapshot().backends["a"].probes > probes + 10, "many void probes")
        assert controller.snapshot().backends["a"].state is BackendState.UP
        assert controller.snapshot().backends["a"].stale_since_s is not None


async def test_a_subscriber_sees_the_state_and_then_every_change(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        async with controller.subscribe(EventFilter(frozenset({EventKind.BACKEND}))) as subscription:
            assert subscription.snapshot.backends["a"].state is BackendState.UP
            env.fail("a")
            event = await next_event(subscription, BackendEvent)
            assert event.transition.to_state is BackendState.DOWN
            assert event.frontends == ("web", "api")


async def test_a_restart_lowers_no_weight_of_a_healthy_backend(env: Env) -> None:
    warm = attrs.evolve(config().lb, startup_min_delay="50ms", startup_max_delay="5s")
    async with env.open(config()) as controller:
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "a serves")
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
    before = len(env.store.journal)
    async with env.open(config(lb=warm)) as controller:
        await until(lambda: controller.snapshot().warm, "warm")
        await controller.command(SyncDataplane(), ACTOR)
    assert _lowering(env, before) == []


async def test_a_restart_in_which_a_backend_stays_without_verdict_lowers_nothing_either(env: Env) -> None:
    warm = attrs.evolve(config().lb, startup_min_delay="10ms", startup_max_delay="100ms")
    async with env.open(config()):
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "a serves")
    before = len(env.store.journal)
    env.void("a", "b", "spare")
    async with env.open(config(lb=warm)) as controller:
        await until(lambda: controller.snapshot().warm, "warm")
        await controller.command(SyncDataplane(), ACTOR)
        assert controller.snapshot().frontends["web"].members[0].effective_weight == 100
    assert _lowering(env, before) == []


async def test_nothing_is_written_before_the_minimum_delay(env: Env) -> None:
    async with env.open(config()):
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "a serves")
    before = len(env.store.journal)
    env.fail("a")
    async with env.open(config(lb=attrs.evolve(config().lb, startup_min_delay="1h", startup_max_delay="2h"))) as c:
        await until(lambda: states(c)["a"] is BackendState.DOWN, "a down")
        result = await c.command(SyncDataplane(), ACTOR)
        assert "held until the warm-up ends" in " ".join(result.messages)
    assert len(env.store.journal) == before


async def test_an_empty_dataplane_is_filled_at_once_whatever_the_clock(env: Env) -> None:
    lb = attrs.evolve(config().lb, startup_min_delay="1h", startup_max_delay="2h")
    async with env.open(config(lb=lb)):
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "filled")


async def test_a_restarted_dataplane_is_filled_again(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "a serves")
        async with controller.subscribe(EventFilter(frozenset({EventKind.DATAPLANE}))) as subscription:
            env.store.restart()
            changes = [(await next_event(subscription, DataplaneEvent)).change for _ in range(2)]
            assert [str(change) for change in changes] == ["lost", "restarted"]
        await until(lambda: held(env).get(WEB, {}).get("10.1.0.1") == 10, "filled again")


async def test_a_backend_added_by_a_reload_waits_for_its_verdict(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: held(env).get(WEB) == {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}, "serving")
        env.void("c")
        new = config(
            backends={**config().backends, "c": BackendConfig("10.1.0.3", "alive")},
            frontends={"web": frontend("10.9.0.1", [("primary", {"a": 100, "b": 100, "c": 100})])},
        )
        await apply(controller, new)
        await controller.command(SyncDataplane(), ACTOR)
        assert held(env)[WEB] == {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.3": 0}
        env.heal("c")
        await until(lambda: held(env)[WEB]["10.1.0.3"] == 10, "c serves")


async def test_a_changed_interval_of_a_shared_check_moves_no_state_and_no_weight(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        await until(lambda: held(env).get(WEB) == {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}, "web serves")
        await until(lambda: held(env).get(API) == {"10.1.0.1": 10}, "api serves")
        before, jobs = len(env.store.journal), jobs_of(controller)
        async with controller.subscribe(EventFilter()) as subscription:
            await apply(controller, config(healthchecks={"alive": check(interval=0.03)}))
            await controller.command(SyncDataplane(), ACTOR)
            batch = await subscription.events.batch()
        assert {d.event.kind for d in batch} <= {EventKind.SYNC}
        assert jobs_of(controller) == jobs
        assert len(env.store.journal) == before


async def test_a_changed_address_restarts_that_probe_only(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        jobs = jobs_of(controller)
        env.void("b")
        await apply(controller, config(backends={**config().backends, "b": BackendConfig("10.1.0.7", "alive")}))
        assert states(controller) == {
            "a": BackendState.UP,
            "b": BackendState.UNKNOWN,
            "spare": BackendState.UP,
        }
        assert {name for name, job in jobs_of(controller).items() if job is not jobs[name]} == {"b"}


async def test_a_weight_of_zero_is_a_drain_without_a_flush(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: held(env).get(WEB) == {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}, "serving")
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 0), ACTOR)
        assert held(env)[WEB] == {"10.1.0.1": 0, "10.1.0.2": 10, "10.1.0.9": 0}
        assert not any(isinstance(w, SetWeight) and w.flush for w in writes_of(env))


def _lowering(env: Env, since: int) -> list[Operation]:
    writes = writes_of(env)[since:]
    return [w for w in writes if not isinstance(w, SetWeight) or w.weight < 10]
