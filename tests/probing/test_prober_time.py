"""The prober on a clock that stands still but for the test."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import fmean
from unittest.mock import patch

import anyio
import pytest

from maglev.api import Code, ProbeResult
from maglev.probing import Job
from tests.probing.support import OK, Stopped, Watch, job_of

FOREVER_NS = 10**15
MS = 1_000_000
SECOND_NS = 1_000_000_000


class Fake(Watch):
    """A prober whose time stands still but for the test."""

    def __init__(self, *jobs: Job, interval_ns: int = SECOND_NS, first_within_ns: int = 0) -> None:
        self.now_ns = 1000 * SECOND_NS
        super().__init__(interval_ns, clock_ns=lambda: self.now_ns, random=random.Random(5).random)
        for job in jobs:
            self.prober.add(job, first_within_ns)
        self.prober._turn()

    def pass_ns(self, span_ns: int, step_ns: int = 10 * MS) -> None:
        """Let time pass, with a turn for every step."""
        for _ in range(span_ns // step_ns):
            self.now_ns += step_ns
            self.prober._turn()


@pytest.fixture
def fake() -> Iterator[Callable[..., Fake]]:
    made: list[Fake] = []

    def make(*jobs: Job, **options: int) -> Fake:
        made.append(Fake(*jobs, **options))
        return made[-1]

    yield make
    for one in made:
        anyio.run(one.prober.aclose)


FakeMaker = Callable[..., Fake]


def test_200_targets_for_60_s_keep_their_cadence_within_one_percent(fake: FakeMaker) -> None:
    checker = Stopped(OK)
    jobs = [job_of(checker, None) for _ in range(200)]
    watch = fake(*jobs, first_within_ns=SECOND_NS)
    watch.pass_ns(60 * SECOND_NS)
    starts: dict[Job, list[int]] = {job: [] for job in jobs}
    for ended in watch.ended:
        starts[ended.job].append(ended.started_ns)
    gaps = [after - before for times in starts.values() for before, after in pairwise(times)]
    assert fmean(gaps) == pytest.approx(SECOND_NS, rel=0.01)
    assert len(gaps) == pytest.approx(200 * 59, rel=0.02)
    assert watch.prober.stats.late == 0


def test_the_next_interval_is_what_the_last_result_led_to(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(OK), None), interval_ns=10 * SECOND_NS)
    watch.pass_ns(2 * SECOND_NS)
    assert len(watch.ended) == 1
    watch.interval_ns = 500 * MS
    watch.pass_ns(10 * SECOND_NS)
    assert len(watch.ended) > 2
    first, second, third = (ended.started_ns for ended in watch.ended[:3])
    assert 9 * SECOND_NS <= second - first <= 11 * SECOND_NS + 10 * MS
    assert 440 * MS <= third - second <= 560 * MS


def test_a_deadline_is_kept_to_the_tick(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(), None, timeout_ns=95 * MS))
    watch.pass_ns(90 * MS + 10 * MS)
    assert watch.ended == []
    watch.pass_ns(10 * MS)
    assert watch.codes == [Code.L4TOUT]
    assert watch.ended[0].result.duration_ns == 100 * MS


def test_a_stalled_process_declares_nobody_dead(fake: FakeMaker) -> None:
    checker = Stopped()
    jobs = [job_of(checker, None, timeout_ns=SECOND_NS) for _ in range(20)]
    watch = fake(*jobs)
    watch.pass_ns(50 * MS)
    assert len(checker.running) == 20
    watch.pass_ns(5 * SECOND_NS, step_ns=5 * SECOND_NS)
    assert watch.codes == []
    ((lag_ns, voided),) = watch.lags
    assert lag_ns == pytest.approx(5 * SECOND_NS, abs=20 * MS)
    assert voided == 0
    assert watch.prober.lag.stalls == 1
    watch.pass_ns(900 * MS)
    assert watch.codes == []
    watch.pass_ns(80 * MS)
    assert watch.codes == [Code.L4TOUT] * 20  # and what is still silent after all of its time is now dead


def test_an_answer_that_waited_out_the_stall_is_good(fake: FakeMaker) -> None:
    checker = Stopped()
    watch = fake(job_of(checker, None, timeout_ns=SECOND_NS))
    watch.pass_ns(50 * MS)
    watch.now_ns += 5 * SECOND_NS
    next(iter(checker.running.values()))(OK)
    watch.prober._turn()
    assert watch.codes == [Code.L7OK]


def test_a_short_stall_is_credited_too(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(), None, timeout_ns=SECOND_NS))
    watch.pass_ns(50 * MS)
    watch.pass_ns(200 * MS, step_ns=200 * MS)
    watch.pass_ns(940 * MS)
    assert watch.codes == []
    watch.pass_ns(30 * MS)
    assert watch.codes == [Code.L4TOUT]
    assert [voided for _, voided in watch.lags] == [0]


def test_a_process_that_is_starved_again_and_again_declares_nobody_dead_early(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(), None, timeout_ns=SECOND_NS))
    watch.pass_ns(3900 * MS, step_ns=60 * MS)  # of each, 50 ms are lost
    assert watch.codes == []


def test_a_process_that_is_starved_for_good_does_not_hide_the_dead(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(), None, timeout_ns=SECOND_NS))
    watch.pass_ns(60 * SECOND_NS, step_ns=500 * MS)
    assert len(watch.ended) >= 9  # at most four timeouts, three stalls and a step each
    assert set(watch.codes) == {Code.L4TOUT}


def test_a_peer_that_hangs_up_on_a_stalled_process_is_asked_again_and_then_believed(fake: FakeMaker) -> None:
    checker = Stopped()
    watch = fake(job_of(checker, None, timeout_ns=SECOND_NS), interval_ns=10 * MS)
    for _ in range(5):
        watch.pass_ns(50 * MS)
        watch.now_ns += 300 * MS
        watch.prober._turn()
        for report in list(checker.running.values()):
            report(ProbeResult(Code.L7RSP, "closed by the peer"))
    assert watch.codes == [Code.LAG, Code.LAG, Code.LAG, Code.L7RSP, Code.LAG]
    assert str(watch.ended[3].result) == "L7RSP: closed by the peer (after 3 that were void for stalls)"


def test_a_refusal_is_believed_whatever_the_stall(fake: FakeMaker) -> None:
    checker = Stopped()
    watch = fake(job_of(checker, None, timeout_ns=SECOND_NS))
    watch.pass_ns(50 * MS)
    watch.pass_ns(5 * SECOND_NS, step_ns=5 * SECOND_NS)
    next(iter(checker.running.values()))(ProbeResult(Code.L4CON, "refused"))
    assert watch.codes == [Code.L4CON]


def test_an_answer_that_came_after_the_deadline_is_too_late_however_it_was_read(fake: FakeMaker) -> None:
    checker = Stopped()
    watch = fake(job_of(checker, None, timeout_ns=100 * MS))
    watch.pass_ns(50 * MS)
    # A prober that is busy with events does not get to expire anything, and is never late.
    with patch.object(watch.prober._poller, "dispatch", return_value=None):
        watch.pass_ns(500 * MS)
    watch.prober._poller.polled_ns = watch.now_ns
    next(iter(checker.running.values()))(OK)
    assert watch.codes == [Code.L7TOUT]
    assert str(watch.ended[0].result) == "L7TOUT: too late: fine"


def test_sleeping_until_the_next_probe_is_no_stall(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(OK), None), interval_ns=60 * SECOND_NS)
    watch.pass_ns(50 * MS)
    due_ns = watch.prober._schedule._starts.next_ns()
    assert due_ns is not None
    watch.now_ns = due_ns
    watch.prober._turn()
    assert len(watch.ended) == 2
    assert watch.prober.lag.stalled_ns == 0


def test_a_job_added_after_a_stall_does_not_hide_it(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(), None, timeout_ns=SECOND_NS))
    watch.pass_ns(50 * MS)
    watch.now_ns += 5 * SECOND_NS
    watch.prober.add(job_of(Stopped(), None), 0)
    watch.prober._turn()
    assert watch.codes == []
    assert watch.prober.lag.stalled_ns == 5 * SECOND_NS - 10 * MS


def test_after_a_stall_no_start_is_made_up_for(fake: FakeMaker) -> None:
    checker = Stopped(OK)
    watch = fake(*[job_of(checker, None) for _ in range(10)], first_within_ns=SECOND_NS)
    watch.pass_ns(SECOND_NS)
    watch.pass_ns(30 * SECOND_NS, step_ns=30 * SECOND_NS)
    before = len(watch.ended)
    watch.pass_ns(800 * MS)
    assert len(watch.ended) - before <= 10
    assert watch.prober.stats.late == 10


def test_starts_are_bounded_per_turn_and_none_is_skipped(fake: FakeMaker) -> None:
    checker = Stopped(OK)
    watch = fake(*[job_of(checker, None) for _ in range(1000)])
    counts = []
    while len(watch.ended) < 1000:
        before = len(watch.ended)
        watch.pass_ns(MS, step_ns=MS)
        counts.append(len(watch.ended) - before)
    assert max(counts) <= 64
    assert len({id(ended.job) for ended in watch.ended}) == 1000


def test_expiries_are_bounded_per_turn_and_none_is_forgotten(fake: FakeMaker) -> None:
    checker = Stopped()
    watch = fake(*[job_of(checker, None, timeout_ns=SECOND_NS) for _ in range(1000)], interval_ns=FOREVER_NS)
    watch.pass_ns(500 * MS, step_ns=10 * MS)
    assert len(checker.running) == 1000
    watch.pass_ns(10 * SECOND_NS, step_ns=10 * SECOND_NS)
    watch.pass_ns(490 * MS)
    assert len(watch.ended) == 0
    watch.pass_ns(20 * MS)
    assert 0 < len(watch.ended) <= 512
    watch.pass_ns(200 * MS)
    assert len(watch.ended) == 1000
    assert set(watch.codes) == {Code.L4TOUT}


def test_a_loop_that_does_not_turn_is_overdue(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(), None))
    watch.pass_ns(50 * MS)
    assert watch.prober.overdue_ns() == 0
    watch.now_ns += 3 * SECOND_NS
    assert watch.prober.overdue_ns() == 3 * SECOND_NS - 10 * MS


def test_an_idle_prober_is_never_overdue(fake: FakeMaker) -> None:
    watch = fake()
    watch.now_ns += 3 * SECOND_NS
    assert watch.prober.overdue_ns() == 0
