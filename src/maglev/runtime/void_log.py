"""Logs void results: for each code at once, and then at most once a minute with what came since."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
import attrs

from maglev.api import Code, ProbeResult
from maglev.runtime.logging import get_logger

EVERY_S = 60.0
NAMED = 10
"""How many backends a record names; it counts all."""

log = get_logger("maglev.probes")


@attrs.define
class _Since:
    """What came of one code since its last record."""

    written_s: float
    count: int = 0
    backends: dict[str, None] = attrs.field(factory=dict)
    last: ProbeResult | None = None


class VoidLog:
    """Writes a record `probe-void` for each code, at most one a period. No code hides another one.

    Args:
        clock_s: A monotonic clock in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._codes: dict[Code, _Since] = {}

    def note(self, backend: str, result: ProbeResult) -> None:
        """Take one void result."""
        now_s = self._clock_s()
        since = self._codes.get(result.code)
        if since is None:
            since = self._codes[result.code] = _Since(now_s - EVERY_S)
        since.count += 1
        since.backends[backend] = None
        since.last = result
        if now_s - since.written_s >= EVERY_S:
            self._write(since, now_s)

    def flush(self) -> None:
        """Write what was held back and may be written by now: the last of a burst would else never be told."""
        now_s = self._clock_s()
        for since in self._codes.values():
            if since.count and now_s - since.written_s >= EVERY_S:
                self._write(since, now_s)

    async def run(self) -> None:
        """Flush again and again until cancelled."""
        while True:
            await anyio.sleep(EVERY_S)
            self.flush()

    def _write(self, since: _Since, now_s: float) -> None:
        backends = list(since.backends)
        log.warning(
            "probe-void",
            backend=backends[-1],
            result=str(since.last),
            count=since.count,
            blind=len(backends),
            backends=backends[:NAMED],
        )
        since.written_s, since.count, since.last = now_s, 0, None
        since.backends.clear()
