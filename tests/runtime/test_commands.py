"""Commands: they do what their preview said and outlive restarts, and bad ones change nothing."""

from __future__ import annotations

from ipaddress import ip_address

import attrs
import pytest

from maglev.api import (
    BackendState,
    BadArgument,
    DisableBackend,
    EnableBackend,
    FailedPrecondition,
    Flow,
    NotConnected,
    PauseBackend,
    ReloadConfig,
    ResetBackend,
    ResetFrontendPoolBackendWeight,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
    SetWeight,
    SyncDataplane,
    UnknownName,
)
from maglev.config import BackendConfig
from tests.runtime.conftest import ACTOR, Env, apply, config, frontend, held, serving, states, until, writes_of

WEB = "10.9.0.1:80/tcp"
API = "10.9.0.2:80/tcp"
SERVING = {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}


async def test_a_paused_backend_loses_its_weight_without_a_flush_and_resumes_from_unknown(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        result = await controller.command(PauseBackend("a"), ACTOR)
        assert result.changed
        assert held(env)[WEB] == {**SERVING, "10.1.0.1": 0}
        assert not (await controller.command(PauseBackend("a"), ACTOR)).changed
        await controller.command(ResumeBackend("a"), ACTOR)
        await until(lambda: held(env)[WEB] == SERVING, "resumed")
        assert not any(isinstance(w, SetWeight) and w.flush for w in writes_of(env))


async def test_a_disabled_backend_is_flushed_once_and_cannot_be_paused(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(DisableBackend("a"), ACTOR)
        with pytest.raises(FailedPrecondition, match="disabled"):
            await controller.command(PauseBackend("a"), ACTOR)
        await controller.command(SyncDataplane(), ACTOR)
        assert [str(w.vip) for w in writes_of(env) if isinstance(w, SetWeight) and w.flush] == [WEB, API]
        await controller.command(EnableBackend("a"), ACTOR)
        await until(lambda: held(env)[WEB] == SERVING, "enabled")


@pytest.mark.parametrize(
    "command",
    [PauseBackend("a"), DisableBackend("b"), SetFrontendPoolBackendWeight("web", "primary", "a", 30)],
    ids=str,
)
async def test_what_a_preview_says_happens_bucket_for_bucket(env: Env, command: PauseBackend) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        preview = {p.frontend: p for p in (await controller.preview(command)).frontends}
        before = len(writes_of(env))
        await controller.command(command, ACTOR)
        web = next(vip for key, vip in (await controller.read_dataplane()).vips.items() if str(key) == WEB)
        assert {a: s.buckets for a, s in web.servers.items()} == preview["web"].after.buckets
        assert len(writes_of(env)) - before == sum(len(p.operations) for p in preview.values())
        assert 0 < preview["web"].moved < 1


async def test_a_preview_changes_nothing(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        before = len(writes_of(env)), controller.state.overrides, states(controller)
        for command in (
            PauseBackend("a"),
            SetFrontendPoolBackendWeight("web", "primary", "a", 0),
            SyncDataplane(recreate=True),
            ReloadConfig(),
        ):
            await controller.preview(command)
        assert (len(writes_of(env)), controller.state.overrides, states(controller)) == before


async def test_a_flow_goes_where_the_trace_says_and_where_it_says_if_that_server_goes_down(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        key = controller.state.frontends["web"].vip
        flows = [Flow(ip_address(f"192.0.2.{n}"), 1000 + n) for n in range(1, 40)]
        traces = [await controller.trace_flow("web", flow) for flow in flows]
        assert [t.server for t in traces] == [await controller.reconciler.dataplane.server_for(key, f) for f in flows]  # type: ignore[attr-defined]
        assert {t.backend for t in traces} == {"a", "b"}
        env.fail("a")
        await until(lambda: held(env)[WEB]["10.1.0.1"] == 0, "a drained")
        then = [await controller.reconciler.dataplane.server_for(key, f) for f in flows]  # type: ignore[attr-defined]
        moved = [t.if_down if t.backend == "a" else after for t, after in zip(traces, then, strict=True)]
        assert moved == then


@pytest.mark.parametrize(
    "command, error, message",
    [
        (PauseBackend("aa"), UnknownName, "did you mean 'a'"),
        (SetFrontendPoolBackendWeight("webb", "primary", "a", 1), UnknownName, "did you mean 'web'"),
        (SetFrontendPoolBackendWeight("web", "primry", "a", 1), UnknownName, "did you mean 'primary'"),
        (SetFrontendPoolBackendWeight("web", "primary", "spare", 1), UnknownName, "no backend 'spare'"),
        (SetFrontendPoolBackendWeight("web", "primary", "a", 101), BadArgument, "0 to 100"),
        (SyncDataplane("nowhere"), UnknownName, "no frontend"),
    ],
    ids=str,
)
async def test_a_command_that_cannot_be_right_is_refused_with_a_hint(
    env: Env, command: PauseBackend, error: type[Exception], message: str
) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        before = len(writes_of(env))
        for ask in (controller.command(command, ACTOR), controller.preview(command)):
            with pytest.raises(error, match=message):
                await ask
        assert len(writes_of(env)) == before


async def test_a_rounded_weight_says_so(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        result = await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 1), ACTOR)
        assert "counts as 10" in " ".join(result.messages)
        assert held(env)[WEB]["10.1.0.1"] == 1


async def test_overrides_outlive_a_restart_until_they_are_cleared(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(DisableBackend("b"), ACTOR)
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 50), ACTOR)
    async with env.open(config()) as controller:
        snapshot = controller.snapshot()
        assert snapshot.backends["b"].state is BackendState.DISABLED
        assert snapshot.backends["b"].overridden
        assert snapshot.frontends["web"].members[0].overridden
        await until(lambda: held(env)[WEB] == {"10.1.0.1": 5, "10.1.0.2": 0, "10.1.0.9": 0}, "as overridden")
        await controller.command(ResetBackend("b"), ACTOR)
        await controller.command(ResetFrontendPoolBackendWeight("web", "primary", "a"), ACTOR)
        await until(lambda: held(env)[WEB] == SERVING, "as the file says")
    async with env.open(config()) as controller:
        assert not controller.state.overrides.admin
        assert not controller.state.overrides.weights


async def test_an_override_gives_way_when_the_file_changes_that_very_key(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 0), ACTOR)
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "b", 50), ACTOR)
        pools = [("primary", {"a": 80, "b": 100}), ("fallback", {"spare": 100})]
        await apply(
            controller, config(frontends={"web": frontend("10.9.0.1", pools), "api": config().frontends["api"]})
        )
        members = {m.backend: m.weight for m in controller.snapshot().frontends["web"].members}
        assert members == {"a": 80, "b": 50, "spare": 100}


