"""One message a period and subject, and a count of the others."""

from __future__ import annotations

from maglev.api import RateLimit


def test_one_message_a_period_stands_for_those_held_back() -> None:
    now_s = 0.0
    limit = RateLimit(60.0, clock_s=lambda: now_s)
    assert [limit.allow("a"), limit.allow("a"), limit.allow("b")] == [1, 0, 1]
    now_s = 59.9
    assert limit.allow("a") == 0
    now_s = 60.0
    assert [limit.allow("a"), limit.allow("a")] == [3, 0]


def test_a_clock_that_starts_at_zero_holds_nothing_back() -> None:
    assert RateLimit(clock_s=lambda: 0.0).allow() == 1


def test_the_subject_whose_message_is_the_oldest_is_forgotten() -> None:
    now_s = 0.0
    limit = RateLimit(60.0, most=2, clock_s=lambda: now_s)
    limit.allow("a")
    now_s = 1.0
    limit.allow("b")
    now_s = 60.0
    assert limit.allow("a") == 1
    assert limit.allow("c") == 1
    assert len(limit) == 2
    assert limit.allow("a") == 0
    assert limit.allow("b") == 1
