"""Fixtures of the tests of maglev-grpc."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from plugins.maglev_grpc.tests.serving import YAML


@pytest.fixture(scope="session", autouse=True)
async def _one_loop_for_all(anyio_backend: str) -> AsyncIterator[None]:
    """Keep one event loop, and gRPC's thread that serves it, for all tests.

    gRPC finishes what it was asked to cancel in its own time, and cannot tell a loop that is closed. Joining its
    thread, as the last channel goes, would block the loop.
    """
    grpc.aio.init_grpc_aio()
    yield
    grpc.aio.shutdown_grpc_aio()


@pytest.fixture
def written_config(tmp_path: Path) -> Path:
    """A configuration in a file, for reloads."""
    path = tmp_path / "maglev.yaml"
    path.write_text(YAML)
    return path
