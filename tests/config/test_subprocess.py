"""A large file can be read in another process."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from maglev.config import ConfigError, load_in_subprocess
from tests.config.fakes import ALL
from tests.config.wording import MINIMAL, loaded


async def test_file_is_loaded_in_another_process(tmp_path: Path) -> None:
    path = anyio.Path(tmp_path / "m.yaml")
    await path.write_text(MINIMAL)
    assert (await load_in_subprocess(str(path), ALL)).config == loaded(MINIMAL)


async def test_problems_come_back_from_another_process(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        await load_in_subprocess(tmp_path / "absent.yaml", ALL)
    assert caught.value.status == 1
