"""Windows, percentiles, tallies and counts: pure, no I/O."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.record import Record, percent
from maglev_tester.tally import FRESH_NS, MOST, NOBODY, OTHERS, Tally
from maglev_tester.window import ENOUGH_TO_COMPARE, SIZE, Window, percentile

MS = 1_000_000
LATENCIES = st.one_of(st.none(), st.integers(0, 10**10))


def good(started_ms: int, took_ms: int = 1, who: str = "a") -> Outcome:
    return Outcome(started_ms * MS, (started_ms + took_ms) * MS, "200", who=who, answered=True)


def bad(started_ms: int, error: ErrorClass = ErrorClass.NET) -> Outcome:
    return Outcome(started_ms * MS, (started_ms + 1) * MS, "refused", error, "connection refused")


def test_percentiles_are_nearest_ranks() -> None:
    ordered = list(range(1, 101))
    assert [percentile(ordered, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7], 0.5) == 7
    assert percentile([], 0.5) is None


@given(st.lists(st.integers(0, 10**9), min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_percentile_is_the_least_value_that_enough_others_do_not_exceed(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    needed = math.ceil(round(share * len(ordered), 9))
    assert sum(value <= found for value in ordered) >= needed
    assert sum(value < found for value in ordered) < needed


@given(st.lists(LATENCIES, max_size=300))
def test_window_holds_the_newest_and_its_percentiles_are_over_the_good_ones(latencies: list[int | None]) -> None:
    window = Window()
    for latency in latencies:
        window.add(latency)
    newest = latencies[-SIZE:]
    assert list(window.latest) == newest
    ordered = sorted(value for value in newest if value is not None)
    found = window.percentiles()
    assert found["p50"] == percentile(ordered, 0.5)
    assert found["max"] == (ordered[-1] if ordered else None)


def test_spike_needs_others_to_compare_with_and_a_factor_and_a_difference() -> None:
    window = Window()
    for _ in range(ENOUGH_TO_COMPARE - 1):
        window.add(20 * MS)
    assert not window.is_spike(1000 * MS)
    window.add(20 * MS)
    assert not window.is_spike(99 * MS)
    assert window.is_spike(100 * MS)
    fast = Window()
    for _ in range(ENOUGH_TO_COMPARE):
        fast.add(MS)
    assert not fast.is_spike(50 * MS)
    assert fast.is_spike(51 * MS)


def test_tally_is_fresh_for_five_seconds_and_drained_after() -> None:
    tally = Tally()
    tally.add("nginx1", 0)
    tally.add("nginx0", FRESH_NS)
    tally.add("nginx0", FRESH_NS + 1)
    before, after = tally.entries(FRESH_NS), tally.entries(FRESH_NS + 1)
    assert [(entry.who, entry.count, entry.fresh) for entry in before] == [("nginx0", 2, True), ("nginx1", 1, True)]
    assert [(entry.who, entry.fresh) for entry in after] == [("nginx0", True), ("nginx1", False)]
    assert tally.fresh(FRESH_NS + 1) == {"nginx0"}


def test_answer_without_the_header_is_counted_as_such() -> None:
    tally = Tally()
    tally.add("", 1)
    assert [entry.who for entry in tally.entries(1)] == [NOBODY]


def test_header_that_is_new_in_each_answer_does_not_fill_the_memory() -> None:
    tally = Tally()
    for number in range(10 * MOST):
        tally.add(f"request-{number}", number)
    entries = tally.entries(10 * MOST)
    assert len(entries) <= MOST + 1
    assert sum(entry.count for entry in entries) == 10 * MOST
    assert OTHERS in {entry.who for entry in entries}


def test_record_counts_good_and_failed_and_keeps_the_latest_status() -> None:
    assert Record().ok_percent is None
    record = Record()
    for outcome in (good(0), good(100), bad(200, ErrorClass.TIMEOUT), good(300)):
        record.add(outcome)
    assert (record.count, record.failed, record.good, record.status) == (4, 1, 3, "200")
    assert record.ok_percent == 75
    assert record.errors == {ErrorClass.TIMEOUT: 1}


def test_our_own_fault_is_no_verdict() -> None:
    record = Record()
    record.add(good(0))
    assert record.add(bad(100, ErrorClass.LOCAL)) is ErrorClass.LOCAL
    assert (record.count, record.failed, record.ok_percent) == (1, 0, 100)
    assert record.errors[ErrorClass.LOCAL] == 1
    assert record.failovers.longest_gap_ns(10**12) == 0


def test_spike_is_good_and_noted() -> None:
    record = Record()
    for number in range(ENOUGH_TO_COMPARE):
        assert record.add(good(100 * number)) is None
    assert record.add(good(5000, took_ms=400)) is ErrorClass.SPIKE
    assert record.failed == 0


def test_wrong_answer_still_tells_who_gave_it() -> None:
    record = Record()
    record.add(Outcome(0, MS, "503", ErrorClass.HTTP, "status 503", "nginx0", answered=True))
    assert [(entry.who, entry.count) for entry in record.tally.entries(MS)] == [("nginx0", 1)]


@pytest.mark.parametrize(
    "value, text", [(None, "-"), (100.0, "100"), (99.9999, "99.99"), (0.0, "0.00"), (66.666, "66.66")]
)
def test_percentage_is_never_rounded_up_to_100(value: float | None, text: str) -> None:
    assert percent(value) == text
