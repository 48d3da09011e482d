from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.domain.warmup import Step, WarmUp, advance, fill, may_write, next_wakeup_ns, reconfigured, start

STARTED, MIN, MAX = 1_000, 50, 300
WARM = start(STARTED, min_ns=MIN, max_ns=MAX)
KNOWN: Mapping[str, tuple[str, ...]] = {"web": (), "mail": ()}
HALF_KNOWN: Mapping[str, tuple[str, ...]] = {"web": (), "mail": ("mail0", "mail1")}
UNKNOWN: Mapping[str, tuple[str, ...]] = {"web": ("web0",), "mail": ("mail0", "mail1")}


def test_nothing_is_written_before_the_min_delay_even_where_all_is_known() -> None:
    step = advance(WARM, STARTED + MIN - 1, KNOWN)
    assert step.warm is WARM
    assert step.released == ()
    assert not may_write(step.warm, "web")
    why = "nothing is written before startup-min-delay has passed"
    assert step.held == {"web": why, "mail": why}
    assert next_wakeup_ns(step.warm, STARTED + MIN - 1) == STARTED + MIN


def test_at_the_min_delay_a_frontend_without_unknown_backends_is_released_and_the_others_wait() -> None:
    step = advance(WARM, STARTED + MIN, HALF_KNOWN)
    assert step.released == ("web",)
    assert not step.warm.over
    assert may_write(step.warm, "web")
    assert not may_write(step.warm, "mail")
    why = "no verdict yet on mail0, mail1; released at startup-max-delay at the latest"
    assert step.held == {"mail": why}
    assert next_wakeup_ns(step.warm, STARTED + MIN) == STARTED + MAX


def test_a_frontend_is_released_once() -> None:
    once = advance(WARM, STARTED + MIN, HALF_KNOWN).warm
    again = advance(once, STARTED + MIN + 1, HALF_KNOWN)
    assert again.released == ()
    assert again.warm is once


def test_a_released_frontend_stays_released_when_a_backend_becomes_unknown_again() -> None:
    warm = advance(WARM, STARTED + MIN, HALF_KNOWN).warm
    step = advance(warm, STARTED + MIN + 1, UNKNOWN)
    assert may_write(step.warm, "web")
    assert [*step.held] == ["mail"]


def test_the_warm_up_is_over_once_every_frontend_is_released() -> None:
    step = advance(advance(WARM, STARTED + MIN, HALF_KNOWN).warm, STARTED + MIN + 1, KNOWN)
    assert step.released == ("mail",)
    assert step.warm.over
    assert step.warm.ended_by == "every frontend is released"


def test_a_configuration_without_frontends_is_warm_at_the_min_delay() -> None:
    assert not advance(WARM, STARTED + MIN - 1, {}).warm.over
    assert advance(WARM, STARTED + MIN, {}).warm.over


def test_at_the_max_delay_the_rest_is_released_at_once() -> None:
    warm = advance(WARM, STARTED + MIN, HALF_KNOWN).warm
    step = advance(warm, STARTED + MAX, HALF_KNOWN)
    assert step.released == ("mail",)
    assert step.warm.over
    assert step.held == {}
    assert step.warm.ended_by == "startup-max-delay has passed"


def test_after_the_warm_up_nothing_is_released_again_and_new_frontends_may_be_written() -> None:
    over = advance(WARM, STARTED + MAX, UNKNOWN).warm
    assert advance(over, STARTED + MAX + 1, {"new": ("new0",)}) == Step(over)
    assert may_write(over, "new")


def test_an_empty_dataplane_is_filled_at_once_whatever_the_clock() -> None:
    step = fill(WARM, ("web", "mail"), "the dataplane is empty")
    assert step.released == ("web", "mail")
    assert step.warm.over
    assert step.warm.ended_by == "the dataplane is empty"
    assert may_write(step.warm, "mail")


def test_a_dataplane_that_restarts_after_the_warm_up_has_nothing_to_release() -> None:
    over = fill(WARM, ("web",), "the dataplane is empty").warm
    assert fill(over, ("web",), "the dataplane has restarted") == Step(over)


