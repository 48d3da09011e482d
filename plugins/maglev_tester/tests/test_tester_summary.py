"""The results of a run, and its summary in JSON and in words."""

from __future__ import annotations

import json

import pytest

from maglev_tester import json_summary, text_summary
from maglev_tester.command import show
from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.results import KEPT_ERRORS, Results
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Kind, LeftOut, Vip

MS = 1_000_000
VIPS = (Vip("web", "192.0.2.80", 80, Kind.HTTP), Vip("smtp", "2001:db8::25", 25, Kind.TCP))


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def results(clock: Clock) -> Results:
    return Results(
        ProbeSettings(VIPS), (LeftOut("dns", "UDP"),), clock_ns=clock, wall_ns=lambda: 1_700_000_000_000_000_000
    )


def failover(results: Results, clock: Clock) -> None:
    """Ten seconds of answers from a, 300 ms of failures, ten seconds of answers from b."""
    for at_ms in range(0, 20_300, 100):
        clock.now_ns = (at_ms + 1) * MS
        if 10_000 <= at_ms < 10_300:
            results.add(0, Outcome(at_ms * MS, clock.now_ns, "refused", ErrorClass.NET, "connection refused"))
        else:
            who = "a" if at_ms < 10_000 else "b"
            results.add(0, Outcome(at_ms * MS, clock.now_ns, "200", who=who, answered=True))


def test_json_tells_all_of_a_failover(results: Results, clock: Clock) -> None:
    failover(results, clock)
    told = json.loads(json.dumps(json_summary.summary(results, 99.9)))
    web, smtp = told["vips"]
    assert (web["count"], web["failed"]) == (203, 3)
    assert web["tally"][0] | {"last": ""} == {"who": "a", "count": 100, "fresh": False, "last": ""}
    assert web["tally"][1] | {"last": ""} == {"who": "b", "count": 100, "fresh": True, "last": ""}
    assert web["longest_gap_ms"] == 400
    (seen,) = web["failovers"]
    assert (seen["left"], seen["joined"], seen["shifted_ms"]) == (["a"], ["b"], 301)
    assert (seen["started"], seen["over"]) == ("2023-11-14T22:13:30.000+00:00", True)
    assert (smtp["count"], smtp["ok_percent"], smtp["latency_ms"]["p50"]) == (0, None, None)
    assert told["below_min_ok"] == ["web", "smtp"]
    assert told["left_out"] == [{"name": "dns", "why": "UDP"}]


def test_words_tell_the_same(results: Results, clock: Clock) -> None:
    failover(results, clock)
    text = text_summary.text(results, 99.9)
    assert "web: a 100 (drained), b 100" in text
    assert "3 failed, longest gap 400ms, tally shifted after 301ms, left: a, joined: b" in text
    assert "net: connection refused ×3" in text
    assert "dns: UDP" in text
    assert "Good less often than 99.9 %:\n  web\n  smtp" in text
    assert "[2001:db8::25]:25" in text


@pytest.mark.parametrize("min_ok, status", [(0.0, 0), (50.0, 0), (99.0, 1)])
def test_exit_status_is_1_below_min_ok(
    results: Results, clock: Clock, min_ok: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failover(results, clock)
    results.add(1, Outcome(0, MS, "connected"))
    assert show(results, "json", min_ok) == status
    assert json.loads(capsys.readouterr().out)["ok"] is (status == 0)


def test_vip_without_a_judged_probe_has_proven_nothing(results: Results) -> None:
    assert results.below(0.1) == ("web", "smtp")
    assert results.below(0.0) == ()


def test_reset_forgets_all_and_takes_nothing_older(results: Results, clock: Clock) -> None:
    failover(results, clock)
    clock.now_ns += MS
    results.reset()
    results.add(0, Outcome(clock.now_ns - 1, clock.now_ns, "200"))
    assert results.records[0].count == 0
    assert not results.error_entries
    results.add(0, Outcome(clock.now_ns, clock.now_ns + 1, "200"))
    assert results.records[0].count == 1


def test_same_error_again_is_one_entry_and_the_newest_is_last(results: Results) -> None:
    for at_ns, vip in ((1, 0), (2, 1), (3, 0)):
        results.add(vip, Outcome(at_ns, at_ns, "refused", ErrorClass.NET, "connection refused"))
    assert [(entry.vip, entry.count) for entry in results.error_entries] == [("smtp", 1), ("web", 2)]


def test_errors_that_are_all_different_do_not_fill_the_memory(results: Results) -> None:
    for number in range(2 * KEPT_ERRORS):
        results.add(0, Outcome(number, number, "no-http", ErrorClass.HTTP, f"error {number}"))
    assert len(results.error_entries) == KEPT_ERRORS
    assert results.error_entries[-1].detail == f"error {2 * KEPT_ERRORS - 1}"


def test_summary_lists_the_newest_errors_and_counts_spikes(results: Results) -> None:
    for number in range(40):
        results.add(0, Outcome(number, number + 1, "200"))
    results.add(0, Outcome(100, 100 + 99 * MS, "200"))
    for number in range(text_summary.LISTED + 5):
        results.add(1, Outcome(number, number, "no-http", ErrorClass.HTTP, f"error {number}"))
    text = text_summary.text(results)
    assert "… and 5 more before" in text
    assert "error 4 " not in text
    assert f"error {text_summary.LISTED + 4} ×1" in text
    assert "spikes: 1 good answers of web that took far longer than usual" in text


@pytest.mark.parametrize(
    "time_ns, text",
    [
        (None, "-"),
        (0, "0.00ms"),
        (423_000, "0.42ms"),
        (9_996_000, "10.0ms"),
        (12_340_000, "12.3ms"),
        (999_600_000, "1.00s"),
        (1_214_000_000, "1.21s"),
        (59_994_000_000, "59.99s"),
        (59_996_000_000, "1m00s"),
        (200_000_000_000, "3m20s"),
        (7_380_000_000_000, "2h03m"),
    ],
)
def test_durations_fit_narrow_columns(time_ns: int | None, text: str) -> None:
    assert text_summary.duration(time_ns) == text
    assert len(text) <= 6
