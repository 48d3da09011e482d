"""Logs void results: for each code at once, a second later with all that are blind, then at most once a minute.

That descriptors have run out is an error and not a warning: it blinds all probes at once.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import anyio
import attrs

from maglev.api import Code, ProbeResult
from maglev.runtime.logging import get_logger

SOON_S = 1.0
"""From the first record of a code, which knows of one backend, to the second."""
EVERY_S = 60.0
NAMED = 10
"""How many backends a record names; it counts all."""

log = get_logger("maglev.probes")


@attrs.define
class _Since:
    """The void results of one code since its last record."""

    written_s: float
    wait_s: float = 0.0
    count: int = 0
    backends: dict[str, None] = attrs.field(factory=dict)
    last: ProbeResult | None = None


class VoidLog:
    """Writes a record `probe-void` for each code, a second one soon, and then at most one a period.

    No code hides another one.

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
            since = self._codes[result.code] = _Since(-math.inf)
        since.count += 1
        since.backends[backend] = None
        since.last = result
        if now_s - since.written_s >= since.wait_s:
            self._write(since, now_s)

    def flush(self) -> None:
        """Write what was held back and may be written by now: the last of a burst would else never be told."""
        now_s = self._clock_s()
        for since in self._codes.values():
            if since.count and now_s - since.written_s >= since.wait_s:
                self._write(since, now_s)

    async def run(self) -> None:
        """Flush again and again until cancelled."""
        while True:
            await anyio.sleep(SOON_S)
            self.flush()

    def _write(self, since: _Since, now_s: float) -> None:
        backends = list(since.backends)
        short = since.last is not None and since.last.code is Code.NOFILE
        log.log(
            logging.ERROR if short else logging.WARNING,
            "probe-void",
            backend=backends[-1],
            result=str(since.last),
            count=since.count,
            blind=len(backends),
            backends=backends[:NAMED],
        )
        since.wait_s = SOON_S if now_s - since.written_s > 2 * EVERY_S else EVERY_S
        since.written_s, since.count, since.last = now_s, 0, None
        since.backends.clear()
