"""A dry run predicts exactly what happens: each fault that was seen, by name."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import anyio
import attrs
import pytest

from maglev.api import (
    BackendState,
    DisableBackend,
    Encap,
    FailedPrecondition,
    FrontendPreview,
    IPProtocol,
    PauseBackend,
    Preview,
    ReloadConfig,
    ResetBackend,
    ServerState,
    SetWeight,
    SyncDataplane,
    VipAttributes,
    VipKey,
    VipState,
)
from maglev.config import BackendConfig, Config
from maglev.domain.describe import describe
from maglev.runtime import LiveControl
from tests.runtime.conftest import ACTOR, Env, apply, check, config, frontend, held, serving, states, until, writes_of

WEB = "10.9.0.1:80/tcp"
API = "10.9.0.2:80/tcp"
SERVING = {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}
FOREIGN = VipKey(ip_address("10.9.9.9"), IPProtocol.TCP, 443)


def static(**changes: BackendConfig) -> dict[str, BackendConfig]:
    """Backends without health checks: what happens to them happens at once."""
    backends = {"a": BackendConfig("10.1.0.1"), "b": BackendConfig("10.1.0.2"), "spare": BackendConfig("10.1.0.9")}
    return {**backends, **changes}


def of(preview: Preview, name: str) -> FrontendPreview:
    return next(frontend for frontend in preview.frontends if frontend.frontend == name)


async def foretold(env: Env, controller: LiveControl, new: Config, *, force: bool = False) -> Preview:
    """Preview a reload, do it, and hold what was written and what is held against the preview."""
    controller.configuration.read_from(new)
    preview = await controller.preview(ReloadConfig(force=force))
    before = len(writes_of(env))
    result = await controller.command(ReloadConfig(force=force), ACTOR)
    assert preview.operations == tuple(map(describe, writes_of(env)[before:]))
    assert preview.messages == result.messages
    for each in preview.frontends:
        if each.frontend in controller.state.frontends:
            snapshot = controller.frontend(each.frontend)
            assert each.after.buckets == {m.address: m.buckets for m in snapshot.members if m.buckets is not None}
            assert (each.after.state, each.after.active_pool) == (snapshot.state, snapshot.active_pool)
    assert {b.backend: b.after for b in preview.backends if b.after} == {
        b.backend: states(controller)[b.backend] for b in preview.backends if b.after
    }
    return preview


async def test_reset_of_a_paused_backend_resumes_it(env: Env) -> None:
    async with env.open(config(backends=static())) as controller:
        await serving(controller)
        await controller.command(PauseBackend("a"), ACTOR)
        preview = await controller.preview(ResetBackend("a"))
        assert [(b.backend, b.before, b.after) for b in preview.backends] == [
            ("a", BackendState.PAUSED, BackendState.UP)
        ]
        web = of(preview, "web")
        assert (web.before.weights["a"], web.after.weights["a"]) == (0, 100)
        before = len(writes_of(env))
        await controller.command(ResetBackend("a"), ACTOR)
        assert preview.operations == tuple(map(describe, writes_of(env)[before:]))
        assert states(controller)["a"] is BackendState.UP


async def test_reset_of_a_paused_backend_with_a_check_is_foretold_as_if_its_first_probe_passed(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(PauseBackend("a"), ACTOR)
        preview = await controller.preview(ResetBackend("a"))
        assert of(preview, "web").after.weights["a"] == 100
        assert preview.messages == ("a is probed from unknown: its weight follows from its first probe",)
        before = len(writes_of(env))
        result = await controller.command(ResetBackend("a"), ACTOR)
        assert result.messages == preview.messages
        await until(lambda: held(env)[WEB] == SERVING and held(env)[API] == {"10.1.0.1": 10}, "serving again")
        assert sorted(preview.operations) == sorted(map(describe, writes_of(env)[before:]))


async def test_a_reload_after_enabled_false_was_written_disables_the_backend(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        off = {**config().backends, "a": BackendConfig("10.1.0.1", "alive", enabled=False)}
        preview = await foretold(env, controller, config(backends=off))
        assert of(preview, "web").after.weights["a"] == 0
        assert of(preview, "web").flushed == (ip_address("10.1.0.1"),)
        assert states(controller)["a"] is BackendState.DISABLED


@pytest.mark.parametrize("healthcheck", [None, "alive"])
async def test_a_reload_that_adds_a_disabled_backend_gives_it_no_flows(env: Env, healthcheck: str | None) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        env.void("c")
        new = config(
            backends={**config().backends, "c": BackendConfig("10.1.0.3", healthcheck, enabled=False)},
            frontends={
                "web": frontend(
                    "10.9.0.1", [("primary", {"a": 100, "b": 100, "c": 100}), ("fallback", {"spare": 100})]
                ),
                "api": config().frontends["api"],
            },
        )
        preview = await foretold(env, controller, new)
        assert of(preview, "web").after.weights == {"a": 100, "b": 100, "c": 0, "spare": 0}


async def test_a_reload_of_an_unchanged_file_leaves_drift_alone(env: Env) -> None:
    web = VipKey(ip_address("10.9.0.1"), IPProtocol.TCP, 80)
    made = VipAttributes(Encap.GRE4, 1024)
    env.store.add_foreign_vip(web, VipState(made, {ip_address(a): ServerState(10) for a in ("10.1.0.1", "10.1.0.2")}))
    async with env.open(config()) as controller:
        await serving(controller)
        assert controller.frontend("web").drift
        preview = await foretold(env, controller, config())
        assert (preview.frontends, preview.operations) == ((), ())


async def test_a_sync_that_prunes_says_which_vips_of_others_go(env: Env) -> None:
    made = VipState(VipAttributes(Encap.GRE4, 1024), {ip_address("10.1.0.50"): ServerState(7)})
    env.store.add_foreign_vip(FOREIGN, made)
    async with env.open(config()) as controller:
        await serving(controller)
        preview = await controller.preview(SyncDataplane(prune=True))
        before = len(writes_of(env))
        result = await controller.command(SyncDataplane(prune=True), ACTOR)
        assert preview.operations == tuple(map(describe, writes_of(env)[before:]))
        assert preview.operations[-1] == f"delete-vip {FOREIGN}"
        assert preview.messages == result.messages
        assert str(FOREIGN) not in held(env)


async def test_a_reload_that_changes_a_vips_address_says_that_the_old_one_is_deleted(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        web = attrs.evolve(config().frontends["web"], address="10.9.0.7")
        preview = await foretold(env, controller, config(frontends={"web": web, "api": config().frontends["api"]}))
        assert f"delete-vip {WEB}" in of(preview, "web").operations
        assert of(preview, "web").moved == 1.0


async def test_a_sync_after_tampering_says_what_it_puts_right(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        key = controller.state.frontends["web"].vip
        env.store.write(SetWeight(key, ip_address("10.1.0.2"), 3))
        before = len(writes_of(env))
        preview = await controller.preview(SyncDataplane())
        assert of(preview, "web").before.table_weights[ip_address("10.1.0.2")] == 3
        await controller.command(SyncDataplane(), ACTOR)
        assert preview.operations == tuple(map(describe, writes_of(env)[before:]))
        assert preview.operations == (f"set-weight {WEB} 10.1.0.2 weight 10",)


async def test_a_reload_that_swaps_two_addresses_says_all_that_it_does(env: Env) -> None:
    async with env.open(config(healthchecks={"alive": check(interval=0.02)})) as controller:
        await serving(controller)
        await controller.command(DisableBackend("a"), ACTOR)
        env.void("a", "b")
        swapped = {"a": BackendConfig("10.1.0.2", "alive"), "b": BackendConfig("10.1.0.1", "alive")}
        await foretold(env, controller, config(backends={**config().backends, **swapped}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "maglev.yaml"
    path.write_text(yaml("web", "api", "dns"))
    return path


def yaml(*names: str, extra: str = "") -> str:
    """A file with frontends of these names, all on one static backend."""
    lines = ["maglev:", "  dataplane: memory", "  memory: {lb: {startup-min-delay: 0s, startup-max-delay: 0s}}"]
    lines += ["  backends:", "    a: {address: 10.1.0.1}", "  frontends:"]
    for at, name in enumerate(names, start=1):
        lines.append(
            f"    {name}: {{address: 10.9.0.{at}, protocol: tcp, port: 80, "
            "pools: [{name: p, backends: {a: {}}}]}"
        )
    return "\n".join([*lines, extra, ""])


async def test_a_configuration_that_removes_most_vips_is_refused_by_check_dry_run_and_reload_alike(
    env: Env, file: Path
) -> None:
    async with env.open(file) as controller:
        assert await controller.check_config() == ()
        await anyio.Path(file).write_text(yaml("other"))
        (problem,) = await controller.check_config()
        assert "would remove 2 of 3 VIPs" in problem.message
        for ask in (controller.preview(ReloadConfig()), controller.command(ReloadConfig(), ACTOR)):
            with pytest.raises(FailedPrecondition, match="would remove 2 of 3 VIPs"):
                await ask
        assert (await controller.preview(ReloadConfig(force=True))).operations


async def test_an_override_that_a_reload_dropped_does_not_come_back_at_the_next_restart(env: Env) -> None:
    from maglev.api import SetFrontendPoolBackendWeight

    pools = [("primary", {"a": 60, "b": 100}), ("fallback", {"spare": 100})]
    other = config(frontends={"web": frontend("10.9.0.1", pools), "api": config().frontends["api"]})
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 0), ACTOR)
        await controller.command(PauseBackend("b"), ACTOR)
        off = {**config().backends, "b": BackendConfig("10.1.0.2", "alive", enabled=False)}
        await apply(controller, attrs.evolve(other, backends=off))
        await apply(controller, config())
        await until(lambda: held(env)[WEB] == SERVING, "as the file says")
    before = len(writes_of(env))
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(SyncDataplane(), ACTOR)
        assert not controller.state.overrides.weights
        assert not controller.state.overrides.admin
    assert writes_of(env)[before:] == []


async def test_an_override_that_the_file_made_void_while_the_daemon_was_down_does_not_come_back(env: Env) -> None:
    off = {**config().backends, "a": BackendConfig("10.1.0.1", "alive", enabled=False)}
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(PauseBackend("a"), ACTOR)
    async with env.open(config(backends=off)):
        pass
    async with env.open(config()) as controller:
        assert not controller.state.overrides.admin
        await serving(controller)


async def test_two_frontends_of_one_address_each_tell_of_their_own_operations(env: Env) -> None:
    second = frontend("10.9.0.1", [("primary", {"b": 100})], port=443)
    both = config(frontends={**config().frontends, "tls": second})
    async with env.open(both) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        await until(lambda: held(env).get("10.9.0.1:443/tcp") == {"10.1.0.2": 10}, "serving")
        await serving(controller)
        preview = await controller.preview(PauseBackend("b"))
        assert [len(of(preview, name).operations) for name in ("web", "tls")] == [1, 1]
        assert len(preview.operations) == 2


@pytest.mark.parametrize("address", ["10.9.0.0", "10.9.0.9"], ids=["before the old one", "after it"])
async def test_operations_of_a_frontend_that_moves_are_told_in_the_order_in_which_they_are_sent(
    env: Env, address: str
) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        moved = frontend(address, [("primary", {"a": 100, "b": 100}), ("fallback", {"spare": 100})])
        preview = await foretold(env, controller, config(frontends={**config().frontends, "web": moved}))
        assert of(preview, "web").operations == preview.operations
