from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maglev.probing.timer_wheel import TimerWheel

TICK_NS = 10_000_000
SECOND_NS = 1_000_000_000

times = st.integers(0, 100 * SECOND_NS)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=50), times)
def test_the_wheel_gives_each_item_once_never_early_and_at_most_a_tick_late(
    items: list[tuple[int, int]], start_ns: int
) -> None:
    wheel: TimerWheel[int] = TimerWheel(start_ns, TICK_NS)
    due = {number: max(start_ns, due_ns) for number, (due_ns, _) in enumerate(items)}
    for number, due_ns in due.items():
        wheel.add(number, due_ns)
    taken: dict[int, int] = {}
    for now_ns in sorted({moment for _, moment in items} | {200 * SECOND_NS}):
        for number in wheel.take_due(now_ns):
            assert number not in taken
            assert due[number] <= now_ns
            taken[number] = now_ns
        for number in due.keys() - taken.keys():
            assert due[number] > now_ns - 2 * TICK_NS  # its slot ends at most a tick after it, or after the start
    assert taken.keys() == due.keys()
    assert not wheel


def test_a_removed_item_does_not_come() -> None:
    wheel: TimerWheel[str] = TimerWheel(0, TICK_NS)
    slot = wheel.add("gone", 5)
    wheel.add("stays", 5)
    wheel.remove("gone", slot)
    assert wheel.take_due(TICK_NS) == ["stays"]


def test_removing_what_is_not_there_is_nothing() -> None:
    wheel: TimerWheel[str] = TimerWheel(0, TICK_NS)
    wheel.remove("stranger", 1)
    slot = wheel.add("one", 5)
    wheel.remove("other", slot)
    assert wheel.take_due(TICK_NS) == ["one"]


def test_the_past_comes_with_the_next_tick() -> None:
    wheel: TimerWheel[str] = TimerWheel(100 * TICK_NS, TICK_NS)
    wheel.add("late", 3)
    assert wheel.take_due(100 * TICK_NS) == []
    assert wheel.take_due(101 * TICK_NS) == ["late"]


def test_after_a_long_sleep_everything_comes_the_longest_due_first() -> None:
    wheel: TimerWheel[int] = TimerWheel(0, TICK_NS)
    for number in (3, 1, 2):
        wheel.add(number, number * SECOND_NS)
    assert wheel.take_due(10_000 * SECOND_NS) == [1, 2, 3]


def test_the_wheel_knows_when_it_is_needed_next() -> None:
    wheel: TimerWheel[str] = TimerWheel(0, TICK_NS)
    assert wheel.next_ns() is None
    wheel.add("b", 7 * TICK_NS)
    wheel.add("a", 3 * TICK_NS - 1)
    assert wheel.next_ns() == 3 * TICK_NS
