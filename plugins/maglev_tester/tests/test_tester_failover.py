"""A failover as a client sees it: gaps, failures, and the moment when the tally shifted."""

from __future__ import annotations

from collections.abc import Iterable

from maglev_tester.failover import QUIET_NS
from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.record import Record

MS = 1_000_000


def good(at_ms: int, who: str = "a") -> Outcome:
    return Outcome(at_ms * MS, (at_ms + 10) * MS, "200", who=who, answered=True)


def bad(at_ms: int) -> Outcome:
    return Outcome(at_ms * MS, (at_ms + 10) * MS, "refused", ErrorClass.NET, "connection refused")


def told(outcomes: Iterable[Outcome]) -> Record:
    record = Record()
    for outcome in outcomes:
        record.add(outcome)
    return record


def every_100_ms(first_ms: int, last_ms: int, who: str = "a") -> list[Outcome]:
    return [good(at_ms, who) for at_ms in range(first_ms, last_ms, 100)]


def test_without_a_failure_there_is_no_gap_and_no_failover() -> None:
    record = told(every_100_ms(0, 20_000))
    assert record.failovers.longest_gap_ns(10**12) == 0
    assert not record.failovers.seen


def test_gap_is_from_the_end_of_the_last_good_answer_to_the_end_of_the_next() -> None:
    record = told([*every_100_ms(0, 1000), bad(1000), bad(1100), bad(1200), good(1300)])
    assert record.failovers.longest_gap_ns(0) == 400 * MS
    assert record.failovers.seen[0].failed == 3


def test_open_gap_grows_with_the_clock() -> None:
    record = told([good(0), bad(100)])
    assert record.failovers.failing
    assert record.failovers.longest_gap_ns(5010 * MS) == 5000 * MS


def test_service_that_never_was_has_a_gap_since_the_first_probe() -> None:
    record = told([bad(100), bad(200)])
    assert record.failovers.longest_gap_ns(600 * MS) == 500 * MS
    assert record.failovers.seen[0].recovered_ns is None


def test_tally_shifts_when_another_server_takes_over() -> None:
    record = told([*every_100_ms(0, 6000, "a"), bad(6000), bad(6100), *every_100_ms(6200, 12_000, "b")])
    (failover,) = record.failovers.seen
    assert failover.over
    assert (failover.left, failover.joined) == (("a",), ("b",))
    assert failover.shifted_ns == 210 * MS
    assert failover.gap_ns == 300 * MS


def test_one_dead_server_of_two_makes_one_failover_until_its_last_failure() -> None:
    turns = [good(at_ms, "b") if at_ms % 200 else bad(at_ms) for at_ms in range(6000, 8000, 100)]
    before = [good(at_ms, "b" if at_ms % 200 else "a") for at_ms in range(0, 6000, 100)]
    record = told([*before, *turns, *every_100_ms(8000, 14_000, "b")])
    (failover,) = record.failovers.seen
    assert failover.failed == 10
    assert failover.gap_ns == 200 * MS
    assert (failover.left, failover.joined) == (("a",), ())
    # The first failure began at 6000, the latest at 7800; the answer after that ended at 7910.
    assert failover.shifted_ns == 1910 * MS


def test_same_servers_after_a_hiccup_are_no_shift() -> None:
    record = told([*every_100_ms(0, 6000), bad(6000), *every_100_ms(6100, 12_000)])
    (failover,) = record.failovers.seen
    assert failover.over
    assert failover.shifted_ns is None
    assert failover.gap_ns == 200 * MS


def test_before_five_quiet_seconds_nobody_is_said_to_have_left() -> None:
    record = told([*every_100_ms(0, 6000, "a"), bad(6000), good(6100, "b")])
    (failover,) = record.failovers.seen
    assert not failover.over
    assert failover.left == ()
    assert failover.shifted_ns is None


def test_two_failures_far_apart_are_two_failovers() -> None:
    quiet_ms = QUIET_NS // MS
    second_ms = 200 + quiet_ms + 200
    record = told([bad(0), *every_100_ms(100, second_ms), bad(second_ms)])
    assert [failover.failed for failover in record.failovers.seen] == [1, 1]


def test_pause_is_no_gap() -> None:
    record = told([good(0), bad(100), good(200)])
    record.failovers.interrupt()
    for outcome in (bad(60_000), good(60_100)):
        record.add(outcome)
    assert record.failovers.longest_gap_ns(0) == 200 * MS
    assert len(record.failovers.seen) == 2


def test_gap_that_is_open_when_probing_pauses_counts_until_the_latest_failure() -> None:
    record = told([good(0), bad(100), bad(200)])
    record.failovers.interrupt()
    assert record.failovers.longest_gap_ns(10**12) == 200 * MS
