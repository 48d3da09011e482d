"""Backends and health checks."""

from __future__ import annotations

import json
from collections.abc import Sequence

from maglev.api import BackendSnapshot, HealthCheckSnapshot, ProbeResult, Transition
from maglev_cli.views import formatting
from maglev_cli.views.model import Cell, Style, Table, View, columns, fields, row


def backends(found: Sequence[BackendSnapshot], now_s: float) -> View:
    """All backends; `now_s` is now, in seconds since the epoch."""
    rows = (
        row(
            backend.name,
            backend.address,
            _state(backend),
            formatting.age(now_s - backend.history[-1].at_s) if backend.history else None,
            _health(backend),
            backend.healthcheck,
            _last(backend),
            ", ".join(backend.frontends),
        )
        for backend in found
    )
    titles = columns("backend", "address", "state", "#for", "#health", "check", "last result", "frontends")
    return (Table(titles, tuple(rows), "no backends"),)


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
    result = found.last_result
    head = fields(
        [
            ("backend", found.name),
            ("address", found.address),
            ("state", _state(found)),
            ("enabled in the file", formatting.yes(found.enabled)),
            ("health check", found.healthcheck or "none: up unless disabled"),
            ("health", _health(found)),
            ("last result", _result(result)),
            ("at", formatting.moment(found.last_result_at_s, now_s)),
            *_stale(found, now_s),
            ("probes", found.probes),
            ("next probe", _next(found.next_probe_at_s, now_s)),
            ("frontends", ", ".join(found.frontends)),
        ]
    )
    rows = tuple(_transition(transition, now_s) for transition in reversed(found.history))
    return (head, Table(columns("when", "from", "to", "why"), rows, "no transitions yet"))


def _stale(found: BackendSnapshot, now_s: float) -> list[tuple[str, object]]:
    if found.stale_since_s is None:
        return []
    return [("stale since", Cell(f"{formatting.moment(found.stale_since_s, now_s)}: {found.void_code}", Style.WARNING))]


def _next(at_s: float | None, now_s: float) -> str:
    return "" if at_s is None else f"in {formatting.duration(round(max(0.0, at_s - now_s), 1))}"


def _transition(transition: Transition, now_s: float) -> tuple[Cell, ...]:
    why = transition.why or (_result(transition.result) if transition.result else "")
    return row(
        formatting.moment(transition.at_s, now_s),
        formatting.state(transition.from_state),
        formatting.state(transition.to_state),
        why,
    )


def _result(result: ProbeResult | None) -> str:
    return "" if result is None else f"{result} ({result.duration_ns / 1e6:.1f} ms)"


def healthchecks(found: Sequence[HealthCheckSnapshot]) -> View:
    """All health checks."""
    rows = (
        row(
            check.name,
            check.type,
            check.port,
            *_intervals(check),
            formatting.duration(check.timeout_s),
            check.rise,
            check.fall,
            len(check.backends),
        )
        for check in found
    )
    titles = columns(
        "health check", "type", "#port", "#interval", "#fast", "#down", "#timeout", "#rise", "#fall", "#backends"
    )
    return (Table(titles, tuple(rows), "no health checks"),)


def _intervals(check: HealthCheckSnapshot) -> tuple[str, str, str]:
    return (
        formatting.duration(check.interval_s),
        formatting.duration(check.fast_interval_s),
        formatting.duration(check.down_interval_s),
    )


def healthcheck(found: HealthCheckSnapshot) -> View:
    """One health check."""
    interval, fast, down = _intervals(found)
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
