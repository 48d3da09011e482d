"""The law of credited time, on a clock that stands still but for the test.

Whatever the stalls: (a) a peer that answers within its timeout of this process's running time never fails; (b) one that
answers nothing is down after at most `fall` times (timeout + interval) of running time and a constant.
"""

from __future__ import annotations

import random
from typing import Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from maglev.api import Code, Verdict
from maglev.probing.lag import CREDITED_TIMEOUTS, CREDITED_WHOLE, GRAIN_NS
from tests.probing.support import OK, Stopped, Watch, job_of

MS = 1_000_000
TICK_NS = 10 * MS
FALL = 3
INTERVAL_NS = 500 * MS
TIMEOUT_NS = 400 * MS

# How late this process is for its turns, one after the other.
punctual = st.just(0)
brief = st.integers(0, 150 * MS)
long = st.integers(0, 20_000 * MS)
few_stalls = st.lists(st.one_of(punctual, punctual, punctual, brief, long), max_size=400).filter(
    lambda lates: sum(late > 0 for late in lates) <= CREDITED_WHOLE
)
any_stalls = st.lists(st.one_of(punctual, brief, long), max_size=400)
milliseconds = st.integers(0, TIMEOUT_NS // MS - 1)


class Process(Watch):
    """A prober that is stalled as it is told, and peers that answer by its running time or by the clock."""

    def __init__(self, *, answers_after_ns: int | None, by_the_clock: bool = False) -> None:
        self.now_ns = 1000 * 10**9
        self.lost_ns = 0
        self.checker = Stopped()
        self.asked_ns: dict[int, int] = {}
        self.answers_after_ns = answers_after_ns
        self.by_the_clock = by_the_clock
        super().__init__(INTERVAL_NS, clock_ns=lambda: self.now_ns, random=random.Random(3).random)
        self.prober.add(job_of(self.checker, None, timeout_ns=TIMEOUT_NS), 0)
        self.prober._turn()

    @property
    def peers_ns(self) -> int:
        """What the peers call time."""
        return self.now_ns if self.by_the_clock else self.now_ns - self.lost_ns

    def turn(self, late_ns: int) -> None:
        """Wake up when it was asked for, or so much later."""
        wake_ns = self.prober._schedule.wake_ns
        assert wake_ns is not None
        self.now_ns = max(wake_ns, self.now_ns) + late_ns
        if late_ns > GRAIN_NS:
            self.lost_ns += late_ns
        self._answer()
        self.prober._turn()
        for token in self.checker.running:
            self.asked_ns.setdefault(token, self.peers_ns)

    def _answer(self) -> None:
        # What arrived while this process slept is read at the poll that it wakes up to.
        self.prober._poller.polled_ns = self.now_ns
        if self.answers_after_ns is not None:
            for token, report in list(self.checker.running.items()):
                if self.peers_ns - self.asked_ns[token] >= self.answers_after_ns:
                    del self.checker.running[token]
                    report(OK)

    def close(self) -> None:
        anyio.run(self.prober.aclose)


def run(process: Process, lates: list[int], turns: int = 150) -> Process:
    try:
        for late_ns in lates:
            process.turn(late_ns)
        for _ in range(turns):
            process.turn(0)
    finally:
        process.close()
    assert process.ended
    return process


@given(few_stalls, milliseconds)
def test_who_answers_within_its_timeout_of_running_time_never_fails(lates: list[int], after_ms: int) -> None:
    process = run(Process(answers_after_ns=after_ms * MS), lates)
    assert set(process.codes) == {Code.L7OK}


@given(st.lists(brief, max_size=400), milliseconds)
def test_nor_does_it_on_a_process_that_runs_a_quarter_of_the_time(lates: list[int], after_ms: int) -> None:
    # Three timeouts are credited beside the longest stalls: enough for stalls of thrice a turn's length.
    process = run(Process(answers_after_ns=after_ms * MS), [late % (CREDITED_TIMEOUTS * TICK_NS) for late in lates])
    assert set(process.codes) == {Code.L7OK}


@given(any_stalls, milliseconds)
def test_who_answers_within_its_timeout_never_fails_whatever_the_stalls(lates: list[int], after_ms: int) -> None:
    process = run(Process(answers_after_ns=after_ms * MS, by_the_clock=True), lates)
    assert set(process.codes) == {Code.L7OK}


@given(any_stalls)
def test_who_answers_nothing_is_down_after_a_bounded_running_time(lates: list[int]) -> None:
    process = Process(answers_after_ns=None)
    failed_by_ns: list[int] = []

    def note(_: Any) -> None:
        failed_by_ns.append(process.now_ns - process.prober.lag.stalled_ns)

    process.then = note
    began_ns = process.now_ns
    run(process, lates)
    assert {code.verdict for code in process.codes} == {Verdict.FAIL}
    # Each start and each end is at most a tick late, by the timer wheel, and so is the turn that sees it.
    constant_ns = FALL * 4 * TICK_NS
    assert failed_by_ns[FALL - 1] - began_ns <= FALL * (TIMEOUT_NS + INTERVAL_NS * 11 // 10) + constant_ns


@given(st.lists(st.integers(90 * MS, 1000 * MS), min_size=60, max_size=120))
def test_a_process_that_is_starved_for_good_needs_a_bounded_time(lates: list[int]) -> None:
    process = Process(answers_after_ns=None)
    began_ns = process.now_ns
    run(process, lates)
    longest_ns = max(lates) + TICK_NS
    a_probe_ns = (1 + CREDITED_TIMEOUTS) * TIMEOUT_NS + (CREDITED_WHOLE + 3) * longest_ns + INTERVAL_NS * 11 // 10
    assert process.ended[FALL - 1].ended_ns - began_ns <= FALL * a_probe_ns
