"""Limits on connections, in all and per host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.descriptors import LEAST, for_strangers, reserve
from maglev.doors import Door, host_of


@pytest.mark.parametrize(
    "address,host",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("2001:db8::5", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somebody", "somebody"),
        ("", ""),
    ],
)
def test_an_address_is_a_hosts(address: str, host: str) -> None:
    assert host_of(address) == host


def test_a_host_has_no_more_than_its_share() -> None:
    door: Door[int] = Door(most=10, each=2)
    assert [door.enter(number, "a") for number in range(4)] == [None, None, 2, 3]
    assert door.enter(4, "b") is None
    door.leave(0)
    assert door.enter(5, "a") is None
    assert len(door) == 3


def test_when_all_places_are_taken_the_host_with_the_most_gives_its_newest_up() -> None:
    door: Door[int] = Door(most=4, each=4)
    assert [door.enter(number, "greedy") for number in range(4)] == [None] * 4
    assert door.enter(4, "operator") == 3
    assert door.enter(5, "operator") == 2
    assert door.enter(6, "operator") == 6  # both have the same
    assert door.enter(7, "another") == 1
    assert door.enter(8, "a fourth") == 5
    assert door.enter(9, "greedy") == 9
    assert len(door) == 4


def test_a_door_that_became_smaller_keeps_who_is_in() -> None:
    door: Door[int] = Door(most=3, each=3)
    for number in range(3):
        door.enter(number, number)
    door.most = 0
    assert door.enter(3, "new") == 3
    assert len(door) == 3


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 30))), st.integers(1, 6), st.integers(1, 6))
def test_there_are_never_more_than_allowed(steps: list[tuple[bool, int, int]], most: int, each: int) -> None:
    door: Door[tuple[int, int]] = Door(most, each)
    inside: set[tuple[int, int]] = set()
    for enters, host, number in steps:
        guest = (host, number)
        if enters and guest not in inside:
            inside.add(guest)
            inside.discard(door.enter(guest, host) or (-1, -1))
        elif not enters:
            door.leave(guest)
            inside.discard(guest)
        assert len(door) == len(inside) <= most
        assert all(sum(of == host for of, _ in inside) <= each for host in range(6))


@given(st.integers(0, 20_000), st.integers(64, 1_000_000))
def test_strangers_never_get_what_is_reserved_but_for_the_least(backends: int, limit: int) -> None:
    got = for_strangers(backends, limit)
    assert got == LEAST or got + reserve(backends) <= limit


def test_the_limit_in_force_counts() -> None:
    assert for_strangers(10) >= LEAST