def test_with_both_delays_0_there_is_no_warm_up() -> None:
    none = start(STARTED, min_ns=0, max_ns=0)
    assert none.over
    assert may_write(none, "web")
    assert next_wakeup_ns(none, STARTED) is None


def test_without_a_min_delay_a_frontend_is_released_with_its_last_verdict() -> None:
    warm = start(STARTED, min_ns=0, max_ns=MAX)
    assert advance(warm, STARTED, HALF_KNOWN).released == ("web",)


def test_with_equal_delays_all_is_released_at_that_moment() -> None:
    warm = start(STARTED, min_ns=MIN, max_ns=MIN)
    assert advance(warm, STARTED + MIN - 1, KNOWN).released == ()
    assert advance(warm, STARTED + MIN, UNKNOWN).released == ("web", "mail")


def test_a_max_delay_below_the_min_delay_counts_as_equal() -> None:
    warm = start(STARTED, min_ns=MIN, max_ns=MIN - 10)
    assert not advance(warm, STARTED + MIN - 1, UNKNOWN).warm.over
    assert advance(warm, STARTED + MIN, UNKNOWN).warm.over


def test_a_reload_does_not_restart_the_clock_nor_hold_back_what_was_released() -> None:
    warm = advance(WARM, STARTED + MIN, HALF_KNOWN).warm
    longer = reconfigured(warm, min_ns=MIN * 2, max_ns=MAX * 2)
    assert longer.started_ns == STARTED
    assert may_write(longer, "web")
    assert next_wakeup_ns(longer, STARTED + MIN * 2) == STARTED + MAX * 2


def test_a_reload_does_not_begin_a_warm_up_that_is_over() -> None:
    over = advance(WARM, STARTED + MAX, UNKNOWN).warm
    assert reconfigured(over, min_ns=MIN * 10, max_ns=MAX * 10).over


def test_a_reload_that_sets_both_delays_to_0_ends_the_warm_up() -> None:
    assert reconfigured(WARM, min_ns=0, max_ns=0).ended_by == "no warm-up is configured"


@pytest.mark.parametrize("now, wakeup", [(0, MIN), (MIN - 1, MIN), (MIN, MAX), (MAX - 1, MAX), (MAX + 7, MAX)])
def test_the_next_wakeup_is_the_next_delay(now: int, wakeup: int) -> None:
    assert next_wakeup_ns(WARM, STARTED + now) == STARTED + wakeup


TIMES = st.lists(st.integers(0, 2 * MAX), min_size=1, max_size=12).map(sorted)
VERDICT_AT = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2 * MAX), max_size=6)
DELAYS = st.tuples(st.integers(0, MAX), st.integers(0, MAX)).map(sorted)


@given(TIMES, VERDICT_AT, DELAYS)
def test_each_frontend_is_released_once_never_early_and_never_late(
    times: list[int], verdict_at: dict[str, int], delays: list[int]
) -> None:
    minimum, maximum = delays
    warm = start(0, min_ns=minimum, max_ns=maximum)
    seen: list[str] = []
    for now in times:
        unknown = {name: () if at <= now else (f"{name}0",) for name, at in verdict_at.items()}
        step = advance(warm, now, unknown)
        assert not step.released or now >= minimum
        assert all(not unknown[name] for name in step.released) or now >= maximum
        seen += step.released
        warm = step.warm
        writable = {name for name in verdict_at if may_write(warm, name)}
        assert writable | step.held.keys() == set(verdict_at)
        assert not writable & step.held.keys()
        assert all(step.held.values())
        assert not step.held or (next_wakeup_ns(warm, now) or 0) > now
        due = {name for name in verdict_at if now >= maximum or (now >= minimum and not unknown[name])}
        assert due <= writable
    assert len(seen) == len(set(seen))


@given(TIMES, DELAYS)
def test_between_wakeups_time_alone_changes_nothing(times: list[int], delays: list[int]) -> None:
    warm: WarmUp = start(0, min_ns=delays[0], max_ns=delays[1])
    for now in times:
        step = advance(warm, now, HALF_KNOWN)
        wakeup = next_wakeup_ns(step.warm, now)
        if wakeup is not None:
            assert wakeup > now
            assert advance(step.warm, wakeup - 1, HALF_KNOWN).warm is step.warm
        warm = step.warm
