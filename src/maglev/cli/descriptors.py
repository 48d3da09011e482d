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
