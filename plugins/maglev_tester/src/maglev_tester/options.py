"""The command line of `maglevt`."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

import click

from maglev import format_duration, parse_duration
from maglev_tester.settings import ProbeSettings

DEFAULT_CONFIG = "/etc/vpp-maglev/maglev.yaml"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_URI = re.compile(r"/[!-~]*")
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?|[0-9A-Fa-f:.]*")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MS = timedelta(milliseconds=1)
_DAY = timedelta(days=1)


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on only
    """A duration as Go writes it, or a number of seconds.

    Args:
        least: The shortest that is allowed.
        most: The longest.
    """

    name = "duration"

    def __init__(self, least: timedelta, most: timedelta) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            duration = parse_duration(f"{value}s" if _NUMBER.fullmatch(value) else value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not self._least <= duration <= self._most:
            allowed = f"{format_duration(self._least)} to {format_duration(self._most)} is allowed"
            self.fail(f"{value} is out of range: {allowed}", param, ctx)
        return duration


class Pattern(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on only
    """A regular expression."""

    name = "regex"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> re.Pattern[str]:
        try:
            return re.compile(value)
        except re.error as error:
            self.fail(f"{value!r} is no regular expression: {error}", param, ctx)


class Sendable(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on only
    """Text that fits into a request.

    Args:
        name: What it is called in help.
        form: What it must look like.
        wanted: The same in words.
    """

    def __init__(self, name: str, form: re.Pattern[str], wanted: str) -> None:
        self.name = name
        self._form = form
        self._wanted = wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._form.fullmatch(value):
            self.fail(f"{value!r} cannot be sent: {self._wanted} is wanted", param, ctx)
        return str(value)


class Share(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on only
    """A percentage."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            share = float(str(value).removesuffix("%"))
        except ValueError:
            share = math.nan
        if not 0 <= share <= 100:
            self.fail(f"{value!r} is no percentage: 0 to 100 is allowed", param, ctx)
        return share


def options() -> list[click.Parameter]:
    """All options but `--version` and `--help`."""
    plan = ProbeSettings(())
    return [
        _option(
            "--config", type=click.Path(), metavar="FILE", multiple=True, default=[DEFAULT_CONFIG],
            help="A configuration whose VIPs to probe; may be given again. In the environment: with colons between",
        ),
        _option(
            "--interval", type=Duration(10 * _MS, _DAY), default="100ms",
            help="From the start of one probe of a VIP to the start of the next",
        ),
        _option("--timeout", type=Duration(10 * _MS, _DAY), default="1s", help="How long one probe may take"),
        _option(
            "--host", type=Sendable("host", _HOST, "a name or an address, with a port if you like"), default="",
            help="Host header and TLS name for all VIPs; default: that of the health check, else the VIP's address",
        ),
        _option(
            "--uri", type=Sendable("uri", _URI, "/ and printable ASCII, the rest percent-encoded"), default=plan.uri,
            help="What to ask HTTP and HTTPS VIPs for",
        ),
        _option(
            "--header", type=Sendable("header", _TOKEN, "letters, digits and -"), default=plan.header,
            help="The response header that tells who answered",
        ),
        _option("--insecure/--no-insecure", default=False, help="Accept any certificate"),
        _option(
            "--keepalive/--no-keepalive", default=False,
            help="Use one connection for all probes of a VIP; else each probe is a new flow",
        ),
        _option(
            "--filter", type=Pattern(), default="",
            help="Only frontends in whose name, or address:port, this regular expression is found",
        ),
        _option(
            "--once", type=click.IntRange(1), metavar="N", default=None,
            help="Probe each VIP N times, print the summary and exit; no screen",
        ),
        _option("--duration", type=Duration(100 * _MS, 3650 * _DAY), default=None, help="End after so long"),
        _option(
            "--output", type=click.Choice(["text", "json"]), default=None,
            help="How to print the summary; no screen. Default: text",
        ),
        _option(
            "--min-ok", type=Share(), default="0",
            help="Exit with 1 if fewer of a VIP's probes were good",
        ),
    ]  # fmt: skip


def _option(names: str, **settings: Any) -> click.Option:
    flag = names.partition("/")[0].removeprefix("--")
    envvar = f"MAGLEV_{flag.upper().replace('-', '_')}"
    shown = settings.get("default") not in (None, "")
    return click.Option([names], envvar=envvar, show_envvar=True, show_default=shown, **settings)
