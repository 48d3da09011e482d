"""The cadence of one job that is probed ten times a second, as `maglevt` probes VIPs, on a clock of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.probing.cadence import first_due_ns, next_due_ns

MS = 1_000_000
INTERVAL_NS = 100 * MS
LEAST_NS, MOST_NS = 90 * MS, 110 * MS


def starts(
    probe_ns: Callable[[int], int], until_ns: int, *, seed: int = 1, lateness_ns: Callable[[], int] = lambda: 0
) -> list[int]:
    """Run a schedule on a clock that nobody waits for; returns when probes began.

    Args:
        probe_ns: How long a probe takes that begins at a time.
        until_ns: How long to run.
        seed: Of the jitter.
        lateness_ns: By how much a timer goes off too late.
    """
    uniform = random.Random(seed).random
    due_ns = first_due_ns(0, INTERVAL_NS, uniform)
    found, now_ns = [], 0
    while now_ns < until_ns:
        started_ns = max(now_ns, due_ns) + lateness_ns()
        now_ns = started_ns + probe_ns(started_ns)
        due_ns = next_due_ns(due_ns, started_ns, now_ns, INTERVAL_NS, uniform)
        found.append(started_ns)
    return found


def gaps(times: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize("seed", range(20))
def test_over_30_seconds_probes_of_30_ms_keep_the_interval_within_two_percent(seed: int) -> None:
    late = random.Random(seed)
    times = starts(
        lambda _: 30 * MS, 30_000 * MS, seed=seed, lateness_ns=lambda: late.randrange(2 * MS)
    )  # as timers of an event loop do
    mean_ns = (times[-1] - times[0]) / (len(times) - 1)
    assert mean_ns == pytest.approx(INTERVAL_NS, rel=0.02)


def test_interval_varies_by_a_tenth_from_start_to_start() -> None:
    found = gaps(starts(lambda _: 30 * MS, 30_000 * MS))
    assert LEAST_NS <= min(found) < 93 * MS
    assert 107 * MS < max(found) <= MOST_NS


def test_probes_that_take_longer_than_the_interval_go_back_to_back() -> None:
    assert set(gaps(starts(lambda _: 250 * MS, 30_000 * MS))) == {250 * MS}


def test_there_is_no_burst_after_probes_were_slow() -> None:
    times = starts(lambda now_ns: 250 * MS if now_ns < 10_000 * MS else 5 * MS, 20_000 * MS)
    after = gaps([time for time in times if time >= 10_000 * MS])
    assert min(after) >= LEAST_NS
    assert max(after) <= MOST_NS


def test_there_is_no_burst_after_this_process_stood_still() -> None:
    stall = iter([0] * 50 + [3_000 * MS] + [0] * 1000)
    times = starts(lambda _: MS, 20_000 * MS, lateness_ns=lambda: next(stall))
    assert min(gaps(times)) >= LEAST_NS


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=60), st.integers(0, 100))
def test_whatever_probes_take_starts_are_never_too_close(durations_ms: list[int], seed: int) -> None:
    durations = iter(durations_ms)
    uniform = random.Random(seed).random
    due_ns = first_due_ns(0, INTERVAL_NS, uniform)
    started_ns, now_ns = -INTERVAL_NS, 0
    for duration_ms in durations:
        previous_ns, started_ns = started_ns, max(now_ns, due_ns)
        assert started_ns - previous_ns >= LEAST_NS
        now_ns = started_ns + duration_ms * MS
        due_ns = next_due_ns(due_ns, started_ns, now_ns, INTERVAL_NS, uniform)


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 10**15))
def test_first_probe_is_due_within_one_interval(uniform: float, now_ns: int) -> None:
    assert now_ns <= first_due_ns(now_ns, INTERVAL_NS, lambda: uniform) <= now_ns + INTERVAL_NS
