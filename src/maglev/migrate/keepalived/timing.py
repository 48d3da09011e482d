"""Reads how often keepalived checks, from the check, the real server and the virtual server, in this order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

import attrs

from maglev.migrate.findings import Findings
from maglev.migrate.keepalived.statements import Statement
from maglev.migrate.values import whole_number, within_bounds

_SECONDS = re.compile(r"[0-9]{1,7}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}", re.ASCII)
_DELAY_LOOP_S, _CONNECT_TIMEOUT_S, _RETRY_S = 60, 5, 1
_MOST_RETRIES = 999
_Number = TypeVar("_Number", int, float)

TIMING = ("delay_loop", "connect_timeout", "retry", "nb_get_retry", "delay_before_retry", "warmup", "alpha")
"""Keywords of all three levels."""


@attrs.frozen
class Timing:
    """How often a check runs, in maglevd's terms."""

    interval: timedelta
    fast_interval: timedelta
    timeout: timedelta
    fall: int


_DEFAULT_RETRIES = {"DNS_CHECK": 3, "MISC_CHECK": 0}
_DEFAULT_RETRY_S = {"HTTP_GET": 3, "SSL_GET": 3}


def timing_of(check: Statement, around: Sequence[Statement], findings: Findings) -> Timing:
    """Take each setting from the check, else from what is around it (the nearest first), else keepalived's default."""
    levels = (check, *around)
    interval = _duration(levels, ("delay_loop",), _DELAY_LOOP_S, findings)
    retry_s = (
        interval.total_seconds() if check.keyword == "DNS_CHECK" else _DEFAULT_RETRY_S.get(check.keyword, _RETRY_S)
    )
    retries = _DEFAULT_RETRIES.get(check.keyword, 1)
    if (said := _said(levels, ("retry", "nb_get_retry"))) is not None:
        number = whole_number(said.argument, 0, _MOST_RETRIES)
        retries = _wrong(said, findings, retries) if number is None else number
    return Timing(
        interval,
        _duration(levels, ("delay_before_retry",), retry_s, findings),
        _duration(levels, ("connect_timeout",), _CONNECT_TIMEOUT_S, findings),
        retries + 1,
    )


def _said(levels: Sequence[Statement], keywords: tuple[str, ...]) -> Statement | None:
    return next((found for level in levels if (found := level.last(*keywords))), None)


def _duration(
    levels: Sequence[Statement], keywords: tuple[str, ...], default_s: float, findings: Findings
) -> timedelta:
    said = _said(levels, keywords)
    if said is None:
        return within_bounds(timedelta(seconds=default_s))
    if not _SECONDS.fullmatch(said.argument):
        return within_bounds(timedelta(seconds=_wrong(said, findings, default_s)))
    wanted = timedelta(seconds=float(said.argument))
    taken = within_bounds(wanted)
    if wanted != taken:
        findings.changed(said.place, f"{said.keyword} {said.argument}", "10 ms to 1 day are allowed")
    return taken


def _wrong(said: Statement, findings: Findings, default: _Number) -> _Number:
    findings.left_out(said.place, said.keyword, f"its value could not be read; {default:g} is taken")
    return default
