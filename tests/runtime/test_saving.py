"""A disk that does not answer holds no command up, and in the end the file has what is in force."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import attrs
import pytest

from maglev.api import BackendState, FailedPrecondition, PauseBackend, ReloadConfig, ResumeBackend
from maglev.config import BackendConfig
from maglev.runtime import overrides, saving
from tests.runtime.conftest import ACTOR, Env, config, states, until


@attrs.define
class Disk:
    """A disk that can be told not to answer."""

    answers: threading.Event = attrs.field(factory=threading.Event)

    def hang(self) -> None:
        self.answers.clear()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    write = overrides._write_atomically

    def slow(path: Path, text: str) -> None:
        disk.answers.wait()
        write(path, text)

    monkeypatch.setattr(overrides, "_write_atomically", slow)
    monkeypatch.setattr(saving, "SAVE_WITHIN_S", 0.05)
    disk.answers.set()
    yield disk
    disk.answers.set()


async def on_disk(env: Env) -> list[str]:
    return sorted(json.loads(await anyio.Path(env.state_dir / "overrides.json").read_text())["backends"])


async def test_commands_do_not_wait_for_a_disk_and_the_last_of_them_is_saved(env: Env, disk: Disk) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        disk.hang()
        for command in (PauseBackend("a"), PauseBackend("b"), ResumeBackend("a")):
            result = await controller.command(command, ACTOR)
            assert result.changed
            assert "lost at the next restart" in result.messages[-1]
            assert "the disk does not answer" in result.messages[-1]
        assert [one.kind for one in controller.status().troubles] == ["state"]
        disk.answers.set()
        await until(lambda: not controller.status().troubles, "all is saved")
        assert await on_disk(env) == ["b"]


async def test_what_is_taken_back_while_the_disk_hangs_is_not_there_when_it_is_back(env: Env, disk: Disk) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        disk.hang()
        await controller.command(PauseBackend("a"), ACTOR)
        await controller.command(ResumeBackend("a"), ACTOR)  # now all is as the file has it, but not for long
        disk.answers.set()
        await until(lambda: not controller.status().troubles, "all is saved")
        assert await on_disk(env) == []


async def test_a_refused_reload_drops_no_override_when_the_disk_is_back(env: Env, disk: Disk) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        await controller.command(PauseBackend("a"), ACTOR)
        controller.configuration.read_from(
            config(backends={**config().backends, "a": BackendConfig("10.1.0.1", "alive", enabled=False)})
        )
        disk.hang()
        with pytest.raises(FailedPrecondition, match="the disk does not answer"):
            await controller.command(ReloadConfig(), ACTOR)
        assert states(controller)["a"] is BackendState.PAUSED
        disk.answers.set()
        await controller.command(PauseBackend("b"), ACTOR)
        assert await on_disk(env) == ["a", "b"]
