"""The summary at the end of a run, as text: what `--output text` prints, and what is printed after the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from maglev import format_duration
from maglev_tester.failover import Failover
from maglev_tester.outcome import ErrorClass
from maglev_tester.record import Record, percent
from maglev_tester.results import Results
from maglev_tester.vips import Vip
from maglev_tester.window import PERCENTILES

LISTED = 30
"""How many errors are listed in the summary."""

_NUMBERS = ("COUNT", "FAILED", "OK%", *map(str.upper, PERCENTILES), "GAP")
_HEADER = ("VIP", "ENDPOINT", "KIND", *_NUMBERS, "LAST")


def text(results: Results, min_ok: float = 0.0) -> str:
    """Sum a run up for people. `min_ok` is the share of good probes that was wanted of each VIP, 0 to 100."""
    now_ns = results.now_ns
    lines = [heading(results), "", *_columns([_HEADER, *(_row(*pair, now_ns) for pair in results.by_vip)])]
    lines += _section("Who answered", [f"{name}: {who}" for name, who in _who(results, now_ns) if who])
    lines += _section("Failovers", failovers(results))
    lines += _section("Errors", _errors(results))
    lines += _section("Not probed", [f"{item.name}: {item.why}" for item in results.left_out])
    below = results.below(min_ok)
    lines += _section(f"Good less often than {min_ok:g} %", below)
    return "\n".join(lines)


def heading(results: Results) -> str:
    """Return the heading: host, VIPs, interval and duration."""
    count = len(results.settings.vips)
    interval = format_duration(timedelta(microseconds=results.settings.interval_ns // 1_000))
    took = duration(results.now_ns - results.started_ns)
    return f"maglevt on {results.host}: {count} VIP{'s' * (count != 1)}, one probe each in {interval}, for {took}"


def failovers(results: Results) -> list[str]:
    """A line for each failover that was seen, from the first to the last."""
    seen = [
        (failover.started_ns, vip.name, failover)
        for vip, record in results.by_vip
        for failover in record.failovers.seen
    ]
    seen.sort(key=lambda item: item[:2])
    return [f"{name}: {failover_line(results, failover)}" for _, name, failover in seen]


def failover_line(results: Results, failover: Failover) -> str:
    """One failover as a client saw it."""
    parts = [f"{clock(results, failover.started_ns)} {failover.failed} failed"]
    if failover.gap_ns:
        parts.append(f"longest gap {duration(failover.gap_ns)}")
    if failover.recovered_ns is None:
        parts.append("not recovered")
    elif failover.shifted_ns is not None:
        parts.append(f"tally shifted after {duration(failover.shifted_ns)}")
    elif failover.over:
        parts.append(f"over after {duration(failover.recovered_ns - failover.started_ns)}")
    parts += [
        f"{what}: {', '.join(who)}" for what, who in (("left", failover.left), ("joined", failover.joined)) if who
    ]
    return ", ".join(parts)


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"{title}:", *(f"  {line}" for line in lines))


def _row(vip: Vip, record: Record, now_ns: int) -> tuple[str, ...]:
    gap_ns = record.failovers.longest_gap_ns(now_ns)
    return (
        vip.name, vip.endpoint, str(vip.kind), str(record.count), str(record.failed), percent(record.ok_percent),
        *map(duration, record.window.percentiles().values()), duration(gap_ns or None), record.status or "-",
    )  # fmt: skip


def _who(results: Results, now_ns: int) -> Iterator[tuple[str, str]]:
    for vip, record in results.by_vip:
        entries = record.tally.entries(now_ns)
        told = (f"{entry.who} {entry.count}{'' if entry.fresh else ' (drained)'}" for entry in entries)
        yield vip.name, ", ".join(told)


def _errors(results: Results) -> list[str]:
    """The newest errors. Spikes are only counted: where this host was busy for a moment, each VIP has some."""
    listed = [entry for entry in results.error_entries if entry.error is not ErrorClass.SPIKE]
    lines = [
        f"{clock(results, entry.first_ns)} to {clock(results, entry.last_ns)} {entry.vip}: {entry.error}: "
        f"{entry.detail} ×{entry.count}"
        for entry in listed[-LISTED:]
    ]
    if len(listed) > LISTED:
        lines.insert(0, f"… and {len(listed) - LISTED} more before")
    counts = {vip.name: record.errors[ErrorClass.SPIKE] for vip, record in results.by_vip}
    spikes = {name: count for name, count in counts.items() if count}
    if spikes:
        of = next(iter(spikes)) if len(spikes) == 1 else f"{len(spikes)} VIPs"
        lines.append(f"spikes: {sum(spikes.values())} good answers of {of} that took far longer than usual")
    return lines


def error_counts(results: Results) -> list[tuple[ErrorClass, int]]:
    """Return the number of errors of each class; our own faults only if there are any."""
    errors = results.errors
    return [(error, errors[error]) for error in ErrorClass if errors[error] or error is not ErrorClass.LOCAL]


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [name in _NUMBERS for name in rows[0]]
    cells = ([c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)] for row in rows)
    return ["  ".join(row).rstrip() for row in cells]


def duration(time_ns: int | None) -> str:
    """A time in four or five characters and a unit: `0.42ms`, `12.3ms`, `1.21s`, `3m20s`."""
    if time_ns is None:
        return "-"
    ms = time_ns / 1e6
    for limit, form in (
        (9.995, f"{ms:.2f}ms"),
        (99.95, f"{ms:.1f}ms"),
        (999.5, f"{ms:.0f}ms"),
        (59_995, f"{ms / 1e3:.2f}s"),
    ):
        if ms < limit:
            return form
    minutes, seconds = divmod(round(ms / 1e3), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def clock(results: Results, monotonic_ns: int) -> str:
    """The time of day here, to the tenth of a second."""
    moment = datetime.fromtimestamp(results.wall_s(monotonic_ns)).astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 100_000}"
