"""Backends and health checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from maglev.api import BackendSnapshot, HealthCheckSnapshot, ProbeResult, Transition
from maglev_cli.views import formatting
from maglev_cli.views.model import Cell, Style, View, fields, table


def backends(found: Sequence[BackendSnapshot], now_s: float) -> View:
    """All backends; `now_s` is now, in seconds since the epoch."""
    columns: dict[str, Callable[[BackendSnapshot], object]] = {
        "backend": lambda each: each.name,
        "address": lambda each: each.address,
        "state": _state,
        "#for": lambda each: formatting.age(now_s - each.history[-1].at_s) if each.history else None,
        "#health": _health,
        "check": lambda each: each.healthcheck,
        "last result": _last,
        "frontends": lambda each: ", ".join(each.frontends),
    }
    return (table(found, columns, "no backends"),)


def _state(backend: BackendSnapshot) -> Cell:
    cell = formatting.state(backend.state)
    return Cell(f"{cell.text} (overridden)", cell.style) if backend.overridden else cell


def _health(backend: BackendSnapshot) -> str | None:
    return f"{backend.counter}/{backend.counter_top}" if backend.healthcheck else None


def _last(backend: BackendSnapshot) -> Cell:
    if backend.stale_since_s is not None:
        return Cell(f"{_code(backend.last_result)} (stale: {backend.void_code})", Style.WARNING)
    return Cell(_code(backend.last_result))


def _code(result: ProbeResult | None) -> str:
    return "-" if result is None else result.code.value


def backend(found: BackendSnapshot, now_s: float) -> View:
    """One backend and its history; `now_s` is now, in seconds since the epoch."""
    stale = f"{formatting.moment(found.stale_since_s, now_s)}: {found.void_code}"
    head = fields(
        [
            ("backend", found.name),
            ("address", found.address),
            ("state", _state(found)),
            ("enabled in the file", formatting.yes(found.enabled)),
            ("health check", found.healthcheck or "none: up unless disabled"),
            ("health", _health(found)),
            ("last result", _result(found.last_result)),
            ("at", formatting.moment(found.last_result_at_s, now_s)),
            *([("stale since", Cell(stale, Style.WARNING))] if found.stale_since_s is not None else []),
            *([("certificate ends", _certificate(found, now_s))] if found.certificate_not_after_s is not None else []),
            ("probes", found.probes),
            ("frontends", ", ".join(found.frontends)),
        ]
    )
    columns: dict[str, Callable[[Transition], object]] = {
        "when": lambda each: formatting.moment(each.at_s, now_s),
        "from": lambda each: formatting.state(each.from_state),
        "to": lambda each: formatting.state(each.to_state),
        "why": lambda each: each.why or _result(each.result),
    }
    return (head, table(reversed(found.history), columns, "no transitions yet"))


def _certificate(backend: BackendSnapshot, now_s: float) -> Cell:
    ends_s = backend.certificate_not_after_s or 0.0
    if ends_s <= now_s:
        return Cell(formatting.moment(ends_s, now_s), Style.ERROR)
    return Cell(f"{formatting.local(ends_s)} (in {formatting.age(ends_s - now_s)})")


def _result(result: ProbeResult | None) -> str:
    return "" if result is None else f"{result} ({result.duration_ns / 1e6:.1f} ms)"


def healthchecks(found: Sequence[HealthCheckSnapshot]) -> View:
    """All health checks."""
    columns: dict[str, Callable[[HealthCheckSnapshot], object]] = {
        "health check": lambda each: each.name,
        "type": lambda each: each.type,
        "#port": lambda each: each.port,
        "#interval": lambda each: formatting.duration(each.interval_s),
        "#fast": lambda each: formatting.duration(each.fast_interval_s),
        "#down": lambda each: formatting.duration(each.down_interval_s),
        "#timeout": lambda each: formatting.duration(each.timeout_s),
        "#rise": lambda each: each.rise,
        "#fall": lambda each: each.fall,
        "#backends": lambda each: len(each.backends),
    }
    return (table(found, columns, "no health checks"),)


def healthcheck(found: HealthCheckSnapshot) -> View:
    """One health check."""
    intervals = (found.interval_s, found.fast_interval_s, found.down_interval_s)
    interval, fast, down = map(formatting.duration, intervals)
    return (
        fields(
            [
                ("health check", found.name),
                ("type", found.type),
                ("port", found.port),
                ("interval", f"{interval}, fast {fast}, down {down}"),
                ("timeout", formatting.duration(found.timeout_s)),
                ("rise, fall", f"{found.rise}, {found.fall}"),
                ("from IPv4", found.source_ipv4 or "as the kernel chooses"),
                ("from IPv6", found.source_ipv6 or "as the kernel chooses"),
                *((f"params {key}", _param(value)) for key, value in found.params.items() if value not in (None, "")),
                ("backends", ", ".join(found.backends)),
            ]
        ),
    )


def _param(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
