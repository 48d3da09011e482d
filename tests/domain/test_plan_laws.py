from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import attrs
from hypothesis import given

from maglev.api import AddServer, AddVip, DeleteVip, Ok, Operation, SetConf, VipKey
from maglev.dataplanes.memory import MemoryStore
from maglev.domain.applied import applied, applied_all
from maglev.domain.plan import Plan, plan_address
from tests.domain.planning import (
    VIP,
    Case,
    Vips,
    as_wanted,
    bare,
    carry_out,
    cases,
    settled,
    states_on_the_way,
    store_of,
)


def plan_of(case: Case) -> Plan:
    return plan_address(VIP, case.desired, case.actual, recreate=case.recreate, owned=case.owned, prune=case.prune)


def end_of(case: Case) -> Vips:
    return states_on_the_way(case, plan_of(case))[-1]


def keys_of(operations: Iterable[Operation]) -> Iterator[VipKey]:
    for operation in operations:
        assert not isinstance(operation, SetConf)
        yield operation.vip


def recreated(plan: Plan) -> set[VipKey]:
    made = {operation.vip for operation in plan.operations if isinstance(operation, AddVip)}
    return made & {operation.vip for operation in plan.operations if isinstance(operation, DeleteVip)}


def must_keep(case: Case) -> set[VipKey]:
    """Return the VIPs that are there before and after and are not made anew."""
    return (case.actual.keys() & case.desired.keys()) - recreated(plan_of(case))


def assert_nothing_lost(case: Case, now: Vips, end: Vips) -> None:
    """Check that no server that both ends know has less weight than at either end, and that some server carries."""
    for key in must_keep(case):
        before, after, servers = case.actual[key].servers, end[key].servers, now[key].servers
        for server in before.keys() & after.keys():
            assert servers[server].weight >= min(before[server].weight, after[server].weight)
        both_carry = all(any(state.weight for state in side.values()) for side in (before, after))
        assert not both_carry or any(state.weight for state in servers.values())


@given(cases() | cases(contradictory=True))
def test_no_operation_of_a_plan_is_refused(case: Case) -> None:
    plan = plan_of(case)
    assert set(carry_out(store_of(case.actual), plan.phases)) <= {Ok()}


@given(cases())
def test_with_everything_allowed_a_plan_gives_what_is_wanted_and_a_second_plan_is_empty(case: Case) -> None:
    case = attrs.evolve(case, recreate=frozenset(case.desired), prune=True)
    end = end_of(case)
    assert bare(end) == as_wanted(case.desired)
    again = plan_address(VIP, settled(case.desired), end, recreate=case.recreate, owned=case.owned, prune=True)
    assert again == Plan(VIP, ())


@given(cases() | cases(contradictory=True))
def test_a_second_plan_has_no_operations(case: Case) -> None:
    assert plan_of(attrs.evolve(case, desired=settled(case.desired), actual=end_of(case))).phases == ()


@given(cases())
def test_a_second_plan_reports_the_same(case: Case) -> None:
    again = attrs.evolve(case, desired=settled(case.desired), actual=end_of(case))
    assert plan_of(again).drift == plan_of(case).drift
    assert plan_of(again).unmanaged == plan_of(case).unmanaged


@given(cases())
def test_what_is_wanted_is_reached_or_could_not_have_been(case: Case) -> None:
    end = bare(end_of(case))
    for key, (attributes, servers) in as_wanted(case.desired).items():
        if key not in end:
            assert could_not_be_made(case, key), "left out, though a dataplane would have taken it"
        elif end[key][0] == attributes:
            assert end[key][1] == servers
        else:
            assert end[key][0] == case.actual[key].attributes, "neither as found nor as wanted"
            assert key not in case.recreate or could_not_be_made(case, key)
            fits = end[key][0].encap is attributes.encap
            assert end[key][1] == (servers if fits else bare(case.actual)[key][1])


def could_not_be_made(case: Case, key: VipKey) -> bool:
    """Tell whether a VIP is refused even if all that may be made anew is taken out of the way first."""
    end = end_of(case)
    store = store_of({other: vip for other, vip in end.items() if other != key and not may_give_way(case, end, other)})
    return store.write(AddVip(key, case.desired[key].attributes)) != Ok()


def may_give_way(case: Case, end: Vips, key: VipKey) -> bool:
    """Tell whether a VIP at the end is still to be made anew, and would not come back in the way."""
    if key not in case.desired or key not in case.recreate:
        return False
    return end[key].attributes != case.desired[key].attributes


@given(cases())
def test_every_wanted_vip_that_is_not_reached_is_reported_and_no_other(case: Case) -> None:
    end = bare(end_of(case))
    missed = {key for key, vip in as_wanted(case.desired).items() if end.get(key) != vip}
    assert {drift.vip for drift in plan_of(case).drift} == missed


@given(cases())
def test_what_is_not_wanted_goes_if_it_is_ours_or_pruned_and_else_stays_untouched(case: Case) -> None:
    end = bare(end_of(case))
    for key in case.actual.keys() - case.desired.keys():
        assert (key in end) == (key not in case.owned and not case.prune)
        assert key not in end or end[key] == bare(case.actual)[key]
    foreign = case.actual.keys() - case.desired.keys() - case.owned
    assert plan_of(case).unmanaged == (() if case.prune else tuple(sorted(foreign)))


