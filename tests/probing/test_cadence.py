from __future__ import annotations

import random
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.probing.cadence import JITTER, first_due_ns, jittered_ns, next_due_ns
from maglev.probing.timer_wheel import TimerWheel

TICK_NS = 10_000_000
SECOND_NS = 1_000_000_000


def middle() -> float:
    return 0.5


def simulate(interval_ns: int, duration_ns: int, targets: int, span_ns: int, seed: int = 1) -> list[list[int]]:
    """Run a schedule on a fake clock that advances by ticks; return the starts of each target."""
    dice = random.Random(seed).random
    wheel: TimerWheel[int] = TimerWheel(0, TICK_NS)
    starts: list[list[int]] = [[] for _ in range(targets)]
    due = [first_due_ns(0, interval_ns, dice) for _ in range(targets)]
    for target in range(targets):
        wheel.add(target, due[target])
    for now_ns in range(0, span_ns + 1, TICK_NS):
        for target in wheel.take_due(now_ns):
            starts[target].append(now_ns)
            due[target] = next_due_ns(due[target], now_ns, now_ns + duration_ns, interval_ns, dice)
            wheel.add(target, due[target])
    return starts


def gaps(starts: list[int]) -> list[int]:
    return [after - before for before, after in pairwise(starts)]


@pytest.mark.parametrize("interval_ns", [100_000_000, 500_000_000, SECOND_NS, 2_345_678_901])
def test_the_mean_cadence_is_within_one_percent_of_the_interval(interval_ns: int) -> None:
    every = [gap for starts in simulate(interval_ns, interval_ns // 3, 200, 60 * SECOND_NS) for gap in gaps(starts)]
    assert fmean(every) == pytest.approx(interval_ns, rel=0.01)


def test_ticks_add_no_drift() -> None:
    interval_ns = 3 * TICK_NS + 1  # a schedule that counted from its starts would run a quarter too slow
    starts = simulate(interval_ns, 0, 1, 600 * SECOND_NS)[0]
    assert fmean(gaps(starts)) == pytest.approx(interval_ns, rel=0.005)


def test_gaps_stay_within_the_jitter_and_one_tick() -> None:
    for starts in simulate(SECOND_NS, SECOND_NS // 2, 50, 60 * SECOND_NS):
        for gap in gaps(starts):
            assert (1 - JITTER) * SECOND_NS - TICK_NS <= gap <= (1 + JITTER) * SECOND_NS + TICK_NS


def test_jitter_is_uniform_over_plus_minus_ten_percent() -> None:
    dice = random.Random(7).random
    counts = [0] * 20
    for _ in range(100_000):
        counts[int((jittered_ns(SECOND_NS, dice) / SECOND_NS - (1 - JITTER)) / (2 * JITTER) * 20)] += 1
    expected = 100_000 / 20
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    assert chi_square < 43.8  # 19 degrees of freedom, one in a thousand


@given(st.integers(1, 10**12), st.floats(0, 1, exclude_max=True))
def test_jitter_never_leaves_its_bounds(interval_ns: int, dice: float) -> None:
    assert 0.9 * interval_ns - 1 <= jittered_ns(interval_ns, lambda: dice) <= 1.1 * interval_ns


def test_first_probes_are_spread_uniformly_over_the_time_they_have() -> None:
    dice = random.Random(3).random
    first = sorted(first_due_ns(5, SECOND_NS, dice) - 5 for _ in range(10_000))
    assert 0 <= first[0] < first[-1] < SECOND_NS
    assert max(abs(time / SECOND_NS - rank / 10_000) for rank, time in enumerate(first)) < 0.02  # Kolmogorov-Smirnov


def test_the_probes_own_duration_comes_off_the_wait() -> None:
    assert next_due_ns(0, 0, 900, 1000, middle) == 1000


def test_an_overrun_starts_the_next_probe_at_once() -> None:
    assert next_due_ns(0, 0, 1500, 1000, middle) == 1500


def test_missed_probes_are_never_caught_up_on() -> None:
    starts = simulate(SECOND_NS, 3 * SECOND_NS + SECOND_NS // 2, 1, 60 * SECOND_NS)[0]
    assert min(gaps(starts)) >= 3 * SECOND_NS


def test_a_late_start_moves_the_schedule_instead_of_being_made_up_for() -> None:
    late_ns = SECOND_NS // 10 + 1
    assert next_due_ns(0, late_ns, late_ns + 5, SECOND_NS, middle) == late_ns + SECOND_NS


def test_a_start_later_by_less_than_the_jitter_moves_nothing() -> None:
    late_ns = SECOND_NS // 10
    assert next_due_ns(0, late_ns, late_ns + 5, SECOND_NS, middle) == SECOND_NS


def test_a_start_late_by_the_width_of_a_tick_moves_nothing_however_short_the_interval() -> None:
    assert next_due_ns(0, TICK_NS, TICK_NS + 5, 3 * TICK_NS, middle) == 3 * TICK_NS
