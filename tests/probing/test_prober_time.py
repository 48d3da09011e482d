"""The prober on a clock that stands still but for the test."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import fmean

import anyio
import pytest

from maglev.api import Code
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
    assert watch.codes == [Code.LAG] * 20
    ((lag_ns, voided),) = watch.lags
    assert lag_ns == pytest.approx(5 * SECOND_NS, abs=20 * MS)
    assert voided == 20
    assert watch.prober.lag.stalls == 1
    watch.pass_ns(20 * MS)
    assert len(checker.running) == 20  # all run again at once
    watch.pass_ns(SECOND_NS)
    assert watch.codes[20:] == [Code.L4TOUT] * 20  # and what is still silent is now dead


def test_an_answer_that_waited_out_the_stall_is_good(fake: FakeMaker) -> None:
    checker = Stopped()
    watch = fake(job_of(checker, None, timeout_ns=SECOND_NS))
    watch.pass_ns(50 * MS)
    watch.now_ns += 5 * SECOND_NS
    next(iter(checker.running.values()))(OK)
    watch.prober._turn()
    assert watch.codes == [Code.L7OK]


def test_a_short_stall_voids_nothing(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(), None, timeout_ns=SECOND_NS))
    watch.pass_ns(50 * MS)
    watch.pass_ns(200 * MS, step_ns=200 * MS)
    watch.pass_ns(SECOND_NS)
    assert watch.codes[0] is Code.L4TOUT
    assert [voided for _, voided in watch.lags] == [0]


def test_a_process_that_is_starved_again_and_again_declares_nobody_dead(fake: FakeMaker) -> None:
    watch = fake(job_of(Stopped(), None, timeout_ns=SECOND_NS))
    watch.pass_ns(1200 * MS, step_ns=60 * MS)
    assert watch.codes[0] is Code.LAG


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
    assert watch.codes == [Code.LAG]


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
    watch.pass_ns(800 * MS, step_ns=800 * MS)
    assert len(watch.ended) == 256
    watch.pass_ns(3 * MS, step_ns=MS)
    assert len(watch.ended) == 1000
    assert [voided for _, voided in watch.lags] == [1000]  # told when all of it is known


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