@given(cases())
def test_attributes_change_only_where_it_is_allowed(case: Case) -> None:
    assert recreated(plan_of(case)) <= case.recreate
    for key in recreated(plan_of(case)):
        assert case.actual[key].attributes != case.desired[key].attributes


@given(cases() | cases(contradictory=True))
def test_no_state_on_the_way_has_less_than_both_ends(case: Case) -> None:
    states = states_on_the_way(case, plan_of(case))
    for state in states:
        assert_nothing_lost(case, state, states[-1])


@given(cases() | cases(contradictory=True))
def test_no_refused_operation_leaves_less_than_both_ends(case: Case) -> None:
    plan, end = plan_of(case), end_of(case)
    for nth in range(1, len(plan.operations) + 1):
        store = store_of(case.actual)
        store.faults.refuse(nth=nth)
        carry_out(store, plan.phases)
        assert_nothing_lost(case, store.vips, end)


@given(cases() | cases(contradictory=True))
def test_no_breaking_off_leaves_less_than_both_ends(case: Case) -> None:
    plan, end = plan_of(case), end_of(case)
    for length in range(len(plan.operations)):
        store = store_of(case.actual)
        carry_out(store, [plan.operations[:length]])
        assert_nothing_lost(case, store.vips, end)


@given(cases())
def test_a_vip_that_is_made_anew_on_its_own_is_back_before_anything_else_is_written(case: Case) -> None:
    plan = plan_of(case)
    if not changes_as_a_whole(case, plan):
        runs = [(key, list(run)) for key, run in groupby(plan.operations, key=lambda op: next(keys_of([op])))]
        for key in recreated(plan):
            returning = next(run for of, run in runs if of == key)
            assert isinstance(returning[0], DeleteVip)
            assert isinstance(returning[1], AddVip)
            carrying = [operation.weight > 0 for operation in returning[2:] if isinstance(operation, AddServer)]
            assert carrying == sorted(carrying, reverse=True)
            assert len(carrying) == len(case.desired[key].servers)


@given(cases() | cases(contradictory=True))
def test_no_server_is_sent_before_its_vip_was_acknowledged(case: Case) -> None:
    for phase in plan_of(case).phases:
        made = {operation.vip for operation in phase if isinstance(operation, AddVip)}
        assert not made & {operation.vip for operation in phase if isinstance(operation, AddServer)}


@given(cases())
def test_never_more_than_one_vip_is_away_unless_the_whole_address_must_change(case: Case) -> None:
    plan = plan_of(case)
    if not changes_as_a_whole(case, plan):
        for state in states_on_the_way(case, plan):
            assert len((case.actual.keys() & case.desired.keys()) - state.keys()) <= 1


@given(cases())
def test_where_the_whole_address_must_change_nothing_is_written_between_leaving_and_return(case: Case) -> None:
    plan = plan_of(case)
    if changes_as_a_whole(case, plan):
        leaving, *returning = plan.phases
        assert {type(operation) for operation in leaving} == {DeleteVip}
        kinds = [{type(operation) for operation in phase} for phase in returning]
        assert kinds in ([{AddVip}], [{AddVip}, {AddServer}])
        assert {*keys_of(leaving)} == {*case.actual}


def changes_as_a_whole(case: Case, plan: Plan) -> bool:
    """Tell whether a VIP is made that the dataplane refused beside one that is there and goes."""
    made = {operation.vip for operation in plan.operations if isinstance(operation, AddVip)}
    gone = {operation.vip for operation in plan.operations if isinstance(operation, DeleteVip)}
    return any(
        store_of({old: case.actual[old]}).write(AddVip(new, case.desired[new].attributes)) != Ok()
        for old in gone
        for new in made - {old}
    )


@given(cases())
def test_no_plan_has_an_operation_too_many(case: Case) -> None:
    end = end_of(case)
    assert len(plan_of(case).operations) == sum(least_operations(case, end, key) for key in {*case.actual, *end})


def least_operations(case: Case, end: Vips, key: VipKey) -> int:
    if key not in end:
        return 1
    if key not in case.actual:
        return 1 + len(end[key].servers)
    if case.actual[key].attributes != end[key].attributes:
        return 2 + len(end[key].servers)
    before, after = case.actual[key].servers, end[key].servers
    changed = sum(server not in after or before[server].weight != after[server].weight for server in before)
    added = len(after.keys() - before.keys())
    adjusted = key in case.desired and case.desired[key].attributes.encap is case.actual[key].attributes.encap
    flushes = {server for server, state in case.desired[key].servers.items() if state.flush} if adjusted else set()
    unchanged = {server for server in before.keys() & after.keys() if before[server].weight == after[server].weight}
    return changed + added + len(flushes & unchanged) + len(flushes & (after.keys() - before.keys()))


@given(cases())
def test_applied_tells_what_the_dataplane_holds_after_each_operation(case: Case) -> None:
    store: MemoryStore = store_of(case.actual)
    told: Vips = case.actual
    for operation in plan_of(case).operations:
        told = applied(told, operation)
        store.write(operation)
        assert bare(told) == bare(store.vips)
    assert bare(applied_all(case.actual, plan_of(case).operations)) == bare(told)
