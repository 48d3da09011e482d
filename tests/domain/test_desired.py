from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.api import FrontendState, ServerState, VipState
from maglev.domain.desired import DesiredServer, DesiredVip, desired_vip
from maglev.domain.frontend import Assessment
from maglev.domain.model import Frontend, Member, Pool
from maglev.domain.table import Address
from tests.domain.planning import GRE4, S1, S2, S3, WEB


def frontend(step: int = 10) -> Frontend:
    return Frontend("web", WEB, (Pool("primary", (Member("a", S1), Member("b", S2))),), GRE4, step=step)


def assessed(weights: Mapping[Address, int]) -> Assessment:
    return Assessment("web", "primary", FrontendState.UP, "", (), weights, holding=False)


def in_dataplane(weights: Mapping[Address, int]) -> VipState:
    return VipState(GRE4, {server: ServerState(weight) for server, weight in weights.items()})


def weights_of(vip: DesiredVip) -> dict[Address, int]:
    return {server: wanted.weight for server, wanted in vip.servers.items()}


def test_the_weights_of_the_file_are_divided_by_its_step() -> None:
    vip = desired_vip(frontend(), assessed({S1: 100, S2: 50}), None)
    assert vip == DesiredVip(GRE4, 10, {S1: DesiredServer(10), S2: DesiredServer(5)}, wanted_step=10)


def test_a_weight_is_never_rounded_down_to_nothing() -> None:
    assert weights_of(desired_vip(frontend(), assessed({S1: 1, S2: 0}), None)) == {S1: 1, S2: 0}


def test_a_vip_that_is_found_on_another_step_keeps_it() -> None:
    vip = desired_vip(frontend(), assessed({S1: 100, S2: 50, S3: 100}), in_dataplane({S1: 100, S2: 50}))
    assert weights_of(vip) == {S1: 100, S2: 50, S3: 100}
    assert (vip.step, vip.wanted_step) == (1, 10)


def test_a_vip_that_carries_nothing_gets_the_step_of_the_file() -> None:
    vip = desired_vip(frontend(), assessed({S1: 100, S2: 50}), in_dataplane({S1: 0, S2: 0}))
    assert weights_of(vip) == {S1: 10, S2: 5}


def test_a_step_that_is_known_is_not_guessed_again_from_weights_that_changed_meanwhile() -> None:
    vip = desired_vip(frontend(), assessed({S1: 50}), in_dataplane({S1: 10}), step=10)
    assert weights_of(vip) == {S1: 5}


def test_a_flush_is_due_for_a_server_without_weight_only() -> None:
    vip = desired_vip(frontend(), assessed({S1: 0, S2: 100}), None, [S1, S2])
    assert vip.servers == {S1: DesiredServer(0, flush=True), S2: DesiredServer(10)}


def test_a_flush_of_a_server_that_left_goes_with_its_removal() -> None:
    assert desired_vip(frontend(), assessed({S1: 100}), None, {S3}).flushed == {S3}


@pytest.mark.parametrize("step", [0, 101])
def test_a_step_that_is_none_is_refused(step: int) -> None:
    with pytest.raises(ValueError, match="weight step"):
        desired_vip(frontend(), assessed({S1: 100}), None, step=step)


@given(
    weights=st.dictionaries(st.sampled_from((S1, S2, S3)), st.integers(0, 100)),
    step=st.integers(1, 100),
)
def test_what_was_written_is_wanted_again(weights: dict[Address, int], step: int) -> None:
    first = desired_vip(frontend(step), assessed(weights), None)
    again = desired_vip(frontend(step), assessed(weights), in_dataplane(weights_of(first)))
    assert again == first
