from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maglev.domain.table import Address
from maglev.domain.weights import TableWeight, infer_step, table_weight, weight_step

A, B, C, D = (IPv4Address("192.0.2.1") + index for index in range(4))
WEIGHTS = st.integers(min_value=0, max_value=100)
STEPS = st.integers(min_value=1, max_value=100)


@pytest.mark.parametrize(
    "weights, step",
    [
        ([100, 100], 10),
        ([100, 75], 5),
        ([100, 50, 0], 10),
        ([100, 1], 1),
        ([5], 5),
        ([4, 8], 2),
        ([0, 0], 100),
        ([], 100),
    ],
)
def test_the_automatic_step_divides_ten_and_every_weight_of_the_file(weights: list[int], step: int) -> None:
    assert weight_step(weights) == step


@given(st.lists(WEIGHTS))
def test_no_weight_of_the_file_is_rounded_on_the_automatic_step(weights: list[int]) -> None:
    step = weight_step(weights)
    assert all(table_weight(weight, step) == TableWeight(weight // step, rounded=False) for weight in weights)


@pytest.mark.parametrize(
    "weight, step, value, rounded",
    [
        (100, 10, 10, False),
        (100, 1, 100, False),
        (99, 10, 10, True),
        (94, 10, 9, True),
        (95, 10, 10, True),
        (85, 10, 9, True),
        (1, 10, 1, True),
        (1, 100, 1, True),
        (0, 10, 0, False),
    ],
)
def test_a_weight_is_rounded_half_up_to_the_step(weight: int, step: int, value: int, rounded: bool) -> None:
    assert table_weight(weight, step) == TableWeight(value, rounded=rounded)


@given(weight=WEIGHTS, step=STEPS)
def test_only_zero_becomes_zero_and_no_weight_is_off_by_more_than_half_a_step(weight: int, step: int) -> None:
    scaled = table_weight(weight, step)
    assert (scaled.value == 0) == (weight == 0)
    assert 2 * abs(scaled.value * step - weight) <= step or scaled.value == 1
    assert scaled.rounded == (scaled.value * step != weight)


@given(weights=st.tuples(WEIGHTS, WEIGHTS), step=STEPS)
def test_a_greater_weight_never_becomes_the_smaller_one(weights: tuple[int, int], step: int) -> None:
    low, high = sorted(weights)
    assert table_weight(low, step).value <= table_weight(high, step).value


def test_what_is_no_weight_or_step_is_refused() -> None:
    with pytest.raises(ValueError, match="weight is 101: 0 to 100 is allowed"):
        weight_step([100, 101])
    with pytest.raises(ValueError, match="weight is -1: 0 to 100 is allowed"):
        table_weight(-1, 10)
    with pytest.raises(ValueError, match="weight step is 0: 1 to 100 is allowed"):
        table_weight(1, 0)
    with pytest.raises(ValueError, match="weight step is 101: 1 to 100 is allowed"):
        table_weight(1, 101)


def test_weights_as_configured_are_on_step_one() -> None:
    assert infer_step({A: 100, B: 50}, {A: 100, B: 50}, expected=10) == 1


def test_our_own_weights_are_on_our_own_step() -> None:
    assert infer_step({A: 10, B: 5}, {A: 100, B: 50}, expected=10) == 10


def test_servers_at_zero_are_no_evidence() -> None:
    assert infer_step({A: 10, B: 0, C: 7}, {A: 100, B: 50, C: 0}) == 10
    assert infer_step({A: 0, B: 0}, {A: 100, B: 100}, expected=10) is None
    assert infer_step({}, {A: 100}) is None
    assert infer_step({A: 10}, {}) is None


def test_servers_that_are_not_ours_are_no_evidence() -> None:
    assert infer_step({A: 10, B: 77, C: 78, D: 79}, {A: 100}) == 10


def test_a_weight_that_was_rounded_at_run_time_still_tells_the_step() -> None:
    assert infer_step({A: 10, B: 10}, {A: 100, B: 99}) == 10
    assert infer_step({A: 10}, {A: 99}) == 10


def test_one_server_whose_weight_was_changed_meanwhile_is_outvoted() -> None:
    assert infer_step({A: 10, B: 10, C: 10}, {A: 100, B: 100, C: 50}, expected=10) == 10
    assert infer_step({A: 100, B: 100, C: 100}, {A: 100, B: 100, C: 50}, expected=10) == 1


def test_two_servers_that_contradict_each_other_tell_nothing() -> None:
    assert infer_step({A: 10, B: 10}, {A: 100, B: 50}) is None
    assert infer_step({A: 10, B: 10}, {A: 100, B: 50}, expected=10) is None


def test_weights_that_no_step_makes_tell_nothing() -> None:
    assert infer_step({A: 100, B: 10}, {A: 50, B: 5}, expected=5) is None


def test_a_coarse_step_of_the_file_is_not_taken_for_a_finer_one() -> None:
    assert infer_step({A: 1, B: 1}, {A: 50, B: 50}, expected=100) == 100
    assert infer_step({A: 1, B: 1}, {A: 50, B: 50}) == 50


def test_more_explained_servers_weigh_more_than_what_the_file_expects() -> None:
    assert infer_step({A: 1, B: 1, C: 20}, {A: 5, B: 5, C: 100}, expected=10) == 5


def test_among_steps_that_explain_all_by_rounding_the_exact_one_is_taken() -> None:
    assert infer_step({A: 1}, {A: 100}) == 100


def test_several_steps_that_explain_all_by_rounding_only_tell_nothing() -> None:
    # 49 → 2 by steps 20 to 32, and 49 is twice nothing.
    assert infer_step({A: 2}, {A: 49}) is None


@given(weights=st.lists(st.integers(min_value=1, max_value=100), min_size=1, max_size=6), step=STEPS)
def test_the_step_that_made_the_weights_is_found_when_expected(weights: list[int], step: int) -> None:
    configured: dict[Address, int] = {A + index: weight for index, weight in enumerate(weights)}
    found = {server: table_weight(weight, step).value for server, weight in configured.items()}
    assert infer_step(found, configured, expected=step) == step


@given(multiples=st.lists(st.integers(min_value=1, max_value=100), min_size=1, max_size=6), step=STEPS)
def test_the_step_that_made_the_weights_without_rounding_is_found_in_any_case(multiples: list[int], step: int) -> None:
    assume(max(multiples) * step <= 100)
    found: dict[Address, int] = {A + index: multiple for index, multiple in enumerate(multiples)}
    assert infer_step(found, {server: value * step for server, value in found.items()}) == step
