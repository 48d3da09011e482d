"""Reads single values as both formats have them: numbers, addresses, durations. What is none of them gives `None`."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

from maglev.config.values import host_objection

Address = IPv4Address | IPv6Address

SHORTEST, LONGEST = timedelta(milliseconds=10), timedelta(days=1)
"""The ends of what a health check takes for an interval or a timeout."""


def whole_number(text: str, low: int, high: int) -> int | None:
    """Read a decimal number from `low` to `high`."""
    if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII):
        return None
    number = int(text)
    return number if low <= number <= high else None


def port_number(text: str) -> int | None:
    """Read a port from 1 to 65535."""
    return whole_number(text, 1, 65_535)


def host_address(text: str) -> Address | None:
    """Read an address that a host can have."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return None if host_objection(found) else found


def within_bounds(duration: timedelta) -> timedelta:
    """Return the nearest duration that a health check takes."""
    return min(max(duration, SHORTEST), LONGEST)
