"""A reload whose file does not answer, and commands whose caller is gone."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio import to_process

from maglev.api import BackendState, FailedPrecondition, PauseBackend, ReloadConfig, ResumeBackend
from maglev.config import ConfigError, PluginSet, load_in_subprocess, other_process
from maglev.config.other_process import in_other_process
from maglev.dataplanes.memory import MemoryDataplane
from maglev.library import installed
from maglev.runtime import LiveControl, Settings, open_controller
from tests.runtime.conftest import ACTOR, Env, config, states, until

HTTP = installed({"MAGLEV_LOAD_PLUGINS": "http"})
PLUGINS = PluginSet(dataplanes={"memory": MemoryDataplane})
YAML = """
maglev:
  dataplane: memory
  vpp: {lb: {startup-min-delay: 0, startup-max-delay: 0}}
  backends: {a: {address: 10.1.0.1}}
"""


@asynccontextmanager
async def controlled(path: Path, within_s: float = 600) -> AsyncIterator[LiveControl]:
    """A controller whose file then becomes a pipe that nobody writes to."""
    await anyio.Path(path).write_text(YAML)
    async with open_controller(Settings(path, PLUGINS, read_within_s=within_s)) as controller:
        await anyio.Path(path).unlink()
        os.mkfifo(path)
        yield controller


def readers() -> int:
    """How many processes there are that read."""
    try:
        return len(to_process._process_pool_workers.get()) - len(to_process._process_pool_idle_workers.get())
    except LookupError:
        return 0


async def test_a_file_that_does_not_answer_is_given_up_and_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "maglev.yaml"
    async with controlled(path, within_s=0.5) as controller:
        with pytest.raises(
            FailedPrecondition, match=r"stays as it was:\n.*maglev.yaml: could not be read within 0.5 s"
        ):
            await controller.command(ReloadConfig(), ACTOR)
        await until(lambda: not other_process._left, "the process has ended")
        assert not readers()
        (problem,) = await controller.check_config()
        assert "could not be read within 0.5 s" in problem.message
        assert controller.configuration.reloads == {"success": 0, "failure": 1}
        await anyio.Path(path).unlink()
        await anyio.Path(path).write_text(YAML.replace("a: ", "b: "))
    async with open_controller(Settings(path, PLUGINS)) as controller:
        assert (await controller.command(ReloadConfig(), ACTOR)).errors == ()


async def test_other_commands_do_not_wait_for_a_file_that_does_not_answer(tmp_path: Path) -> None:
    path = tmp_path / "maglev.yaml"
    async with controlled(path) as controller, anyio.create_task_group() as tasks:
        tasks.start_soon(controller.command, ReloadConfig(), ACTOR)
        await until(readers, "it reads")
        await controller.command(PauseBackend("a"), ACTOR)
        assert states(controller)["a"] is BackendState.PAUSED
        tasks.cancel_scope.cancel()


async def test_a_reload_whose_caller_is_gone_is_not_carried_out(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level("INFO", "maglev.audit")
    path = tmp_path / "maglev.yaml"
    async with controlled(path) as controller:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(controller.command, ReloadConfig(), ACTOR)
            await until(readers, "it reads")
            tasks.cancel_scope.cancel()
        await until(lambda: not readers(), "the process is killed")
        assert controller.configuration.reloads == {"success": 0, "failure": 0}
        record = caplog.records[-1]
        assert record.maglev_fields["refused"] == "not carried out: its sender is gone"


async def test_a_command_whose_caller_is_gone_while_it_waits_is_not_carried_out(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        commands = controller.commands
        async with commands._one_at_a_time, anyio.create_task_group() as tasks:
            tasks.start_soon(controller.command, PauseBackend("a"), ACTOR)
            await until(lambda: commands._one_at_a_time.statistics().tasks_waiting, "it waits")
            tasks.cancel_scope.cancel()
        await controller.command(PauseBackend("b"), ACTOR)
        assert states(controller) == {"a": BackendState.UP, "b": BackendState.PAUSED, "spare": BackendState.UP}


async def test_a_command_that_has_begun_is_carried_to_its_end(env: Env) -> None:
    async with env.open(config()) as controller:
        await until(lambda: set(states(controller).values()) == {BackendState.UP}, "all up")
        begun, results = anyio.Event(), []
        change = type(controller.commands._execution).change

        async def slow(*arguments: Any, **options: Any) -> Any:
            begun.set()
            await anyio.lowlevel.checkpoint()
            return await change(controller.commands._execution, *arguments, **options)

        with pytest.MonkeyPatch.context() as patch, anyio.CancelScope() as scope:
            patch.setattr(controller.commands._execution, "change", slow)
            async with anyio.create_task_group() as tasks:

                async def cancel() -> None:
                    await begun.wait()
                    scope.cancel()

                tasks.start_soon(cancel)
                results.append(await controller.command(PauseBackend("a"), ACTOR))
        assert results[0].changed
        assert states(controller)["a"] is BackendState.PAUSED
        await controller.command(ResumeBackend("a"), ACTOR)


async def test_a_process_that_cannot_be_killed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs in the kernel dies when the disk comes back, if ever."""
    back, began = anyio.Event(), anyio.Event()

    async def hangs(*_: object, **__: object) -> None:
        try:
            began.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await back.wait()

    monkeypatch.setattr(to_process, "run_sync", hangs)
    with pytest.raises(TimeoutError):
        await in_other_process(int, 0.05)
    assert began.is_set()
    assert len(other_process._left) == 1
    back.set()
    await until(lambda: not other_process._left, "nothing is left of it")


async def test_a_file_that_a_check_names_is_looked_at_by_that_process_too(tmp_path: Path) -> None:
    authorities, path = tmp_path / "ca.pem", tmp_path / "maglev.yaml"
    os.mkfifo(authorities)
    check = f"{{type: https, port: 443, params: {{ca-file: {authorities}}}}}"
    await anyio.Path(path).write_text(f"maglev: {{healthchecks: {{c: {check}}}}}")
    with pytest.raises(ConfigError, match=r"ca-file .*ca.pem cannot be used: it is not a regular file"):
        await load_in_subprocess(path, HTTP, within_s=2)
