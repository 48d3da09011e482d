"""The guard that fails async tests which hold the event loop works."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import anyio
import pytest
from blockbuster import BlockingError

CONFTEST = Path(__file__).parents[2] / "conftest.py"


async def test_a_blocking_call_in_an_async_test_raises(blocking_calls: list[str]) -> None:
    with pytest.raises(BlockingError, match=r"time\.sleep"):
        time.sleep(0)  # noqa: ASYNC251  (what is tested)
    assert blocking_calls == ["time.sleep"]
    blocking_calls.clear()


async def test_a_name_lookup_in_the_loop_raises(blocking_calls: list[str]) -> None:
    with pytest.raises(BlockingError, match="getaddrinfo"):
        socket.getaddrinfo("localhost", 80)
    blocking_calls.clear()


async def test_reading_a_file_in_the_loop_raises(blocking_calls: list[str]) -> None:
    with pytest.raises(BlockingError), CONFTEST.open() as file:
        file.read()
    blocking_calls.clear()


async def test_a_thread_may_block() -> None:
    assert "blocking_calls" in await anyio.Path(CONFTEST).read_text()


def test_a_plain_test_may_block() -> None:
    time.sleep(0)


def test_a_swallowed_blocking_call_still_fails_its_test(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST.read_text().replace('pytest_plugins = ["pytester"]', ""))
    pytester.makepyprojecttoml('[tool.pytest]\nanyio_mode = "auto"\n')
    pytester.makepyfile(
        """
        import contextlib
        import time

        async def test_swallows():
            with contextlib.suppress(Exception):
                time.sleep(0)

        async def test_innocent():
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*blocked the event loop: time.sleep*"])
