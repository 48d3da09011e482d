"""The health machine: as sentences, and whole against a model that counts streaks and knows no counter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from maglev.api import BackendState, FailedPrecondition
from maglev.domain.health import (
    Health,
    disable,
    enable,
    initial,
    interval_ns,
    observe,
    pause,
    removed,
    resume,
    swapped,
)
from maglev.domain.model import HealthRule, Intervals

UNKNOWN, UP, DOWN = BackendState.UNKNOWN, BackendState.UP, BackendState.DOWN
PAUSED, DISABLED, REMOVED = BackendState.PAUSED, BackendState.DISABLED, BackendState.REMOVED
RULE = HealthRule(rise=2, fall=3)
INTERVALS = Intervals(normal_ns=2_000, fast_ns=500, down_ns=10_000)
RULES = st.builds(HealthRule, rise=st.integers(1, 6), fall=st.integers(1, 6))


def after(start: Health, verdicts: str, rule: HealthRule = RULE) -> Health:
    """Observe verdicts in order: `+` is a pass, `-` a failure."""
    for verdict in verdicts:
        start = observe(start, rule, verdict == "+")
    return start


FRESH = initial(RULE)
WHOLLY_UP = after(FRESH, "+")
WHOLLY_DOWN = after(FRESH, "---")


@pytest.mark.parametrize(
    "verdicts, state",
    [
        ("", UNKNOWN),
        ("+", UP),
        ("-", UNKNOWN),
        ("--", UNKNOWN),
        ("---", DOWN),
        ("--+", UP),
        ("+--", UP),
        ("+---", DOWN),
        ("+--+--", UP),
        ("+--+---", DOWN),
        ("---+", DOWN),
        ("---++", UP),
        ("---+-+", DOWN),
        ("---+-++", UP),
        ("---++--", UP),
        ("---++---", DOWN),
        ("----------++", UP),
        ("++++++++++---", DOWN),
    ],
)
def test_a_backend_with_rise_2_and_fall_3_after(verdicts: str, state: BackendState) -> None:
    assert after(FRESH, verdicts).state is state


def test_one_pass_makes_an_unknown_backend_wholly_up() -> None:
    assert observe(FRESH, RULE, True) == Health(UP, RULE.top)


def test_a_barely_up_backend_is_wholly_up_after_one_pass() -> None:
    assert after(WHOLLY_UP, "--+") == WHOLLY_UP


def test_with_rise_1_and_fall_1_every_verdict_decides() -> None:
    rule = HealthRule(rise=1, fall=1)
    states = [after(initial(rule), verdicts, rule).state for verdicts in ("", "-", "-+", "-+-")]
    assert states == [UNKNOWN, DOWN, UP, DOWN]


@pytest.mark.parametrize("settled, passed", [(WHOLLY_UP, True), (WHOLLY_DOWN, False)])
def test_a_verdict_that_changes_nothing_returns_the_very_same_object(settled: Health, passed: bool) -> None:
    assert observe(settled, RULE, passed) is settled


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("state", [PAUSED, DISABLED, REMOVED])
def test_a_late_verdict_on_a_backend_that_is_not_probed_changes_nothing(state: BackendState, passed: bool) -> None:
    health = Health(state, 0)
    assert observe(health, RULE, passed) is health
    assert not health.probed


@pytest.mark.parametrize(
    "verdicts, expected_ns",
    [
        ("", 500),
        ("-", 500),
        ("+", 2_000),
        ("+-", 500),
        ("+-+", 2_000),
        ("---", 10_000),
        ("---+", 500),
        ("---++", 2_000),
    ],
)
def test_the_interval_is_fast_until_the_counter_is_at_an_end(verdicts: str, expected_ns: int) -> None:
    assert interval_ns(after(FRESH, verdicts), RULE, INTERVALS) == expected_ns


def test_an_unknown_backend_is_probed_fast_though_its_counter_is_at_the_top() -> None:
    assert FRESH.counter == RULE.top
    assert interval_ns(FRESH, RULE, INTERVALS) == INTERVALS.fast_ns


def test_a_backend_starts_unknown_a_static_one_up_and_a_disabled_one_disabled() -> None:
    assert initial(RULE).state is UNKNOWN
    assert initial(None) == Health(UP, 0)
    assert initial(RULE, enabled=False) == Health(DISABLED, 0)
    assert initial(None, enabled=False) == Health(DISABLED, 0)


@pytest.mark.parametrize("health", [FRESH, WHOLLY_UP, WHOLLY_DOWN, Health(PAUSED, 0)])
def test_pause_pauses_whatever_is_not_disabled(health: Health) -> None:
    assert pause(health) == Health(PAUSED, 0)


def test_resume_begins_again_from_unknown() -> None:
    assert resume(pause(WHOLLY_UP), RULE) == FRESH


def test_resume_of_a_static_backend_is_up_at_once() -> None:
    assert resume(Health(PAUSED, 0), None) == Health(UP, 0)


def test_enable_begins_again_from_unknown() -> None:
    assert enable(disable(WHOLLY_DOWN), RULE) == FRESH


def test_enable_of_a_static_backend_is_up_at_once() -> None:
    assert enable(Health(DISABLED, 0), None) == Health(UP, 0)


@pytest.mark.parametrize("health", [FRESH, WHOLLY_UP, WHOLLY_DOWN, Health(UP, 0)])
def test_resume_and_enable_leave_a_backend_in_use_as_it_is(health: Health) -> None:
    assert resume(health, RULE) is health
    assert enable(health, RULE) is health


def test_enable_does_not_end_a_pause() -> None:
    paused = pause(WHOLLY_UP)
    assert enable(paused, RULE) is paused


@pytest.mark.parametrize("state, command", [(PAUSED, pause), (DISABLED, disable)])
def test_a_command_given_twice_changes_nothing_the_second_time(
    state: BackendState, command: Callable[[Health], Health]
) -> None:
    health = Health(state, 0)
    assert command(health) is health


def test_a_paused_backend_can_be_disabled() -> None:
    assert disable(pause(WHOLLY_UP)) == Health(DISABLED, 0)


def test_pause_and_resume_of_a_disabled_backend_are_refused_and_say_what_to_do() -> None:
    disabled = Health(DISABLED, 0)
    with pytest.raises(FailedPrecondition, match="cannot pause a disabled backend: enable it first"):
        pause(disabled)
    with pytest.raises(FailedPrecondition, match="cannot resume a disabled backend: enable it first"):
        resume(disabled, RULE)


@pytest.mark.parametrize(
    "command", [pause, disable, lambda gone: resume(gone, RULE), lambda gone: enable(gone, RULE)], ids=list("pdre")
)
def test_every_command_on_a_removed_backend_is_refused(command: Callable[[Health], Health]) -> None:
    with pytest.raises(FailedPrecondition, match="has left the configuration"):
        command(removed(WHOLLY_UP))


@pytest.mark.parametrize(
    "before, counter",
    [(WHOLLY_UP, 9), (after(WHOLLY_UP, "--"), 9), (WHOLLY_DOWN, 0), (after(WHOLLY_DOWN, "+"), 0), (FRESH, 9)],
)
def test_a_changed_check_keeps_the_state_and_counts_anew(before: Health, counter: int) -> None:
    assert swapped(before, HealthRule(rise=5, fall=5)) == Health(before.state, counter)


@pytest.mark.parametrize("health", [WHOLLY_UP, WHOLLY_DOWN, FRESH, Health(PAUSED, 0), Health(DISABLED, 0)])
def test_a_check_that_counts_the_same_leaves_a_settled_backend_the_very_same(health: Health) -> None:
    assert swapped(health, RULE) is health


@pytest.mark.parametrize("health", [FRESH, WHOLLY_DOWN, WHOLLY_UP])
def test_a_backend_that_loses_its_check_is_up(health: Health) -> None:
    assert swapped(health, None) == Health(UP, 0)


@pytest.mark.parametrize("state", [PAUSED, DISABLED])
def test_a_backend_out_of_use_stays_so_when_it_loses_its_check(state: BackendState) -> None:
    assert swapped(Health(state, 0), None).state is state


def test_a_static_backend_that_gets_a_check_stays_up_until_that_fails() -> None:
    up = swapped(initial(None), RULE)
    assert up == WHOLLY_UP
    assert after(up, "---").state is DOWN


@given(RULES, st.lists(st.booleans(), max_size=30))
def test_no_state_is_left_but_by_a_whole_streak(rule: HealthRule, verdicts: list[bool]) -> None:
    health = initial(rule)
    for index, passed in enumerate(verdicts):
        new = observe(health, rule, passed)
        if health.state is UP and new.state is DOWN:
            assert verdicts[index + 1 - rule.fall : index + 1] == [False] * rule.fall
        if health.state is DOWN and new.state is UP:
            assert verdicts[index + 1 - rule.rise : index + 1] == [True] * rule.rise
        health = new


class StreaksAgainstCounter(RuleBasedStateMachine):
    """The model keeps a state and how long the newest streak of verdicts in that state is, straight from the prose."""

    @initialize(rule=RULES, enabled=st.booleans())
    def begin(self, rule: HealthRule, enabled: bool) -> None:
        self.rule = rule
        self.health = initial(rule, enabled=enabled)
        self.state = UNKNOWN if enabled else DISABLED
        self.passes = self.failures = 0

    def become(self, state: BackendState) -> None:
        self.state = state
        self.passes = self.failures = 0

    @rule()
    def passed(self) -> None:
        self.health = observe(self.health, self.rule, True)
        self.passes, self.failures = self.passes + 1, 0
        if self.state is UNKNOWN or (self.state is DOWN and self.passes >= self.rule.rise):
            self.become(UP)

    @rule()
    def failed(self) -> None:
        self.health = observe(self.health, self.rule, False)
        self.passes, self.failures = 0, self.failures + 1
        if self.state in {UNKNOWN, UP} and self.failures >= self.rule.fall:
            self.become(DOWN)

    @precondition(lambda self: self.state is not DISABLED)
    @rule()
    def paused(self) -> None:
        self.health = pause(self.health)
        self.become(PAUSED)

    @precondition(lambda self: self.state is not DISABLED)
    @rule()
    def resumed(self) -> None:
        self.health = resume(self.health, self.rule)
        if self.state is PAUSED:
            self.become(UNKNOWN)

    @precondition(lambda self: self.state is DISABLED)
    @rule()
    def refused(self) -> None:
        with pytest.raises(FailedPrecondition):
            pause(self.health)
        with pytest.raises(FailedPrecondition):
            resume(self.health, self.rule)

    @rule()
    def disabled(self) -> None:
        self.health = disable(self.health)
        self.become(DISABLED)

    @rule()
    def enabled(self) -> None:
        self.health = enable(self.health, self.rule)
        if self.state is DISABLED:
            self.become(UNKNOWN)

    @rule(rule=RULES)
    def check_changed(self, rule: HealthRule) -> None:
        self.health = swapped(self.health, rule)
        self.rule = rule
        self.become(self.state)

    @invariant()
    def the_states_agree(self) -> None:
        assert self.health.state is self.state

    @invariant()
    def the_counter_stays_within_its_ends(self) -> None:
        assert 0 <= self.health.counter <= self.rule.top
        assert self.health.probed or self.health.counter == 0

    @invariant()
    def only_a_settled_backend_is_not_probed_fast(self) -> None:
        if self.health.probed:
            settled_up = self.state is UP and self.failures == 0
            settled_down = self.state is DOWN and self.passes == 0
            expected_ns = (
                INTERVALS.normal_ns if settled_up else INTERVALS.down_ns if settled_down else INTERVALS.fast_ns
            )
            assert interval_ns(self.health, self.rule, INTERVALS) == expected_ns


TestStreaksAgainstCounter = StreaksAgainstCounter.TestCase
TestStreaksAgainstCounter.settings = settings(stateful_step_count=60)
