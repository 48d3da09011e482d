"""Raises the limit of open descriptors: each probe in flight over a socket of its own needs one."""

from __future__ import annotations

import resource

MOST = 1_048_576
"""What the kernel allows by default (`fs.nr_open`). A hard limit above it buys nothing that a health checker needs."""


def raise_limit() -> tuple[int, int]:
    """Raise the soft limit of open descriptors to the hard one, as far as `MOST`; never lower it.

    The soft limit is small by custom (1024) for programs that call `select`. Nothing here does.

    Returns:
        The soft limit before and now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft, soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a sandbox forbids it, or the kernel allows less than the hard limit says
        return soft, soft
    return soft, wanted


OWN = 128
"""What maglevd needs beside probes and strangers: files, listening sockets, the dataplane, the event loop."""
EACH_BACKEND = 2
"""One for the probe in flight, one for the connection of the probe before that is being closed."""
LEAST = 48
"""What strangers get in any case, or nobody could ask what is wrong."""


def reserve(backends: int) -> int:
    """Return how many descriptors to keep for probes, the dataplane and maglevd's own files.

    Args:
        backends: How many backends there are.
    """
    return OWN + EACH_BACKEND * backends


def for_strangers(backends: int, limit: int | None = None) -> int:
    """Return how many descriptors all clients together may take, so that the reserve stays free.

    Args:
        backends: How many backends there are.
        limit: How many descriptors the process may have open; the soft limit by default.
    """
    if limit is None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        limit = MOST
    return max(LEAST, limit - reserve(backends))
