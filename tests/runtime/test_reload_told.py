"""A reload says what it did, and what it could not do."""

from __future__ import annotations

import attrs
import pytest

from maglev.api import CommandResult, FailedPrecondition, PauseBackend, SetFrontendPoolBackendWeight
from maglev.config import BackendConfig, Config
from maglev.runtime import LiveControl, overrides
from maglev.runtime.configuration import Followed
from tests.runtime.conftest import ACTOR, Env, config, frontend
from tests.runtime.conftest import apply as reload


async def apply(controller: LiveControl, new: Config) -> CommandResult:
    """Reload; without the configuration's own warnings."""
    result = await reload(controller, new)
    return attrs.evolve(result, messages=tuple(text for text in result.messages if not text.startswith("maglev.")))


async def test_a_reload_of_the_same_changes_nothing_and_says_so(env: Env) -> None:
    async with env.open(config()) as controller:
        result = await apply(controller, config())
        assert (result.changed, result.messages, result.errors) == (False, (), ())


async def test_a_reload_names_what_it_added_removed_dropped_and_kept(env: Env) -> None:
    async with env.open(config()) as controller:
        await controller.command(PauseBackend("b"), ACTOR)
        await controller.command(SetFrontendPoolBackendWeight("web", "primary", "a", 30), ACTOR)
        pools = [("primary", {"a": 50, "b": 100}), ("fallback", {"spare": 100})]
        new = config(
            backends={**config().backends, "c": BackendConfig("10.1.0.3", "alive")},
            frontends={"web": frontend("10.9.0.1", pools), "new": frontend("10.9.0.3", [("primary", {"c": 100})])},
        )
        result = await apply(controller, new)
        assert result.changed
        assert result.messages == (
            "VIPs added: 10.9.0.3:80/tcp (new)",
            "VIPs removed: 10.9.0.2:80/tcp (api)",
            "frontends changed: web",
            "backends added: c",
            "overrides dropped, since the file changed their keys: weight 30 of web/primary/a",
            "overrides kept: backend b paused",
        )


async def test_many_names_are_counted(env: Env) -> None:
    async with env.open(config()) as controller:
        many = {f"x{n}": BackendConfig(f"10.2.0.{n}") for n in range(1, 200)}
        result = await apply(controller, config(backends={**config().backends, **many}))
        assert result.messages == ("backends added: x1, x10, x100, x101, x102, … (199 in all)",)


async def test_what_followers_make_of_it_is_told(env: Env) -> None:
    async def follow(_config: Config) -> Followed:
        return Followed(("exporter grpc: new certificate",), ("exporter web keeps its old options: no",))

    async with env.open(config()) as controller:
        with controller.configuration.followed(follow):
            result = await apply(controller, config())
        assert result.changed
        assert result.messages == ("exporter grpc: new certificate",)
        assert result.errors == ("exporter web keeps its old options: no",)


async def test_what_needs_a_restart_is_told_until_there_was_one(env: Env) -> None:
    async with env.open(config()) as controller:
        other = attrs.evolve(config(), dataplane="another")
        needs = "dataplane: memory stays until the daemon is started again, not another"
        messages = [_messages(controller, other) for _ in range(2)]
        assert messages == [(needs,), (needs,)]


def _messages(controller: LiveControl, new: Config) -> tuple[str, ...]:
    from maglev.runtime.restart_only import needs_restart

    found = needs_restart(controller.configuration._started_with, new)
    controller.configuration.loaded = attrs.evolve(controller.configuration.loaded, config=new)
    return found


async def test_a_refused_reload_stays_visible_until_one_succeeds(env: Env) -> None:
    async with env.open(config()) as controller:
        with pytest.raises(FailedPrecondition):
            await apply(controller, config(frontends={}))
        (trouble,) = controller.status().troubles
        assert (trouble.kind, "VIPs" in trouble.message) == ("reload", True)
        await apply(controller, config())
        assert controller.status().troubles == ()


async def test_state_that_could_not_be_saved_stays_visible_until_it_is(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with env.open(config()) as controller:
        with monkeypatch.context() as patch:

            def full(*_: object) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr(overrides, "_write_atomically", full)
            await controller.command(PauseBackend("a"), ACTOR)
        (trouble,) = controller.status().troubles
        assert (trouble.kind, "No space left" in trouble.message) == ("state", True)
        await controller.command(PauseBackend("a"), ACTOR)
        assert controller.status().troubles == ()
