"""Feeds the service manager's watchdog from the probing loop: a daemon that no longer probes gets restarted."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from maglev.runtime.logging import get_logger
from maglev.runtime.notify import Notifier

log = get_logger("maglev.watchdog")


async def feed_watchdog(overdue_ns: Callable[[], int], notifier: Notifier) -> None:
    """Feed the watchdog while the probing loop runs on time; returns at once if there is no watchdog.

    `overdue_ns` tells how late the probing loop is, in nanoseconds; 0 while it is on time.
    """
    if notifier.watchdog_s is None:
        return
    while True:
        overdue_s = overdue_ns() / 1e9
        if overdue_s < notifier.watchdog_s / 2:
            notifier.alive()
        else:
            log.error("probing-stopped", overdue_s=round(overdue_s, 3))
        # A third leaves room for one feed that comes late.
        await anyio.sleep(notifier.watchdog_s / 3)
