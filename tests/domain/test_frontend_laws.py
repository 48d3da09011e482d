"""The laws of a frontend, for frontends and states of all kinds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv6Address

import attrs
from hypothesis import assume, given
from hypothesis import strategies as st

from maglev.api import BackendState, Encap, FrontendState, IPProtocol, VipAttributes, VipKey
from maglev.domain.frontend import Assessment, assess
from maglev.domain.model import BackendStatus, Frontend, Member, Pool, WhenNoneUp

Address = IPv4Address | IPv6Address
UNKNOWN, UP, DOWN = BackendState.UNKNOWN, BackendState.UP, BackendState.DOWN
NAMES = "abcde"
ADDRESSES: dict[str, Address] = {name: IPv6Address("2001:db8::") + index for index, name in enumerate(NAMES, 1)}
WEIGHTS = st.sampled_from([0, 0, 1, 40, 100])
STATUSES = st.fixed_dictionaries(
    {
        name: st.builds(
            BackendStatus, st.sampled_from(BackendState), st.sampled_from(["", "L4TOUT"]), st.floats(0, 2e9)
        )
        for name in NAMES
    }
)
KNOWN_STATUSES = st.fixed_dictionaries(
    {
        name: st.builds(BackendStatus, st.sampled_from([UP, DOWN, BackendState.PAUSED, BackendState.DISABLED]))
        for name in NAMES
    }
)
CARRYING = st.frozensets(st.sampled_from(list(ADDRESSES.values())))
LAST = st.none() | st.dictionaries(st.sampled_from(list(ADDRESSES.values())), st.integers(0, 100))


@st.composite
def pools(draw: st.DrawFn, name: str) -> Pool:
    backends = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    members = (Member(backend, ADDRESSES[backend], draw(WEIGHTS), draw(WEIGHTS)) for backend in backends)
    return Pool(name, tuple(members), draw(st.integers(1, 3)))


@st.composite
def frontends(draw: st.DrawFn, when_none_up: WhenNoneUp | None = None) -> Frontend:
    count = draw(st.integers(1, 3))
    return Frontend(
        name="web",
        vip=VipKey(IPv6Address("2001:db8:80::80"), IPProtocol.TCP, 443),
        pools=tuple(draw(pools(name)) for name in ("primary", "second", "third")[:count]),
        attributes=VipAttributes(Encap.GRE6, 1024),
        when_none_up=when_none_up or draw(st.sampled_from(WhenNoneUp)),
    )


def members(web: Frontend) -> list[tuple[Pool, Member]]:
    return [(pool, member) for pool in web.pools for member in pool.members]


def weighted(weights: Mapping[Address, int]) -> frozenset[Address]:
    return frozenset(address for address, weight in weights.items() if weight)


def servers(web: Frontend) -> set[Address]:
    return {member.address for _pool, member in members(web)}


def has_weight_somewhere(web: Frontend, backend: str) -> bool:
    return any(member.weight for _pool, member in members(web) if member.backend == backend)


def check_form(web: Frontend, assessment: Assessment) -> None:
    assert [(row.pool, row.backend, row.address) for row in assessment.members] == [
        (pool.name, member.backend, member.address) for pool, member in members(web)
    ]
    assert all(0 <= row.weight <= 100 and row.reason for row in assessment.members)
    assert assessment.why
    assert assessment.weights.keys() == servers(web)
    for address, weight in assessment.weights.items():
        assert sorted(row.weight for row in assessment.members if row.address == address and row.weight) == (
            [weight] if weight else []
        )


@given(frontends(), STATUSES, CARRYING, LAST)
def test_each_member_has_its_row_and_reason_and_each_server_one_weight(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address], last: dict[Address, int] | None
) -> None:
    check_form(web, assess(web, statuses, carrying, last))


@given(frontends(), STATUSES, CARRYING, LAST)
def test_each_row_has_the_weight_that_its_state_allows(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address], last: dict[Address, int] | None
) -> None:
    assessment = assess(web, statuses, carrying, last)
    for row, (pool, member) in zip(assessment.members, members(web), strict=True):
        state = statuses[row.backend].state
        if state is UP:
            assert row.weight == (member.weight if pool.name == assessment.active_pool else 0)
        elif state is UNKNOWN:
            assert row.weight in ({0, member.weight} if row.address in carrying else {0})
        elif state is DOWN:
            assert row.weight == 0 or assessment.holding
        else:
            assert row.weight == 0


@given(frontends(), STATUSES, CARRYING, LAST)
def test_only_unknown_or_held_servers_carry_weight_outside_the_active_pool(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address], last: dict[Address, int] | None
) -> None:
    assessment = assess(web, statuses, carrying, last)
    for row in assessment.members:
        if row.weight and row.pool != assessment.active_pool:
            assert assessment.holding or (statuses[row.backend].state is UNKNOWN and row.address in carrying)


@given(frontends(), STATUSES, CARRYING, LAST)
def test_an_unknown_server_that_carries_goes_on_carrying_if_any_pool_gives_it_weight(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address], last: dict[Address, int] | None
) -> None:
    assessment = assess(web, statuses, carrying, last)
    for _pool, member in members(web):
        if statuses[member.backend].state is UNKNOWN and member.address in carrying:
            assert bool(assessment.weights[member.address]) is has_weight_somewhere(web, member.backend)


@given(frontends(), STATUSES, CARRYING, LAST)
def test_a_frontend_with_a_weighty_server_up_has_weight_and_never_holds(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address], last: dict[Address, int] | None
) -> None:
    assume(any(member.weight and statuses[member.backend].state is UP for _pool, member in members(web)))
    assessment = assess(web, statuses, carrying, last)
    assert any(assessment.weights.values())
    assert not assessment.holding


@given(frontends(), STATUSES, CARRYING, LAST)
def test_the_state_follows_the_weights(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address], last: dict[Address, int] | None
) -> None:
    assessment = assess(web, statuses, carrying, last)
    no_state = all(statuses[member.backend].state is UNKNOWN for _pool, member in members(web))
    otherwise = FrontendState.UNKNOWN if no_state else FrontendState.DOWN
    assert assessment.state is (FrontendState.UP if any(assessment.weights.values()) else otherwise)


@given(frontends(), KNOWN_STATUSES, CARRYING)
def test_with_all_states_known_the_active_pool_is_the_first_with_enough_else_with_any_else_the_first(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address]
) -> None:
    up = {pool.name: sum(statuses[m.backend].state is UP and m.weight > 0 for m in pool.members) for pool in web.pools}
    enough = [pool.name for pool in web.pools if up[pool.name] >= pool.min_up]
    some = [pool.name for pool in web.pools if up[pool.name]]
    assert assess(web, statuses, carrying, None).active_pool == [*enough, *some, web.pools[0].name][0]


@given(frontends(), STATUSES, CARRYING, LAST)
def test_asked_again_with_its_weights_in_the_dataplane_it_gives_the_same_answer(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address], last: dict[Address, int] | None
) -> None:
    first = assess(web, statuses, carrying, last)
    kept = first.weights if any(first.weights.values()) else last
    second = assess(web, statuses, weighted(first.weights), kept)
    assert second.weights == first.weights
    assert second.active_pool == first.active_pool


@given(frontends(WhenNoneUp.DROP), KNOWN_STATUSES, st.frozensets(st.sampled_from(NAMES)))
def test_a_restart_moves_nothing_whichever_verdicts_are_still_to_come(
    web: Frontend, statuses: dict[str, BackendStatus], forgotten: Collection[str]
) -> None:
    settled = assess(web, statuses, frozenset(), None)
    # Commands outlive a restart, verdicts do not.
    lost = {name: BackendStatus(UNKNOWN) for name in forgotten if statuses[name].state in {UP, DOWN}}
    restarted = assess(web, statuses | lost, weighted(settled.weights), None)
    assert restarted.weights == settled.weights
    if any(settled.weights.values()):
        assert restarted.active_pool == settled.active_pool


@given(frontends(WhenNoneUp.HOLD), STATUSES, CARRYING, LAST, st.lists(st.sampled_from(NAMES), max_size=8))
def test_with_hold_no_series_of_failures_takes_the_last_weight(
    web: Frontend,
    statuses: dict[str, BackendStatus],
    carrying: frozenset[Address],
    last: dict[Address, int] | None,
    failing: list[str],
) -> None:
    assessment = assess(web, statuses, carrying, last)
    assume(any(assessment.weights.values()))
    for name in failing:
        if statuses[name].state in {UP, UNKNOWN}:
            statuses = statuses | {name: BackendStatus(DOWN)}
        assessment = assess(web, statuses, weighted(assessment.weights), assessment.weights)
        check_form(web, assessment)
        assert any(assessment.weights.values())


@given(frontends(WhenNoneUp.HOLD), STATUSES, CARRYING, LAST)
def test_hold_changes_nothing_where_weight_is_left(
    web: Frontend, statuses: dict[str, BackendStatus], carrying: Collection[Address], last: dict[Address, int] | None
) -> None:
    dropping = assess(attrs.evolve(web, when_none_up=WhenNoneUp.DROP), statuses, carrying, last)
    holding = assess(web, statuses, carrying, last)
    assert holding.holding is (any(holding.weights.values()) and not any(dropping.weights.values()))
    if any(dropping.weights.values()):
        assert holding == dropping


@given(frontends(), frontends(), STATUSES, STATUSES, CARRYING, CARRYING, LAST, st.sets(st.sampled_from(NAMES)))
def test_an_earlier_answer_never_changes_the_next_one(
    web: Frontend,
    other: Frontend,
    early: Mapping[str, BackendStatus],
    late: Mapping[str, BackendStatus],
    carried: Collection[Address],
    carrying: Collection[Address],
    last: Mapping[Address, int] | None,
    moved: Collection[str],
) -> None:
    now = {name: (late if name in moved else early)[name] for name in NAMES}
    expected = assess(web, now, carrying, last)
    for earlier in (web, other):
        assert assess(web, now, carrying, last, assess(earlier, early, carried, None)) == expected
        assert assess(web, now, carrying, last, assess(earlier, early, carried, last)) == expected
