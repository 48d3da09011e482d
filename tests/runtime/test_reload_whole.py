"""A reload is all or nothing: whatever fails in a plugin or on the disk, everything stays as it was."""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import anyio
import attrs
import pytest

from maglev.api import (
    BackendState,
    Checker,
    FailedPrecondition,
    PauseBackend,
    ReloadConfig,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
    Snapshot,
    option,
)
from maglev.config import BackendConfig, Config, HealthCheckConfig, PluginSet
from maglev.dataplanes.memory import MemoryDataplane
from maglev.runtime import LiveControl, overrides
from tests.runtime.conftest import (
    ACTOR,
    Env,
    Scripted,
    apply,
    check,
    config,
    frontend,
    held,
    serving,
    states,
    until,
    writes_of,
)

WEB = "10.9.0.1:80/tcp"
API = "10.9.0.2:80/tcp"
SERVING = {"10.1.0.1": 10, "10.1.0.2": 10, "10.1.0.9": 0}


class Broken(RuntimeError):
    """A plugin's fault."""


class Touchy:
    """Part of a checker's options: comparing it fails once it is told to."""

    fails: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        if Touchy.fails:
            raise Broken("cannot be compared")
        return isinstance(other, Touchy)

    __hash__ = None  # type: ignore[assignment]


@attrs.frozen
class Options:
    """Options of a checker of a stranger's."""

    level: int = option(0, help="Anything")
    touchy: Any = option(factory=Touchy, help="Anything")


class Fragile(Scripted):
    """A checker whose construction fails at the n-th time from now."""

    name: ClassVar[str] = "fragile"
    Options: ClassVar[type[Any]] = Options
    left: ClassVar[int | None] = None
    closed: ClassVar[list[int]] = []

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        if Fragile.left is not None:
            Fragile.left -= 1
            if Fragile.left < 0:
                raise Broken("cannot be built")

    def close(self) -> None:
        Fragile.closed.append(self.options.level)
        raise Broken("cannot be closed")


class Shapeless(Checker):
    """A class that an upgrade made useless: it has none of the three shapes."""

    name: ClassVar[str] = "shapeless"
    Options: ClassVar[type[Any]] = Options
    needs_port: ClassVar[bool] = False


PLUGINS = PluginSet(
    checkers={"scripted": Scripted, "fragile": Fragile, "shapeless": Shapeless}, dataplanes={"memory": MemoryDataplane}
)


@pytest.fixture
def fragile_env(env: Env, monkeypatch: pytest.MonkeyPatch) -> Env:
    """An environment with strangers' checkers."""
    monkeypatch.setattr("tests.runtime.conftest.PLUGINS", PLUGINS)
    Fragile.left, Touchy.fails = None, False
    Fragile.closed.clear()
    return env


def before_it() -> Config:
    """Three health checks of a stranger's checker, so that the n-th can fail."""
    return config(healthchecks=checks(1))


def after_it(level: int = 2) -> Config:
    """Everything is different: checks, backends, frontends, weights, and a key that an override stood for."""
    pools = [("primary", {"a": 50, "c": 100}), ("fallback", {"spare": 100})]
    return config(
        healthchecks=checks(level),
        backends={
            "a": BackendConfig("10.1.0.1", "alive"),
            "c": BackendConfig("10.1.0.3", "second"),
            "spare": BackendConfig("10.1.0.99", "third", enabled=False),
        },
        frontends={"web": frontend("10.9.0.1", pools, src_ip_sticky=True), "new": frontend("10.9.0.3", pools)},
    )


def checks(level: int) -> dict[str, HealthCheckConfig]:
    return {name: check(type="fragile", params={"level": level}) for name in ("alive", "second", "third")}


def plain(snapshot: Snapshot) -> Any:
    """A snapshot without what goes on by itself."""
    backends = {
        name: attrs.evolve(b, probes=0, last_result=None, last_result_at_s=None)
        for name, b in snapshot.backends.items()
    }
    return attrs.evolve(snapshot, at_s=0.0, sequence=0, backends=backends)


async def refused(
    env: Env, controller: LiveControl, spoil: Callable[[], None], match: str, new: Config | None = None
) -> None:
    """Reload while something is spoilt, and hold what is then against what was."""
    await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 30), ACTOR)
    file = anyio.Path(env.state_dir / "overrides.json")
    before, kept, written = plain(controller.snapshot()), await file.read_bytes(), len(writes_of(env))
    spoil()
    with pytest.raises(FailedPrecondition, match=match):
        await apply(controller, new or after_it(), force=True)
    assert plain(controller.snapshot()) == before
    assert await file.read_bytes() == kept
    assert writes_of(env)[written:] == []
    # Nor does anything of it come out later.
    await controller.command(PauseBackend("b"), ACTOR)
    await controller.command(ResumeBackend("b"), ACTOR)
    await until(lambda: states(controller)["b"] is BackendState.UP, "b up again")
    probes = controller.snapshot().backends["b"].probes
    await until(lambda: controller.snapshot().backends["b"].probes > probes + 3, "probes go on")
    assert {str(getattr(w, "vip", "")) for w in writes_of(env)[written:]} <= {WEB}
    assert set(controller.snapshot().frontends) == {"web", "api"}


