"""Computes when the next probe of a job is due. Times are arguments, in nanoseconds."""

from __future__ import annotations

from collections.abc import Callable

JITTER = 0.1
"""Every interval is stretched or shrunk by up to this share of it, uniformly."""

PUNCTUAL_NS = 20_000_000
"""A start that is late by no more than two ticks' width is on time, however short the interval."""


def jittered_ns(interval_ns: int, random: Callable[[], float]) -> int:
    """Stretch or shrink an interval by up to ±10 %, uniformly, as `random` is in [0, 1)."""
    return int(interval_ns * (1 - JITTER + 2 * JITTER * random()))


def first_due_ns(now_ns: int, within_ns: int, random: Callable[[], float]) -> int:
    """Choose the time of a first probe, uniformly within `within_ns` from now, so that probes start spread out."""
    return now_ns + int(within_ns * random())


def next_due_ns(due_ns: int, started_ns: int, ended_ns: int, interval_ns: int, random: Callable[[], float]) -> int:
    """Choose the time of the next probe: start to start, whatever the probe's own duration.

    It is counted from when the last one was *due*, so that the width of a tick adds no drift. A probe that started
    later than ticks or jitter could explain (the process was stalled, or it is overloaded) is counted from its start
    instead, and one that took longer than the interval is followed at once: missed probes are never made up for.

    Args:
        due_ns: When the last probe was due.
        started_ns: When it started.
        ended_ns: When it ended.
        interval_ns: The configured interval.
        random: Gives floats, uniform in [0, 1).
    """
    late = started_ns - due_ns > max(interval_ns * JITTER, PUNCTUAL_NS)
    return max((started_ns if late else due_ns) + jittered_ns(interval_ns, random), ended_ns)
