"""The assessment of a frontend, as sentences; its laws are in `test_frontend_laws.py`."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

import pytest

from maglev.api import BackendState, Encap, FrontendState, IPProtocol, VipAttributes, VipKey
from maglev.domain.frontend import Assessment, assess, flush_due
from maglev.domain.model import BackendStatus, Frontend, Member, Pool, WhenNoneUp

Address = IPv4Address | IPv6Address
UNKNOWN, UP, DOWN = BackendState.UNKNOWN, BackendState.UP, BackendState.DOWN
PAUSED, DISABLED, REMOVED = BackendState.PAUSED, BackendState.DISABLED, BackendState.REMOVED
REFUSED = BackendStatus(DOWN, "L4CON: connection refused", 1_769_860_800.0)
ADDRESSES: Mapping[str, Address] = {name: IPv4Address("192.0.2.0") + index for index, name in enumerate("abcdef", 1)}


def pool(name: str, *, min_up: int = 1, **weights: int) -> Pool:
    members = (Member(backend, ADDRESSES[backend], weight, weight) for backend, weight in weights.items())
    return Pool(name, tuple(members), min_up)


def frontend(*pools: Pool, hold: bool = False, flush_on_down: bool = True) -> Frontend:
    return Frontend(
        name="web",
        vip=VipKey(IPv4Address("203.0.113.80"), IPProtocol.TCP, 443),
        pools=pools,
        attributes=VipAttributes(Encap.GRE4, 1024),
        flush_on_down=flush_on_down,
        when_none_up=WhenNoneUp.HOLD if hold else WhenNoneUp.DROP,
    )


def states(**of: BackendState) -> dict[str, BackendStatus]:
    return {name: BackendStatus(state) for name, state in of.items()}


def at(*names: str) -> set[Address]:
    return {ADDRESSES[name] for name in names}


def weights_at(**weights: int) -> dict[Address, int]:
    return {ADDRESSES[name]: weight for name, weight in weights.items()}


def look(
    web: Frontend, statuses: Mapping[str, BackendStatus], *carrying: str, last: Mapping[Address, int] | None = None
) -> Assessment:
    return assess(web, statuses, at(*carrying), last)


def weights(assessment: Assessment) -> list[int]:
    """The effective weights in the order of the file."""
    return [member.weight for member in assessment.members]


def reasons(assessment: Assessment) -> list[str]:
    return [member.reason for member in assessment.members]


PRIMARY = pool("primary", a=100, b=50)
FALLBACK = pool("fallback", c=80)
TWO_POOLS = frontend(PRIMARY, FALLBACK)


@pytest.mark.parametrize(
    "statuses, active, expected",
    [
        (states(a=UP, b=UP, c=UP), "primary", [100, 50, 0]),
        (states(a=DOWN, b=UP, c=UP), "primary", [0, 50, 0]),
        (states(a=PAUSED, b=UP, c=UP), "primary", [0, 50, 0]),
        (states(a=DOWN, b=DOWN, c=UP), "fallback", [0, 0, 80]),
        (states(a=PAUSED, b=DISABLED, c=UP), "fallback", [0, 0, 80]),
        (states(a=UNKNOWN, b=UNKNOWN, c=UP), "fallback", [0, 0, 80]),
        (states(a=UP, b=UP, c=DOWN), "primary", [100, 50, 0]),
        (states(a=DOWN, b=DOWN, c=DOWN), "primary", [0, 0, 0]),
        (states(a=UP), "primary", [100, 0, 0]),
        ({}, "primary", [0, 0, 0]),
    ],
    ids=[
        "all up",
        "one down",
        "one paused",
        "primary down",
        "primary out of use",
        "primary resumed",
        "fallback down",
        "all down",
        "one verdict",
        "no verdict",
    ],
)
def test_the_first_pool_with_a_server_up_serves(
    statuses: dict[str, BackendStatus], active: str, expected: list[int]
) -> None:
    assessment = look(TWO_POOLS, statuses)
    assert assessment.active_pool == active
    assert weights(assessment) == expected


@pytest.mark.parametrize(
    "statuses, active",
    [
        (states(a=UP, b=UP, c=UP), "primary"),
        (states(a=UP, b=DOWN, c=UP), "fallback"),
        (states(a=UP, b=DOWN, c=DOWN), "primary"),
        (states(a=DOWN, b=DOWN, c=DOWN), "primary"),
    ],
    ids=["enough", "too few", "too few, and nobody else", "none"],
)
def test_a_pool_with_fewer_up_than_min_up_gives_way_if_another_has_enough(
    statuses: dict[str, BackendStatus], active: str
) -> None:
    assert look(frontend(pool("primary", min_up=2, a=100, b=50), FALLBACK), statuses).active_pool == active


def test_if_no_pool_has_enough_the_first_with_any_server_up_serves() -> None:
    web = frontend(PRIMARY, pool("second", min_up=2, c=10, d=20), pool("third", min_up=2, e=30))
    assert look(web, states(a=DOWN, b=DOWN, c=UP, d=DOWN, e=UP)).active_pool == "second"


def test_a_server_of_weight_0_does_not_count_towards_min_up() -> None:
    web = frontend(pool("primary", min_up=2, a=100, b=0), FALLBACK)
    assert look(web, states(a=UP, b=UP, c=UP)).active_pool == "fallback"


def test_a_pool_whose_only_server_up_has_weight_0_does_not_serve() -> None:
    web = frontend(pool("primary", a=0), FALLBACK)
    assert look(web, states(a=UP, c=UP)).active_pool == "fallback"


def test_every_weight_has_its_reason() -> None:
    overridden = Member("b", ADDRESSES["b"], weight=50, configured_weight=100)
    drained = Member("f", ADDRESSES["f"], weight=0, configured_weight=0)
    primary = Pool("primary", (*pool("primary", a=100, c=100, d=100, e=100).members, overridden, drained))
    web = frontend(primary, pool("fallback", f=100))
    statuses = states(a=UP, b=UP, d=PAUSED, e=DISABLED, f=UP) | {"c": REFUSED}
    assert reasons(look(web, statuses)) == [
        "configured",
        "down since 2026-01-31T12:00:00Z: L4CON: connection refused",
        "paused",
        "disabled",
        "weight 50 by command (file says 100)",
        "configured with weight 0",
        "standing by: pool primary is active",
    ]


@pytest.mark.parametrize(
    "status, reason",
    [
        (BackendStatus(DOWN), "down"),
        (BackendStatus(DOWN, "L4TOUT"), "down: L4TOUT"),
        (BackendStatus(DOWN, since_s=86_400.0), "down since 1970-01-02T00:00:00Z"),
        (BackendStatus(REMOVED), "removed"),
    ],
)
def test_a_reason_says_what_is_known_and_no_more(status: BackendStatus, reason: str) -> None:
    assert reasons(look(frontend(pool("primary", a=100)), {"a": status})) == [reason]


def test_an_unknown_server_keeps_what_it_carries_and_gets_nothing_new() -> None:
    assessment = look(frontend(PRIMARY), {}, "a")
    assert weights(assessment) == [100, 0]
    assert reasons(assessment) == [
        "unknown: keeps its weight until the first verdict",
        "unknown: no weight until the first verdict",
    ]


def test_an_unknown_server_with_an_override_keeps_carrying_as_overridden() -> None:
    web = frontend(Pool("primary", (Member("a", ADDRESSES["a"], weight=30, configured_weight=100),)))
    (member,) = look(web, {}, "a").members
    assert member.weight == 30
    assert member.reason == "unknown: keeps its weight until the first verdict; weight 30 by command (file says 100)"


def test_an_unknown_server_that_is_wanted_with_weight_0_loses_what_it_carries() -> None:
    (member,) = look(frontend(pool("primary", a=0)), {}, "a").members
    assert (member.weight, member.reason) == (0, "configured with weight 0")


def test_a_resumed_backend_waits_for_its_verdict_while_the_others_go_on() -> None:
    assert weights(look(TWO_POOLS, states(a=UNKNOWN, b=UP, c=UP), "b")) == [0, 50, 0]


def test_after_a_restart_the_pool_that_carries_is_the_active_one_until_there_are_verdicts() -> None:
    assessment = look(TWO_POOLS, {}, "c")
    assert assessment.active_pool == "fallback"
    assert weights(assessment) == [0, 0, 80]
    assert assessment.state is FrontendState.UP


def test_after_a_restart_the_fallback_carries_on_beside_the_first_of_the_primary_until_its_own_verdict() -> None:
    first = look(TWO_POOLS, states(a=UP), "c")
    assert first.active_pool == "primary"
    assert weights(first) == [100, 0, 80]
    assert weights(look(TWO_POOLS, states(a=UP, c=UP), "a", "c")) == [100, 0, 0]


def test_after_a_restart_a_static_fallback_does_not_take_over_from_a_primary_that_carries() -> None:
    assessment = look(TWO_POOLS, states(c=UP), "a", "b")
    assert assessment.active_pool == "primary"
    assert weights(assessment) == [100, 50, 0]


def test_after_a_restart_an_unknown_server_that_carries_counts_towards_min_up() -> None:
    web = frontend(pool("primary", min_up=2, a=100, b=50), FALLBACK)
    assert weights(look(web, states(a=UP, c=UP), "a", "b")) == [100, 50, 0]


TWICE = frontend(pool("primary", a=100, b=100), pool("fallback", b=30, c=80))


@pytest.mark.parametrize(
    "statuses, expected, weight",
    [
        (states(a=UP, b=UP, c=UP), [100, 100, 0, 0], 100),
        (states(a=DOWN, b=UP, c=UP), [0, 100, 0, 0], 100),
        (states(a=DOWN, b=DOWN, c=UP), [0, 0, 0, 80], 0),
    ],
    ids=["all up", "one up", "down in both"],
)
def test_a_backend_in_two_pools_counts_with_its_weight_in_the_active_one(
    statuses: dict[str, BackendStatus], expected: list[int], weight: int
) -> None:
    assessment = look(TWICE, statuses)
    assert weights(assessment) == expected
    assert assessment.weights[ADDRESSES["b"]] == weight


def test_a_backend_in_two_pools_has_the_fallbacks_weight_when_that_serves() -> None:
    web = frontend(pool("primary", min_up=2, a=100, b=100), pool("fallback", b=30, c=80))
    assert look(web, states(a=DOWN, b=UP, c=UP)).weights == weights_at(a=0, b=30, c=80)


def test_an_unknown_backend_in_two_pools_keeps_one_weight() -> None:
    assessment = look(TWICE, {}, "b")
    assert weights(assessment) == [0, 100, 0, 0]
    assert reasons(assessment)[2] == "unknown: counts in pool primary until the first verdict"


def test_an_unknown_backend_in_two_pools_keeps_the_weight_that_it_has_in_the_active_one() -> None:
    web = frontend(pool("primary", min_up=2, a=100, b=100), pool("fallback", b=30, c=80))
    assessment = look(web, states(a=DOWN, c=UP), "b", "c")
    assert assessment.active_pool == "fallback"
    assert assessment.weights == weights_at(a=0, b=30, c=80)


def test_an_unknown_backend_in_two_pools_does_not_stop_carrying_because_the_first_gives_it_weight_0() -> None:
    web = frontend(pool("primary", a=100, b=0), pool("fallback", b=30))
    assert look(web, states(a=UP), "b").weights == weights_at(a=100, b=30)


@pytest.mark.parametrize(
    "statuses, carrying, state",
    [
        (states(a=UP, b=DOWN), "", FrontendState.UP),
        (states(), "a", FrontendState.UP),
        (states(), "", FrontendState.UNKNOWN),
        (states(a=DOWN), "", FrontendState.DOWN),
        (states(a=PAUSED, b=PAUSED), "", FrontendState.DOWN),
        (states(a=DISABLED), "", FrontendState.DOWN),
    ],
    ids=["one up", "carrying", "no verdict", "one verdict", "paused", "one disabled"],
)
def test_a_frontend_is_up_with_weight_unknown_without_any_state_and_else_down(
    statuses: dict[str, BackendStatus], carrying: str, state: FrontendState
) -> None:
    assert look(frontend(PRIMARY), statuses, *carrying).state is state


@pytest.mark.parametrize(
    "statuses, carrying, why",
    [
        (states(a=UP, b=UP, c=UP), "", "pool primary: 2 of 2 up"),
        (states(a=DOWN, b=DOWN, c=UP), "", "pool fallback: 1 of 1 up; pool primary: 0 of 2 up"),
        (states(a=UP), "ab", "pool primary: 1 of 2 up, 1 unknown but still carrying"),
        (states(), "", "no backend has a verdict yet"),
        (states(a=DOWN, b=DOWN, c=DOWN), "", "no server with weight is up"),
    ],
    ids=["primary", "fallback", "restart", "unknown", "down"],
)
def test_a_frontend_says_why(statuses: dict[str, BackendStatus], carrying: str, why: str) -> None:
    assert look(TWO_POOLS, statuses, *carrying).why == why


def test_a_frontend_says_when_min_up_decided() -> None:
    web = frontend(pool("primary", min_up=2, a=100, b=50), FALLBACK)
    why = look(web, states(a=UP, b=DOWN, c=UP)).why
    assert why == "pool fallback: 1 of 1 up; pool primary: 1 of 2 up (min-up 2)"


def test_without_hold_nobody_gets_new_flows_when_the_last_server_goes_down() -> None:
    assessment = look(frontend(PRIMARY), states(a=DOWN, b=DOWN), "b", last=weights_at(a=0, b=50))
    assert weights(assessment) == [0, 0]
    assert not assessment.holding


def test_with_hold_the_last_weights_stay_and_the_frontend_says_so() -> None:
    assessment = look(frontend(PRIMARY, hold=True), states(a=DOWN, b=DOWN), "b", last=weights_at(a=0, b=50))
    assert weights(assessment) == [0, 50]
    assert reasons(assessment) == ["down", "holding: no server of web is up"]
    assert assessment.why == "holding: no server of web is up"
    assert assessment.holding
    assert assessment.state is FrontendState.UP


def test_with_hold_the_weights_of_the_pool_that_served_last_stay() -> None:
    web = frontend(PRIMARY, FALLBACK, hold=True)
    assert weights(look(web, states(a=DOWN, b=DOWN, c=DOWN), "c", last=weights_at(a=0, b=0, c=80))) == [0, 0, 80]


def test_hold_ends_with_the_first_server_up() -> None:
    assessment = look(frontend(PRIMARY, hold=True), states(a=UP, b=DOWN), "b", last=weights_at(a=0, b=50))
    assert weights(assessment) == [100, 0]
    assert not assessment.holding


def test_with_hold_and_no_last_weights_what_carries_goes_on_as_configured() -> None:
    assessment = look(frontend(PRIMARY, hold=True), states(a=DOWN, b=DOWN), "a")
    assert weights(assessment) == [100, 0]
    assert assessment.holding


def test_with_hold_and_nothing_ever_carried_there_is_nothing_to_hold() -> None:
    assessment = look(frontend(PRIMARY, hold=True), states(a=DOWN, b=DOWN))
    assert weights(assessment) == [0, 0]
    assert not assessment.holding
    assert assessment.state is FrontendState.DOWN
    assert assessment.why == "no server with weight is up, and none has a last weight to hold"


@pytest.mark.parametrize("state", [PAUSED, DISABLED, REMOVED])
def test_what_an_operator_took_out_of_use_is_not_held(state: BackendState) -> None:
    assessment = look(frontend(PRIMARY, hold=True), states(a=state, b=DOWN), "a", last=weights_at(a=100, b=0))
    assert weights(assessment) == [0, 0]
    assert not assessment.holding


def test_what_an_operator_gave_weight_0_is_not_held() -> None:
    web = frontend(Pool("primary", (Member("a", ADDRESSES["a"], weight=0, configured_weight=100),)), hold=True)
    assert weights(look(web, states(a=UP), "a", last=weights_at(a=100))) == [0]
    assert weights(look(web, states(a=DOWN), "a", last=weights_at(a=100))) == [0]


@pytest.mark.parametrize(
    "before, now, carried, flushed",
    [
        (UP, DOWN, True, True),
        (UP, DOWN, False, False),
        (UNKNOWN, DOWN, True, True),
        (DOWN, UP, False, False),
        (UP, PAUSED, True, False),
        (DOWN, PAUSED, False, False),
        (PAUSED, UNKNOWN, False, False),
        (UNKNOWN, UP, True, False),
        (UP, DISABLED, True, True),
        (PAUSED, DISABLED, False, True),
        (DISABLED, DISABLED, False, False),
        (DISABLED, UNKNOWN, False, False),
        (UP, REMOVED, True, False),
        (PAUSED, REMOVED, False, False),
        (UNKNOWN, REMOVED, True, False),
        (DOWN, REMOVED, False, True),
        (DISABLED, REMOVED, False, True),
    ],
)
def test_established_flows_are_flushed_on(
    before: BackendState, now: BackendState, carried: bool, flushed: bool
) -> None:
    assert flush_due(TWO_POOLS, before, now, carried=carried) is flushed


@pytest.mark.parametrize("before, now", [(UP, DOWN), (UNKNOWN, DOWN), (DOWN, REMOVED)])
def test_without_flush_on_down_a_failure_leaves_established_flows_alone(
    before: BackendState, now: BackendState
) -> None:
    assert not flush_due(frontend(PRIMARY, flush_on_down=False), before, now, carried=True)


@pytest.mark.parametrize("before, now", [(UP, DISABLED), (DISABLED, REMOVED)])
def test_without_flush_on_down_disabling_flushes_all_the_same(before: BackendState, now: BackendState) -> None:
    assert flush_due(frontend(PRIMARY, flush_on_down=False), before, now, carried=True)
