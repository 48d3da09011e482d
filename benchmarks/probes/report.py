"""The records of a run: as a table for people, and as they are written to the file."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

from benchmarks.probes import machine
from benchmarks.probes.cases import Case
from benchmarks.probes.measure import Turns, Window

Record = dict[str, Any]

_COLUMNS = (
    ("check", "name"), ("targets", "targets"), ("probes/s", "rate"), ("µs", "cpu_us"), ("HAProxy", "haproxy_cpu_us"),
    ("ratio", "ratio"), ("1 thread", "haproxy_one_thread_cpu_us"), ("ratio", "one_thread_ratio"),
    ("core %", "core_percent"), ("late p50", "lateness_p50_ms"), ("p99", "lateness_p99_ms"),
    ("max ms", "lateness_max_ms"), ("skipped", "skipped"), ("void", "voided"), ("wrong", "wrong"),
    ("KiB each", "kib_per_backend"), ("down p50 s", "detection_p50_s"), ("HAProxy", "haproxy_detection_p50_s"),
    ("load", "load"),
)  # fmt: skip


def record_of(case: Case, turns: Turns, dead: tuple[list[float], list[float]], load: float) -> Record:
    """Make a record of a case.

    Args:
        case: The case.
        turns: What was measured.
        dead: Seconds to detection, under maglevd and under HAProxy.
        load: The machine's when it began.
    """
    cpu_us, rival_us, alone_us = (_middle(w, "cpu_us") for w in (turns.ours, turns.theirs, turns.theirs_alone))
    worst = {
        name: max(window.more[name] for window in turns.ours)
        for name in ("lateness_max_ms", "skipped", "voided", "wrong")
    }
    return {
        "name": case.name,
        "targets": case.targets,
        "cpu_us": cpu_us,
        "haproxy_cpu_us": rival_us,
        "ratio": _ratio(cpu_us, rival_us),
        "haproxy_one_thread_cpu_us": alone_us,
        "one_thread_ratio": _ratio(cpu_us, alone_us),
        "lateness_p50_ms": _middle(turns.ours, "lateness_p50_ms"),
        "lateness_p99_ms": _middle(turns.ours, "lateness_p99_ms"),
        **worst,
        "interval_s": case.interval_s,
        "rate": _middle(turns.ours, "rate"),
        "core_percent": _middle(turns.ours, "core_percent"),
        "rss_kb": _middle(turns.ours, "rss_kb"),
        "haproxy_rss_kb": _middle(turns.theirs, "rss_kb"),
        "kib_per_backend": _middle(turns.ours, "kib_per_backend", 2),
        "detection_p50_s": _share(dead[0], 50),
        "detection_p99_s": _share(dead[0], 99),
        "haproxy_detection_p50_s": _share(dead[1], 50),
        "haproxy_detection_p99_s": _share(dead[1], 99),
        "load": max(load, machine.load()),
        "start": turns.ours[0].more["start"],
    }


def table(records: Sequence[Record]) -> str:
    """Lay records out for people."""
    rows = [[title for title, _ in _COLUMNS], *([_text(record[key]) for _, key in _COLUMNS] for record in records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _middle(windows: Sequence[Window], what: str, digits: int = 1) -> float | None:
    if not windows:
        return None
    figures = [getattr(window, what) if hasattr(window, what) else window.more[what] for window in windows]
    return round(float(median(figures)), digits)


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return round(ours / theirs, 2) if ours and theirs else None


def _share(times: Sequence[float], percent: int) -> float | None:
    return round(quantiles(times, n=100)[percent - 1], 2) if times else None


def _text(figure: object) -> str:
    return "–" if figure is None else f"{figure:g}" if isinstance(figure, float) else str(figure)
