"""An upgrade under a running daemon is noticed: a reload is refused, and says why."""

from __future__ import annotations

import shutil
import sys
import types
from pathlib import Path

import anyio
import pytest

from maglev.api import FailedPrecondition, ReloadConfig
from maglev.runtime.on_disk import RunningCode
from tests.runtime.conftest import ACTOR, Env

YAML = """
maglev:
  dataplane: memory
  memory: {lb: {startup-min-delay: 0, startup-max-delay: 0}}
  backends: {a: {address: 10.1.0.1}}
  frontends:
    web: {address: 10.9.0.1, protocol: tcp, port: 80, pools: [{name: primary, backends: {a: {}}}]}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the core, on a disk of the test's own."""
    file = tmp_path / "extra.py"
    file.write_text("VERSION = 1\n")
    made = types.ModuleType("maglev.extra_of_a_test")
    made.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "maglev.extra_of_a_test", made)
    return file


def test_all_modules_of_the_core_are_looked_at() -> None:
    code = RunningCode()
    code.note()
    assert any(path.endswith("runtime/settings.py") for path in code.files)
    assert not any("/attr/" in path for path in code.files)
    assert code.changed() == ()


@pytest.mark.parametrize("how", ["rewritten", "replaced", "removed"])
def test_a_file_that_changed_is_named(how: str, module: Path, tmp_path: Path) -> None:
    code = RunningCode()
    code.note()
    if how == "rewritten":
        module.write_text("VERSION = 22\n")
    elif how == "replaced":
        shutil.copy2(module, tmp_path / "new")
        (tmp_path / "new").replace(module)
    else:
        module.unlink()
    assert code.changed() == (str(module),)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration."""
    made = tmp_path / "maglev.yaml"
    made.write_text(YAML)
    return made


async def test_a_reload_after_an_upgrade_is_refused(env: Env, module: Path, file: Path) -> None:
    async with env.open(file) as controller:
        await controller.command(ReloadConfig(), ACTOR)
        await anyio.Path(module).write_text("VERSION = 22\n")
        with pytest.raises(FailedPrecondition, match="upgraded on disk: restart"):
            await controller.command(ReloadConfig(), ACTOR)
        assert set(controller.snapshot().frontends) == {"web"}
