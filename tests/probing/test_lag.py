from __future__ import annotations

import pytest

from maglev.api import Code, ProbeResult
from maglev.probing.lag import LagMeter

MS = 1_000_000
CLOSED = ProbeResult(Code.L7RSP, "closed by the peer")


@pytest.fixture
def meter() -> LagMeter:
    return LagMeter()


def voids(meter: LagMeter, stalled_ns: int, timeout_ns: int = 100 * MS, result: ProbeResult = CLOSED) -> bool:
    """Whether a result is void that ends while this process has been stalled for so long in all."""
    meter.stalled_ns = stalled_ns
    return meter.judge(object(), result, 0, 0, timeout_ns, 0).code is Code.LAG


def test_a_punctual_wake_up_is_no_stall(meter: LagMeter) -> None:
    meter.woke(100 * MS, 100 * MS)
    meter.woke(100 * MS, 105 * MS)  # woken early, by a socket
    assert (meter.last_ns, meter.stalled_ns, meter.report(0)) == (0, 0, None)


def test_the_grain_of_timers_is_no_stall(meter: LagMeter) -> None:
    for _ in range(100):
        meter.woke(101 * MS, 100 * MS)
    assert meter.stalled_ns == 0
    assert meter.last_ns == MS


def test_all_stalls_within_a_probe_are_credited_to_it(meter: LagMeter) -> None:
    meter.woke(40 * MS, 0)
    before_ns = meter.stalled_ns
    for now_ms in (60, 120, 180):
        meter.woke(now_ms * MS, (now_ms - 20) * MS)
    assert meter.credit_ns(50 * MS, before_ns, 1000 * MS) == 60 * MS


def test_three_stalls_are_credited_however_long_they_were(meter: LagMeter) -> None:
    for now_ms in (10_000, 20_000, 30_000):
        meter.woke(now_ms * MS, (now_ms - 9000) * MS)
    assert meter.credit_ns(500 * MS, 0, 1000 * MS) == 27_000 * MS


def test_a_process_that_is_starved_for_good_is_credited_a_bounded_time(meter: LagMeter) -> None:
    for now_ms in range(100, 60_000, 100):
        meter.woke(now_ms * MS, (now_ms - 95) * MS)
    assert meter.credit_ns(0, 0, 1000 * MS) == (3 * 95 + 3 * 1000) * MS


def test_stalls_before_a_probe_started_are_no_credit(meter: LagMeter) -> None:
    for now_ms in (10_000, 20_000, 30_000, 31_000):
        meter.woke(now_ms * MS, (now_ms - 900) * MS)
    before_ns = 3 * 900 * MS
    assert meter.credit_ns(30_050 * MS, before_ns, 100 * MS) == 900 * MS


def test_a_peer_that_hung_up_in_a_stall_longer_than_a_quarter_of_the_timeout_is_asked_again(meter: LagMeter) -> None:
    assert voids(meter, 301 * MS, 1000 * MS)
    assert voids(meter, 301 * MS, 1200 * MS)
    assert not voids(meter, 301 * MS, 1204 * MS)


def test_a_stall_of_no_more_than_50_ms_voids_nothing(meter: LagMeter) -> None:
    assert not voids(meter, 50 * MS, 10 * MS)
    assert voids(meter, 51 * MS, 10 * MS)


@pytest.mark.parametrize("code", [Code.L4CON, Code.L4TOUT, Code.L6TOUT, Code.L7TOUT, Code.L7OK, Code.NOFILE])
def test_what_no_stall_can_cause_is_never_void_for_one(meter: LagMeter, code: Code) -> None:
    assert not voids(meter, 10_000 * MS, 10 * MS, ProbeResult(code))


def test_three_in_a_row_may_be_void_and_no_more(meter: LagMeter) -> None:
    meter.woke(900 * MS, 0)
    results = [meter.judge("job", CLOSED, 0, 0, 1000 * MS, 0) for _ in range(5)]
    assert [result.code for result in results] == [Code.LAG] * 3 + [Code.L7RSP] * 2
    assert results[3].detail == "closed by the peer (after 3 that were void for stalls)"
    assert meter.voided == 3


def test_a_result_that_counts_ends_the_row(meter: LagMeter) -> None:
    meter.woke(900 * MS, 0)
    for _ in range(3):
        meter.judge("job", CLOSED, 0, 0, 1000 * MS, 0)
    assert meter.judge("another", CLOSED, 0, 0, 1000 * MS, 0).code is Code.LAG
    meter.forget("job")
    assert meter.judge("job", CLOSED, 0, 0, 1000 * MS, 0).code is Code.LAG


def test_results_in_a_row_may_be_void_for_five_seconds_and_no_longer(meter: LagMeter) -> None:
    meter.woke(900 * MS, 0)
    assert meter.judge("job", CLOSED, 1000 * MS, 0, 1000 * MS, 6000 * MS).code is Code.LAG
    assert meter.judge("job", CLOSED, 5000 * MS, 0, 1000 * MS, 6001 * MS).code is Code.L7RSP


def test_the_report_tells_the_worst_stall_and_the_results_voided_for_it(meter: LagMeter) -> None:
    meter.woke(5000 * MS, 0)
    meter.woke(60 * MS, 0)
    voids(meter, 5060 * MS)
    voids(meter, 5060 * MS)
    assert meter.report(0) == (5000 * MS, 2)
    assert meter.report(0) is None
    assert (meter.stalls, meter.voided, meter.max_ns) == (1, 2, 5000 * MS)


def test_a_short_stall_is_credited_and_not_reported(meter: LagMeter) -> None:
    meter.woke(49 * MS, 0)
    assert meter.report(0) is None
    assert (meter.stalls, meter.stalled_ns) == (0, 49 * MS)


def test_stalls_that_come_thick_are_reported_together(meter: LagMeter) -> None:
    meter.woke(60 * MS, 0)
    assert meter.report(0) == (60 * MS, 0)
    meter.woke(70 * MS, 0)
    meter.woke(90 * MS, 0)
    voids(meter, 220 * MS)
    assert meter.report(999 * MS) is None
    assert meter.report(1000 * MS) == (90 * MS, 1)
