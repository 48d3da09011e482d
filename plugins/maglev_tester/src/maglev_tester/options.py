"""The command line of `maglevt`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

import attrs

from maglev import format_duration, host_names, parse_duration
from maglev.api import hide_query, option
from maglev_tester.settings import ProbeSettings

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_URI = re.compile(r"/[!-~]*")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MS = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_DEFAULTS = ProbeSettings(())


def _duration(least: timedelta, most: timedelta) -> Callable[[str | timedelta], timedelta]:
    """Read a duration as Go writes it, or a number of seconds."""

    def read(value: str | timedelta) -> timedelta:
        if isinstance(value, timedelta):
            return value
        duration = parse_duration(f"{value}s" if _NUMBER.fullmatch(value) else value)
        if not least <= duration <= most:
            allowed = f"{format_duration(least)} to {format_duration(most)} is allowed"
            raise ValueError(f"{value} is out of range: {allowed}")
        return duration

    return read


def _pattern(value: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from error


def _sendable(form: re.Pattern[str], wanted: str) -> Callable[[str], str]:
    """Take text that fits into a request."""

    def read(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(f"{value!r} cannot be sent: use {wanted}")
        return value

    return read


def _percent(value: str | float) -> float:
    try:
        share = float(str(value).removesuffix("%"))
    except ValueError:
        share = math.nan
    if not 0 <= share <= 100:
        raise ValueError(f"{value!r} is not a percentage from 0 to 100")
    return share


def _count(value: str | int) -> int:
    if int(value) < 1:
        raise ValueError(f"{value} is not in the range: 1 or more is allowed")
    return int(value)


@attrs.frozen
class Options:
    """The options of `maglevt`."""

    config: tuple[Path, ...] = option(
        (Path("/etc/vpp-maglev/maglev.yaml"),),
        help="Configuration with the VIPs to probe; may be repeated. In the environment: separated by colons",
        metavar="FILE",
        multiple=True,
    )
    interval: timedelta = option(
        "100ms",
        help="Time between the starts of two probes of a VIP",
        metavar="DURATION",
        converter=_duration(10 * _MS, _DAY),
    )
    timeout: timedelta = option(
        "1s", help="Longest time of one probe", metavar="DURATION", converter=_duration(10 * _MS, _DAY)
    )
    host: str = option(
        "",
        help="Host header and TLS name for all VIPs; default: the health check's host, else the VIP's address",
        metavar="HOST",
        validator=host_names.host,
    )
    uri: str = option(
        _DEFAULTS.uri,
        help="Path to request from HTTP and HTTPS VIPs",
        secret=hide_query,
        metavar="URI",
        converter=_sendable(_URI, "/ and printable ASCII, the rest percent-encoded"),
    )
    header: str = option(
        _DEFAULTS.header,
        help="Response header that names the server",
        metavar="HEADER",
        converter=_sendable(_TOKEN, "letters, digits and -"),
    )
    insecure: bool = option(False, help="Accept any certificate")
    keepalive: bool = option(False, help="Use one connection for all probes of a VIP; default: a new flow per probe")
    filter: re.Pattern[str] = option(
        "",
        help="Probe only frontends whose name or address:port matches this regular expression",
        metavar="REGEX",
        converter=_pattern,
    )
    once: int | None = option(
        None,
        help="Probe each VIP N times, print the summary and exit; no screen",
        metavar="N",
        converter=attrs.converters.optional(_count),
    )
    duration: timedelta | None = option(
        None,
        help="End after this time",
        metavar="DURATION",
        converter=attrs.converters.optional(_duration(100 * _MS, 3650 * _DAY)),
    )
    output: Literal["text", "json"] | None = option(None, help="Format of the summary; no screen. Default: text")
    min_ok: float = option(
        "0", help="Exit with 1 if the share of good probes of a VIP is lower", metavar="PERCENT", converter=_percent
    )
