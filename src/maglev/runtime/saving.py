"""Saves overrides in a thread with a deadline: a disk that does not answer holds no command up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import anyio
import anyio.to_thread

from maglev.domain.overrides import OperatorOverrides
from maglev.runtime.overrides import OverrideStore, StateError

SAVE_WITHIN_S = 5.0


class Saver:
    """Writes one state at a time. What was asked for last is what the file has in the end.

    Args:
        store: The state file.
        caught_up: Is called when a disk that did not answer in time did after all.
    """

    def __init__(self, store: OverrideStore, caught_up: Callable[[], object]) -> None:
        self._store = store
        self._caught_up = caught_up
        self._wanted: OperatorOverrides | None = None
        self._writing: asyncio.Task[None] | None = None
        # Of its own, so that a thread that hangs takes nobody's place.
        self._limiter = anyio.CapacityLimiter(1)

    @property
    def latest(self) -> OperatorOverrides | None:
        """The contents of the file, after a write that may still be under way."""
        return self._wanted if self._is_writing else self._store.saved

    @property
    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    async def save(self, overrides: OperatorOverrides) -> None:
        """Write overrides, and wait for that at most `SAVE_WITHIN_S`.

        Raises:
            StateError: They could not be written, or not in time: then they may be later, by themselves.
        """
        self._wanted = overrides
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())
        writing = self._writing
        await asyncio.wait({writing}, timeout=SAVE_WITHIN_S)
        if writing.done():
            return writing.result()
        writing.add_done_callback(self._late)
        raise StateError(f"{self._store.path}: not written after {SAVE_WITHIN_S:g} s: the disk does not answer")

    def instead(self, overrides: OperatorOverrides) -> None:
        """Have these written in place of others that are being written still; where none are, do nothing."""
        if self._is_writing:
            self._wanted = overrides

    async def _write(self) -> None:
        while (wanted := self._wanted) is not None and wanted != self._store.saved:
            save = partial(self._store.save, wanted)
            await anyio.to_thread.run_sync(save, limiter=self._limiter, abandon_on_cancel=True)

    def _late(self, writing: asyncio.Task[None]) -> None:
        if not writing.cancelled() and writing.exception() is None:
            self._caught_up()
