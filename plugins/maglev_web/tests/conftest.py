"""Fixtures of the tests of maglev-web."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc.aio
import pytest


@pytest.fixture(scope="session")
async def grpc_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keep one event loop, and gRPC's thread that serves it, for all tests that speak gRPC; see maglev-grpc's tests."""
    grpc.aio.init_grpc_aio()
    yield
    grpc.aio.shutdown_grpc_aio()
