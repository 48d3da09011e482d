"""Fixtures and checks that apply to every test of the repository, plugins included."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import blockbuster.blockbuster as detector
import pytest
from blockbuster import BlockBuster, BlockBusterFunction, BlockingError
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]
_CAPABILITY_VERSION_3 = 0x20080522

# No profile has a deadline: how long an example takes says more about the machine than about the code.
settings.register_profile("dev", deadline=None, max_examples=100)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
# Against other versions of the libraries and of Python: whether the code runs, not what its laws are.
# So few examples say nothing about how many a strategy throws away.
settings.register_profile(
    "matrix",
    deadline=None,
    max_examples=10,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)
settings.register_profile("soak", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


# Those of whoever started the tests. Whatever asks its terminal for its size would believe these instead.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The daemon runs on asyncio (grpc.aio needs it), and so do the tests."""
    return "asyncio"


@pytest.fixture(scope="session")
def _blockbuster() -> BlockBuster:
    """The detector of calls that hold the event loop, built once, not yet switched on."""
    buster = BlockBuster()
    # A name lookup waits for a server, and the detector does not know it. A numeric address waits for nothing.
    buster.functions["socket.getaddrinfo"] = BlockBusterFunction(
        None, "socket.getaddrinfo", can_block_predicate=_is_numeric_lookup
    )
    # pytest writes every log record to its log file, which is the null device where none is asked for.
    for function in ("io.TextIOWrapper.write", "io.BufferedWriter.write"):
        buster.functions[function].can_block_in("logging/__init__.py", {"emit", "flush"})
    return buster


def _is_numeric_lookup(host: object, port: object, *_: object, flags: int = 0, **__: object) -> bool:
    return bool(flags & socket.AI_NUMERICHOST) or host is None


@pytest.fixture(autouse=True)
def blocking_calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Fail an async test in which anything blocked the event loop, even where the exception was swallowed.

    Yields:
        The blocking calls so far. A test that blocks on purpose clears it.
    """
    seen: list[str] = []
    if "anyio_backend" not in request.fixturenames:
        yield seen
        return

    class RecordedBlockingError(BlockingError):
        def __init__(self, func: str) -> None:
            super().__init__(func)
            seen.append(func)

    # A guarded task logs the exceptions of its guest and goes on; the record does not forget.
    monkeypatch.setattr(detector, "BlockingError", RecordedBlockingError)
    buster: BlockBuster = request.getfixturevalue("_blockbuster")
    buster.activate()
    try:
        yield seen
    finally:
        buster.deactivate()
    if seen:
        pytest.fail(f"blocked the event loop: {', '.join(seen)}", pytrace=False)


@contextmanager
def _without(*capabilities: int) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)  # 0: this thread
    before, after = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    for data in (before, after):
        if libc.capget(header, data):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    after[0] &= ~sum(1 << number for number in capabilities)
    libc.capset(header, after)
    try:
        yield
    finally:
        libc.capset(header, before)


@pytest.fixture
def without() -> Callable[..., AbstractContextManager[None]]:
    """Do without capabilities (their numbers in <linux/capability.h>, below 32) in this thread, for a context."""
    return _without
