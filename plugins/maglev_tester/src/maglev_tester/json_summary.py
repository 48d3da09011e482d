"""The summary at the end of a run, as data: what `--output json` prints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from maglev_tester.failover import Failover
from maglev_tester.record import Record
from maglev_tester.results import Results
from maglev_tester.vips import Vip


def summary(results: Results, min_ok: float = 0.0) -> dict[str, Any]:
    """Sum a run up: times in milliseconds, moments in UTC. `min_ok` is the share of good probes wanted, 0 to 100."""
    now_ns = results.now_ns
    below = results.below(min_ok)
    return {
        "host": results.host,
        "started": _moment(results, results.started_ns),
        "duration_s": round((now_ns - results.started_ns) / 1e9, 3),
        "interval_ms": _ms(results.settings.interval_ns),
        "timeout_ms": _ms(results.settings.timeout_ns),
        "min_ok": min_ok,
        "ok": not below,
        "below_min_ok": list(below),
        "vips": [_vip(results, *pair, now_ns) for pair in results.by_vip],
        "left_out": [{"name": item.name, "why": item.why} for item in results.left_out],
    }


def _vip(results: Results, vip: Vip, record: Record, now_ns: int) -> dict[str, Any]:
    return {
        "name": vip.name,
        "address": vip.address,
        "port": vip.port,
        "kind": str(vip.kind),
        "count": record.count,
        "failed": record.failed,
        "ok_percent": _share(record.ok_percent),
        "last_status": record.status,
        "latency_ms": {name: _ms(time_ns) for name, time_ns in record.window.percentiles().items()},
        "errors": {str(error): count for error, count in sorted(record.errors.items())},
        "tally": [
            {"who": entry.who, "count": entry.count, "fresh": entry.fresh, "last": _moment(results, entry.last_ns)}
            for entry in record.tally.entries(now_ns)
        ],
        "longest_gap_ms": _ms(record.failovers.longest_gap_ns(now_ns)),
        "failovers": [_failover(results, failover) for failover in record.failovers.seen],
    }


def _failover(results: Results, failover: Failover) -> dict[str, Any]:
    return {
        "started": _moment(results, failover.started_ns),
        "failed": failover.failed,
        "longest_gap_ms": _ms(failover.gap_ns) if failover.gap_ns else None,
        "recovered": None if failover.recovered_ns is None else _moment(results, failover.recovered_ns),
        "over": failover.over,
        "shifted_ms": _ms(failover.shifted_ns),
        "left": list(failover.left),
        "joined": list(failover.joined),
    }


def _share(percent: float | None) -> float | None:
    """As shown everywhere: one failure in a million is not to vanish in rounding."""
    return None if percent is None else int(percent * 10_000) / 10_000


def _ms(time_ns: int | None) -> float | None:
    return None if time_ns is None else round(time_ns / 1e6, 3)


def _moment(results: Results, monotonic_ns: int) -> str:
    return datetime.fromtimestamp(results.wall_s(monotonic_ns), UTC).isoformat(timespec="milliseconds")
