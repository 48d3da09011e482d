"""Work in another process, with a deadline: one that does not come to its end is killed, and not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_process

T = TypeVar("T")

_left: set[asyncio.Task[object]] = set()
"""Calls whose process was killed and has not ended yet. One that hangs in the kernel (a dead disk) never does."""


async def in_other_process(work: Callable[[], T], within_s: float) -> T:
    """Call a function in another process, which is killed when we are cancelled, or when the time is over.

    Args:
        work: What to call; it, what it returns and what it raises can be pickled.
        within_s: How long it may take, in seconds, the start of the process included.

    Raises:
        TimeoutError: It did not end in time.
    """
    # Of its own, so that a process that cannot be killed takes nobody's place.
    limiter = anyio.CapacityLimiter(1)
    return await _in_time(partial(anyio.to_process.run_sync, work, cancellable=True, limiter=limiter), within_s)


async def _in_time(call: Callable[[], Awaitable[T]], within_s: float) -> T:
    task = asyncio.ensure_future(call())
    try:
        await asyncio.wait({task}, timeout=within_s)
    finally:
        if not task.done():
            # It kills the process, and waits for its end for as long as that takes. We do not.
            task.cancel()
            _left.add(task)
            task.add_done_callback(_ended)
    if not task.done():
        raise TimeoutError
    return task.result()


def _ended(task: asyncio.Task[object]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # noticed; nobody waits for it any more
