"""Reads HAProxy's durations: a number of milliseconds, or one with a unit."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"([0-9]{1,12})(us|ms|s|m|h|d)?", re.ASCII)
_US = {"us": 1, "ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6}
_MOST_US = 10 * 365 * 86_400 * 10**6


def duration_of(text: str) -> timedelta | None:
    """Read a duration; `None` if it is none, or longer than ten years."""
    found = _DURATION.fullmatch(text)
    if not found:
        return None
    us = int(found[1]) * _US[found[2] or "ms"]
    return timedelta(microseconds=us) if us <= _MOST_US else None
