"""If the dataplane refuses part of a change, `maglevc` fails and says so, and a sync corrects it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator

import anyio
import grpc.aio
import pytest

from maglev.api import SetWeight
from plugins.maglev_cli.tests.site import MAGLEVC, environment
from plugins.maglev_grpc.tests.serving import Served, running


@pytest.fixture(scope="module", autouse=True)
async def _one_loop_for_all(anyio_backend: str) -> AsyncIterator[None]:
    """Keep gRPC's thread for all tests here: joining it, as the last server goes, would block the loop."""
    grpc.aio.init_grpc_aio()
    yield
    grpc.aio.shutdown_grpc_aio()


async def maglevc(served: Served, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run `maglevc` against a controller that runs in this process."""
    with anyio.fail_after(60):
        return await anyio.run_process(
            [*MAGLEVC, "--server", served.target, *words], check=False, env=environment(), stdin=subprocess.DEVNULL
        )


async def test_what_was_not_written_is_red_and_the_exit_status_is_1() -> None:
    async with running() as served:
        served.store.faults.refuse(matching=lambda operation: isinstance(operation, SetWeight), times=None)
        done = await maglevc(served, "--color", "set", "backend", "alpha", "pause")
        assert (done.returncode, done.stdout) == (1, b"")
        lines = done.stderr.decode().splitlines()
        assert len(lines) == 2  # alpha stands behind two frontends
        assert all(line.startswith("\x1b[31mfailed: ") and line.endswith("\x1b[0m") for line in lines)
        assert all("10.1.0.1" in line for line in lines)
        assert served.control.snapshot().backends["alpha"].state == "paused"


async def test_json_has_the_errors_too_and_the_next_sync_has_none() -> None:
    async with running() as served:
        served.store.faults.refuse(matching=lambda operation: isinstance(operation, SetWeight), times=None)
        done = await maglevc(served, "--output", "json", "set", "backend", "alpha", "pause")
        told = json.loads(done.stdout)
        assert (done.returncode, told["changed"], len(told["errors"]), told["messages"]) == (1, True, 2, [])
        served.store.faults.clear()
        done = await maglevc(served, "--output", "json", "sync", "dataplane", "state")
        assert (done.returncode, json.loads(done.stdout)["errors"], done.stderr) == (0, [], b"")
