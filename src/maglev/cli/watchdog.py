"""The service manager's watchdog is fed by the probing loop: a daemon that no longer probes is to be started again."""

from __future__ import annotations

from typing import Protocol

import anyio

from maglev.runtime.logging import get_logger
from maglev.runtime.notify import Notifier

log = get_logger("maglev.watchdog")


class Loop(Protocol):
    """What is watched: a `maglev.probing.Prober`."""

    def overdue_ns(self) -> int:
        """How long ago it should have turned, in nanoseconds; 0 while it is on time."""
        ...


async def feed_watchdog(prober: Loop, notifier: Notifier) -> None:
    """Feed the watchdog as long as the probing loop turns when it should; returns at once if there is no watchdog.

    Args:
        prober: Whose loop it is.
        notifier: The service manager.
    """
    if notifier.watchdog_s is None:
        return
    while True:
        overdue_s = prober.overdue_ns() / 1e9
        if overdue_s < notifier.watchdog_s / 2:
            notifier.alive()
        else:
            log.error("probing-stopped", overdue_s=round(overdue_s, 3))
        # A third leaves room for one feed that comes late.
        await anyio.sleep(notifier.watchdog_s / 3)
