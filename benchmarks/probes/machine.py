"""Reads the operating system's accounts of a process, from outside it."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import time
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def cpu_ns(pid: int) -> int:
    """CPU time that a process has used so far: user and system, all its threads, those that ended too.

    Args:
        pid: The process.

    Raises:
        OSError: There is no such process.
    """
    clock = ctypes.c_int()
    number = _libc.clock_getcpuclockid(pid, ctypes.byref(clock))
    if number:
        raise OSError(number, os.strerror(number))
    return time.clock_gettime_ns(clock.value)


def rss_kb(pid: int) -> int:
    """Resident memory of a process now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB


def load() -> float:
    """How many tasks wanted a core over the last minute."""
    return round(os.getloadavg()[0], 2)


def describe() -> str:
    """Describe the machine, in a line."""
    return f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


def raise_limits() -> None:
    """Allow this process, and those it starts, as many descriptors as it may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