async def test_a_reload_that_would_remove_most_vips_is_refused_unless_forced(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        few = config(frontends={"new": frontend("10.9.0.3", [("primary", {"a": 100})])})
        with pytest.raises(FailedPrecondition, match="2 of 2 VIPs"):
            await apply(controller, few)
        assert set(controller.snapshot().frontends) == {"web", "api"}
        await apply(controller, few, force=True)
        await until(lambda: set(held(env)) == {"10.9.0.3:80/tcp"}, "only the new one")


async def test_without_a_dataplane_a_command_is_taken_and_written_when_it_is_back(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        env.store.stop()
        await until(lambda: controller.reconciler.session is None, "lost")
        result = await controller.command(PauseBackend("a"), ACTOR)
        assert "when the dataplane is back" in " ".join(result.messages)
        with pytest.raises(NotConnected):
            await controller.command(SyncDataplane(), ACTOR)
        env.store.start()
        await until(lambda: held(env)[WEB] == {**SERVING, "10.1.0.1": 0}, "written")


async def test_a_backend_that_leaves_the_file_ends_removed_and_its_server_goes(env: Env) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        backends = {name: b for name, b in config().backends.items() if name != "b"}
        pools = [("primary", {"a": 100}), ("fallback", {"spare": 100})]
        new = config(
            backends=backends, frontends={"web": frontend("10.9.0.1", pools), "api": config().frontends["api"]}
        )
        await apply(controller, new)
        await until(lambda: held(env)[WEB] == {"10.1.0.1": 10, "10.1.0.9": 0}, "b gone")
        assert "b" not in controller.snapshot().backends


async def test_a_static_backend_is_up_at_once(env: Env) -> None:
    backends = {**config().backends, "a": BackendConfig("10.1.0.1")}
    async with env.open(config(backends=backends)) as controller:
        assert states(controller)["a"] is BackendState.UP
        await until(lambda: held(env).get(API) == {"10.1.0.1": 10}, "serving")
        await controller.command(DisableBackend("a"), ACTOR)
        await controller.command(EnableBackend("a"), ACTOR)
        assert states(controller)["a"] is BackendState.UP


async def test_every_command_leaves_one_audit_record_whatever_becomes_of_it(
    env: Env, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "maglev.audit")
    async with env.open(config()) as controller:
        await serving(controller)
        env.store.faults.refuse(matching=lambda operation: isinstance(operation, SetWeight), times=None)
        failed = await controller.command(PauseBackend("a"), attrs.evolve(ACTOR, why="token"))
        with pytest.raises(UnknownName):
            await controller.command(PauseBackend("nope"), ACTOR)
        env.store.faults.clear()
        await controller.command(PauseBackend("a"), ACTOR)
        monkeypatch.setattr(type(controller.state), "fork", broken)
        with pytest.raises(RuntimeError):
            await controller.command(ResumeBackend("a"), ACTOR)
    records = [getattr(record, "maglev_fields", {}) for record in caplog.records if record.name == "maglev.audit"]
    assert [(record["command"], record["who"], record["why"], record["outcome"]) for record in records] == [
        ("PauseBackend", ACTOR.name, "token", "incomplete"),
        ("PauseBackend", ACTOR.name, "", "refused"),
        ("PauseBackend", ACTOR.name, "", "unchanged"),
        ("ResumeBackend", ACTOR.name, "", "broken-off"),
    ]
    assert (records[0]["changed"], len(failed.errors), records[0]["errors"]) == (True, 2, failed.errors)
    assert records[1]["refused"].startswith("no backend 'nope'")
    assert records[3]["broken_off"] == "RuntimeError: a fault of ours"


def broken(*_: object) -> bool:
    raise RuntimeError("a fault of ours")
