"""Durations and addresses: from what people write to values, and back."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Duration = timedelta | float | str
"""A duration as code may give it: a number is of seconds, text as in YAML."""

DURATION_PATTERN = (
    r"^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d))*)$"
)
"""What Go's `time.ParseDuration` takes, without signs, and days of 24 hours; for JSON schemas."""

ALLOWED_DURATION = "a duration such as 500ms, 2s, 1m30s, 1h or 14d, or a number of seconds"

_BROADCAST, _LOOPBACK = IPv4Address("255.255.255.255"), IPv6Address("::1")
_COMPATIBLE, _MAPPED = IPv6Network("::/96"), IPv6Network("::ffff:0:0/96")
_ZONE = re.compile(r"[1-9][0-9]{0,8}|(?![0-9]+$)[!-$&-.0-9;-~]{1,15}")
"""An interface by its number or its name."""
_PART = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|μs|ms|s|m|h|d)")
_NS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}
_LONGEST_S = 10 * 365 * 86_400


def nanoseconds(duration: timedelta) -> int:
    """Return a duration in nanoseconds, exactly."""
    return ((duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds) * 1_000


def parse_duration(text: str) -> timedelta:
    """Read a duration as Go writes it (`1m30s`, `500ms`, `1.5h`), or in days (`14d`); a bare `0` needs no unit.

    Raises:
        ValueError: It is none, negative, longer than ten years, or finer than a microsecond.
    """
    if text == "0":
        return timedelta()
    total, end = Fraction(), 0
    while part := _PART.match(text, end):
        total += Fraction(part[1].rstrip(".")) * _NS[part[2]]
        end = part.end()
    if not end or end != len(text):
        raise ValueError(f"{text!r} is not a duration: use {ALLOWED_DURATION}")
    if total > _LONGEST_S * 1_000_000_000:
        raise ValueError(f"{text!r} is longer than ten years")
    if total % 1_000:
        raise ValueError(f"{text!r} is finer than a microsecond")
    return timedelta(microseconds=int(total // 1_000))


def seconds_to_duration(seconds: float) -> timedelta:
    """Take a number of seconds, rounded to microseconds.

    Raises:
        ValueError: It is negative, not finite, or longer than ten years.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{seconds} is not a duration: use {ALLOWED_DURATION}")
    if seconds > _LONGEST_S:
        raise ValueError(f"{seconds} seconds are longer than ten years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration as Go does: `1m30s`, `500ms`, `0s`; `parse_duration` reads it back."""
    us = nanoseconds(duration) // 1_000
    if us == 0:
        return "0s"
    if us < 1_000_000:
        return f"{us // 1_000}ms" if us % 1_000 == 0 else f"{us}us"
    hours, us = divmod(us, 3_600_000_000)
    minutes, us = divmod(us, 60_000_000)
    whole, fraction = divmod(us, 1_000_000)
    seconds = f"{whole}.{fraction:06}".rstrip("0").rstrip(".") if fraction else f"{whole}"
    parts = [(hours, f"{hours}h"), (minutes, f"{minutes}m"), (us, f"{seconds}s")]
    return "".join(text for value, text in parts if value)


def duration(value: Duration) -> timedelta:
    """Take a duration in any form that code may use: a `timedelta`, a number of seconds, `"500ms"`.

    Raises:
        ValueError: It is none of them.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    if type(value) in (int, float):  # `True` is an int to Python, and no duration to anybody
        return seconds_to_duration(value)
    raise ValueError(f"{value!r} is not a duration: use {ALLOWED_DURATION}")


def duration_or_none(value: Duration | None) -> timedelta | None:
    """Convert as `duration` does; `None` stays `None`."""
    return None if value is None else duration(value)


def server_address(value: Address | str) -> Address:
    """Take the address of one host, with its zone if it has one; see `zone_objection`.

    Args:
        value: An address, or its text.

    Raises:
        ValueError: It is no address, or not one that a host can have.
    """
    found = value if isinstance(value, IPv4Address | IPv6Address) else ip_address(str(value))
    if objection := host_objection(found):
        raise ValueError(objection)
    return found


def address(value: Address | str) -> Address:
    """Convert as `server_address` does, but refuse an address with a zone and the loopback address of IPv6."""
    found = server_address(value)
    if objection := routed_objection(found):
        raise ValueError(objection)
    return found


def host_objection(found: Address) -> str:
    """Say why an address is not one that a host can have; empty if it is.

    `::ffff:0:0/96` (RFC 4291, 2.5.5.2) and `::/96` (2.5.5.1, deprecated) hold IPv4 addresses. Whoever keeps both
    families in sixteen bytes, as VPP does, takes such an address for the IPv4 one. Of `::/96` only `::1` is a host's.
    """
    if found.is_unspecified or found.is_multicast or found == _BROADCAST:
        return f"{found} is not the address of a host"
    if not isinstance(found, IPv6Address) or without_zone(found) == _LOOPBACK:
        return ""
    if found in _COMPATIBLE or found in _MAPPED:
        return f"{found} is an IPv4 address written as IPv6: write {IPv4Address(int(found) & 0xFFFFFFFF)}"
    return ""


def routed_objection(found: Address) -> str:
    """Say why packets cannot be routed to a host's address; empty if they can."""
    if not isinstance(found, IPv6Address):
        return ""
    if found.scope_id is not None:
        return f"{found} has a zone: use a routed address without one"
    return f"{found} is the host itself: use a routed address" if found == _LOOPBACK else ""


def zone_objection(found: Address | None) -> str:
    """Say what is wrong with an address that packets are sent to or from; empty if nothing is.

    A link-local address (`fe80::/10`) is on many interfaces, and its zone says on which: `fe80::1%eth0`.
    """
    if not isinstance(found, IPv6Address):
        return ""
    if not found.is_link_local:
        return "" if found.scope_id is None else f"{str(found)!r} has a zone, which only link-local addresses have"
    if found.scope_id is None:
        return f"{found} is a link-local address and needs a zone: {found}%eth0"
    return "" if _ZONE.fullmatch(found.scope_id) else f"{str(found)!r} has a zone that is not an interface"


def without_zone(address: Address) -> Address:
    """Return what stands in packets."""
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address


FRIENDLY = (address, server_address, duration, duration_or_none)
"""Converters that let code give values in more forms than YAML may: there the field's own annotation decides."""
