from __future__ import annotations

import pytest

from maglev.probing.lag import LagMeter

MS = 1_000_000


@pytest.fixture
def meter() -> LagMeter:
    return LagMeter(10 * MS)


def test_a_punctual_wake_up_is_no_stall(meter: LagMeter) -> None:
    meter.woke(100 * MS, 100 * MS)
    meter.woke(100 * MS, 105 * MS)  # woken early, by a socket
    assert (meter.last_ns, meter.stalled_ns, meter.report(0)) == (0, 0, None)


def test_the_grain_of_timers_is_no_stall(meter: LagMeter) -> None:
    for _ in range(100):
        meter.woke(120 * MS, 100 * MS)
    assert meter.stalled_ns == 0
    assert meter.last_ns == 20 * MS


def test_a_failure_that_overlapped_a_stall_longer_than_a_quarter_of_its_timeout_is_void(meter: LagMeter) -> None:
    before_ns = meter.stalled_ns
    meter.woke(301 * MS, 0)
    assert meter.voids(before_ns, 1000 * MS)
    assert meter.voids(before_ns, 1200 * MS)
    assert not meter.voids(before_ns, 1204 * MS)


def test_a_stall_of_no_more_than_50_ms_voids_nothing(meter: LagMeter) -> None:
    meter.woke(50 * MS, 0)
    assert not meter.voids(0, 10 * MS)
    meter.woke(51 * MS, 0)
    assert meter.voids(50 * MS, 10 * MS)


def test_a_stall_before_the_probe_started_voids_nothing(meter: LagMeter) -> None:
    meter.woke(5000 * MS, 0)
    assert not meter.voids(meter.stalled_ns, 1000 * MS)


def test_small_stalls_within_one_probe_add_up(meter: LagMeter) -> None:
    for _ in range(7):
        meter.woke(40 * MS, 0)
    assert meter.voids(0, 1000 * MS)
    assert meter.report(0) == (40 * MS, 1)


def test_the_report_tells_the_worst_stall_and_the_results_voided_for_it(meter: LagMeter) -> None:
    meter.woke(5000 * MS, 0)
    meter.woke(60 * MS, 0)
    meter.voids(0, 1000 * MS)
    meter.voids(0, 1000 * MS)
    assert meter.report(0) == (5000 * MS, 2)
    assert meter.report(0) is None
    assert (meter.stalls, meter.voided, meter.max_ns) == (1, 2, 5000 * MS)


def test_a_stall_that_voided_nothing_is_reported_but_not_counted(meter: LagMeter) -> None:
    meter.woke(60 * MS, 0)
    assert meter.report(0) == (60 * MS, 0)
    assert meter.stalls == 0


def test_stalls_that_come_thick_are_reported_together(meter: LagMeter) -> None:
    meter.woke(60 * MS, 0)
    assert meter.report(0) == (60 * MS, 0)
    meter.woke(70 * MS, 0)
    meter.woke(90 * MS, 0)
    meter.voids(60 * MS, 100 * MS)
    assert meter.report(999 * MS) is None
    assert meter.report(1000 * MS) == (90 * MS, 1)