@pytest.mark.parametrize("at", range(6))
async def test_a_checker_that_cannot_be_built_stops_the_reload_at_any_of_them(fragile_env: Env, at: int) -> None:
    """Each of the three is built twice: to learn whether it takes its options, and for good."""
    async with fragile_env.open(before_it()) as controller:
        await serving(controller)

        def spoil() -> None:
            Fragile.left = at
            Fragile.closed.clear()

        await refused(fragile_env, controller, spoil, r"cannot be built")
        await until(lambda: Fragile.closed == [2] * at, "all that was built for nothing is closed")


async def test_a_checker_without_a_shape_stops_the_reload(fragile_env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fragile_env.open(before_it()) as controller:
        await serving(controller)

        def spoil() -> None:
            monkeypatch.setitem(PLUGINS.checkers, "fragile", Shapeless)

        await refused(fragile_env, controller, spoil, "shapeless is not a StreamChecker")


async def test_options_that_cannot_be_compared_stop_the_reload(fragile_env: Env) -> None:
    async with fragile_env.open(before_it()) as controller:
        await serving(controller)

        def spoil() -> None:
            Touchy.fails = True

        await refused(fragile_env, controller, spoil, "cannot be compared", after_it(level=1))


async def test_a_disk_that_is_full_stops_the_reload_that_drops_an_override(
    fragile_env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fragile_env.open(before_it()) as controller:
        await serving(controller)
        with monkeypatch.context() as patch:

            def full(*_: object) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            def spoil() -> None:
                patch.setattr(overrides, "_write_atomically", full)

            await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 30), ACTOR)
            before, written = plain(controller.snapshot()), len(writes_of(fragile_env))
            spoil()
            with pytest.raises(FailedPrecondition, match=r"stays as it was: .*No space left"):
                await apply(controller, after_it(), force=True)
            assert plain(controller.snapshot()) == before
            assert writes_of(fragile_env)[written:] == []
        await apply(controller, after_it(), force=True)
        assert set(controller.snapshot().frontends) == {"web", "new"}
        assert not controller.state.overrides.weights


async def test_a_fault_in_the_step_itself_leaves_everything_as_it_was(
    fragile_env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours at any call within the step, one after the other."""
    from maglev.domain.state import reload

    async with fragile_env.open(before_it()) as controller:
        await serving(controller)
        names = ["users_of", "transit", "note_departures", "reassess", "infer_steps", "probe_effect"]
        for name in names:
            with monkeypatch.context() as patch:
                patch.setattr(reload, name, broken)
                before, written = plain(controller.snapshot()), len(writes_of(fragile_env))
                with pytest.raises(FailedPrecondition, match="Broken"):
                    await apply(controller, after_it(), force=True)
                assert plain(controller.snapshot()) == before
                assert writes_of(fragile_env)[written:] == []


def broken(*_: object, **__: object) -> Any:
    raise Broken("a fault of ours")


async def test_an_override_that_a_full_disk_did_not_take_is_saved_by_repeating_the_command(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        with monkeypatch.context() as patch:

            def full(*_: object) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(overrides, "_write_atomically", full)
            result = await controller.command(PauseBackend("a"), ACTOR)
            assert "in force, but lost at the next restart" in " ".join(result.messages)
            assert held(env)[WEB]["10.1.0.1"] == 0
            again = await controller.command(PauseBackend("a"), ACTOR)
            assert "lost at the next restart" in " ".join(again.messages)
        result = await controller.command(PauseBackend("a"), ACTOR)
        assert (result.changed, result.messages) == (False, ())
    async with env.open(config()) as controller:
        assert states(controller)["a"] is BackendState.PAUSED


async def test_a_file_that_cannot_be_read_stops_the_reload(env: Env, tmp_path: Path) -> None:
    async with env.open(config()) as controller:
        await serving(controller)
        before = plain(controller.snapshot())
        controller.configuration.read_from(tmp_path / "missing.yaml")
        for ask in (controller.preview(ReloadConfig()), controller.command(ReloadConfig(), ACTOR)):
            with pytest.raises(FailedPrecondition, match="No such file"):
                await ask
        assert plain(controller.snapshot()) == before
        assert ip_address("10.1.0.1") in {m.address for m in controller.frontend("web").members}
