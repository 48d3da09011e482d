"""A dataplane that dies of what it is given is noticed, left alone for longer and longer, and given less at a time."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from maglev.api import AddServer, DataplaneEvent, EventFilter, EventKind, Operation
from maglev.runtime import filling, reconciler
from maglev.runtime.filling import LONGEST_DELAY_S, SETTLED_S, Filling, told
from tests.runtime.conftest import Env, config, held, next_event, until


def lose(filled: Filling, *, after_s: float) -> None:
    filled.begins()
    filled.ends(0.0)
    filled.lost(after_s)


def test_losses_while_filling_and_soon_after_count_until_one_comes_late() -> None:
    state = Filling()
    state.begins()
    assert state.lost(1.0)
    lose(state, after_s=SETTLED_S - 1)
    assert state.losses == 2
    lose(state, after_s=SETTLED_S + 1)
    assert state.losses == 0


def test_a_loss_without_a_filling_is_not_suspicious() -> None:
    assert not Filling().lost(1.0)


def test_the_first_loss_costs_nothing_and_each_further_one_twice_the_time() -> None:
    delays = [Filling(losses).delay_s() for losses in range(9)]
    assert delays[:5] == [0.0, 0.0, 5.0, 10.0, 20.0]
    assert delays[-1] == LONGEST_DELAY_S


def test_portions_become_a_quarter_each_time_down_to_a_smallest() -> None:
    assert [Filling(losses).divisor for losses in range(6)] == [1, 4, 16, 64, 64, 64]


def test_it_is_told_what_was_being_written_and_how_often_in_a_row() -> None:
    two = [ip_address("192.0.2.1"), ip_address("192.0.2.2")]
    assert told(1, two[:1]) == "lost while 192.0.2.1 was written"
    assert told(3, two).startswith("lost while 192.0.2.1 and 1 more addresses were written, 3 times in a row")
    assert told(2, ()).startswith("lost soon after it was filled, 2 times in a row")


async def test_a_dataplane_that_dies_of_its_filling_is_told_of_at_error_level_and_filled_at_last(
    env: Env, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(filling, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(reconciler, "FIRST_DELAY_S", 0.01)
    dying = 3

    def dies(operation: Operation) -> bool:
        nonlocal dying
        if isinstance(operation, AddServer) and dying:
            dying -= 1
            env.store.restart()
        return False

    env.store.faults.refuse(matching=dies, times=None)
    async with env.open(config()) as controller:
        async with controller.subscribe(EventFilter(frozenset({EventKind.DATAPLANE}))) as subscription:
            details: list[str] = []
            while len(details) < 3:
                event = await next_event(subscription, DataplaneEvent)
                if str(event.change) == "lost":
                    details.append(event.detail)
        await until(lambda: len(held(env)) == 2 and all(held(env).values()), "filled at last")
    assert "3 times in a row" in details[-1]
    assert "10.9.0.1" in details[-1]
    levels = [record.levelname for record in caplog.records if "dataplane-lost" in record.getMessage()]
    assert levels[:3] == ["WARNING", "ERROR", "ERROR"]
