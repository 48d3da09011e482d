"""The example follows a daemon as it says."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import anyio
import pytest

from maglev.api import DisableBackend
from maglev_grpc.client import Disconnected, Security
from plugins.maglev_grpc.tests.serving import running, until

SCRIPT = Path(__file__).parents[3] / "examples/grpc_watch.py"
EXAMPLE: dict[str, Any] = runpy.run_path(str(SCRIPT))


async def test_it_prints_the_state_and_then_the_changes(capsys: pytest.CaptureFixture[str]) -> None:
    async with running() as served, served.client() as client, anyio.create_task_group() as tasks:
        tasks.start_soon(EXAMPLE["follow"], served.target, Security(), 3)
        await until(lambda: served.control.bus.subscribers, "it watches")
        await client.command(DisableBackend("alpha"))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("connected to maglevd ")
    assert printed[1:4] == ["backend alpha is up", "backend beta is up", "backend spare is up"]
    assert len(printed) == 7
    assert "backend alpha: up -> disabled (disable)" in printed
    assert any(line.startswith("weight web/primary/alpha: 100 -> 0 (") for line in printed)


def test_it_says_when_the_connection_is_lost() -> None:
    assert EXAMPLE["lines"](Disconnected("lb:9090: gone", 0.5)) == ["lb:9090: gone; again in 0.5 s"]


def test_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        EXAMPLE["main"](["--help"])
    assert "host:port or unix:/path" in capsys.readouterr().out
