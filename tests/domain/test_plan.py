from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import attrs

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneConf,
    DeleteServer,
    DeleteVip,
    Encap,
    IPProtocol,
    ServerState,
    SetConf,
    SetWeight,
    VipAttributes,
    VipKey,
    VipState,
)
from maglev.domain.applied import applied_all
from maglev.domain.conf import ConfPlan, plan_conf
from maglev.domain.desired import DesiredServer, DesiredVip
from maglev.domain.plan import Plan, plan_address
from maglev.domain.table import Address, numeric_order
from tests.domain.planning import ALL_PORTS, GRE4, GRE6, S1, S2, S3, T1, TLS, VIP, WEB, found, wanted

LONGER = attrs.evolve(GRE4, table_length=64)


def words(plan: Plan) -> list[str]:
    return [str(drift) for drift in plan.drift]


def test_a_new_vip_gets_the_servers_that_carry_weight_first() -> None:
    plan = plan_address(VIP, {WEB: wanted(GRE4, s1=0, s2=10)}, {})
    assert plan.phases == ((AddVip(WEB, GRE4),), (AddServer(WEB, S2, 10), AddServer(WEB, S1, 0)))


def test_a_server_is_raised_before_another_is_lowered() -> None:
    plan = plan_address(VIP, {WEB: wanted(GRE4, s1=0, s2=10)}, {WEB: found(GRE4, s1=10, s2=0)})
    assert plan.phases == ((SetWeight(WEB, S2, 10),), (SetWeight(WEB, S1, 0),))


def test_a_flush_goes_out_even_where_the_weight_is_0_already_and_after_everything_that_drains() -> None:
    desired = DesiredVip(GRE4, 10, {S1: DesiredServer(0, flush=True), S2: DesiredServer(0), S3: DesiredServer(10)})
    plan = plan_address(VIP, {WEB: desired}, {WEB: found(GRE4, s1=0, s2=10, s3=10)})
    assert plan.phases == ((SetWeight(WEB, S2, 0), SetWeight(WEB, S1, 0, flush=True)),)


def test_a_server_that_left_takes_its_flows_along_only_where_that_is_due() -> None:
    desired = DesiredVip(GRE4, 10, {S3: DesiredServer(10)}, flushed=frozenset({S1}))
    plan = plan_address(VIP, {WEB: desired}, {WEB: found(GRE4, s1=10, s2=10, s3=10)})
    assert plan.phases == ((DeleteServer(WEB, S2), DeleteServer(WEB, S1, flush=True)),)


def test_another_table_length_is_reported_and_the_weights_are_set_all_the_same() -> None:
    plan = plan_address(VIP, {WEB: wanted(LONGER, s1=10)}, {WEB: found(GRE4, s1=1)})
    assert plan.operations == (SetWeight(WEB, S1, 10),)
    assert words(plan) == ["192.0.2.1:80/tcp: table length is 16, wanted 64"]


def test_another_encapsulation_is_reported_and_nothing_of_the_vip_is_touched() -> None:
    plan = plan_address(VIP, {WEB: wanted(GRE6, t1=10)}, {WEB: found(GRE4, s1=10)})
    assert plan.operations == ()
    assert words(plan) == [
        "192.0.2.1:80/tcp: encapsulation is gre4, wanted gre6",
        "192.0.2.1:80/tcp: servers and weights stay, since servers of another encapsulation cannot be added",
    ]


def test_another_sticky_flag_is_put_right_where_the_vip_may_be_made_anew() -> None:
    sticky = attrs.evolve(GRE4, sticky=True)
    plan = plan_address(VIP, {WEB: wanted(sticky, s1=10)}, {WEB: found(GRE4, s1=10)}, recreate=[WEB])
    assert plan.phases == ((DeleteVip(WEB), AddVip(WEB, sticky)), (AddServer(WEB, S1, 10),))
    assert plan.drift == ()


def test_one_vip_is_back_before_the_next_one_goes() -> None:
    desired = {key: wanted(LONGER, s1=10) for key in (WEB, TLS)}
    plan = plan_address(VIP, desired, {key: found(GRE4, s1=10) for key in (WEB, TLS)}, recreate=[WEB, TLS])
    assert plan.phases == (
        (DeleteVip(WEB), AddVip(WEB, LONGER)),
        (AddServer(WEB, S1, 10),),
        (DeleteVip(TLS), AddVip(TLS, LONGER)),
        (AddServer(TLS, S1, 10),),
    )


def test_a_prefix_changes_its_encapsulation_as_a_whole() -> None:
    desired = {key: wanted(GRE6, t1=10) for key in (WEB, TLS)}
    plan = plan_address(VIP, desired, {key: found(GRE4, s1=10) for key in (WEB, TLS)}, recreate=[WEB, TLS])
    assert plan.phases == (
        (DeleteVip(WEB), DeleteVip(TLS)),
        (AddVip(WEB, GRE6), AddVip(TLS, GRE6)),
        (AddServer(WEB, T1, 10), AddServer(TLS, T1, 10)),
    )


def test_a_vip_that_may_be_made_anew_stays_when_its_neighbour_may_not() -> None:
    desired = {key: wanted(GRE6, t1=10) for key in (WEB, TLS)}
    plan = plan_address(VIP, desired, {key: found(GRE4, s1=10) for key in (WEB, TLS)}, recreate=[WEB])
    assert plan.operations == ()
    assert "192.0.2.1:80/tcp: cannot be recreated: 192.0.2.1:443/tcp stands in the way" in words(plan)


def test_a_vip_of_all_ports_makes_way_for_vips_of_one_port_when_it_is_ours() -> None:
    plan = plan_address(VIP, {WEB: wanted(GRE4, s1=10)}, {ALL_PORTS: found(GRE4, s1=10)}, owned=[ALL_PORTS])
    assert plan.phases == ((DeleteVip(ALL_PORTS),), (AddVip(WEB, GRE4),), (AddServer(WEB, S1, 10),))


def test_a_vip_of_somebody_else_in_the_way_is_named_and_stays() -> None:
    plan = plan_address(VIP, {WEB: wanted(GRE4, s1=10)}, {ALL_PORTS: found(GRE4, s1=10)})
    assert plan.operations == ()
    assert words(plan) == ["192.0.2.1:80/tcp: cannot be created: 192.0.2.1/any stands in the way"]
    assert plan.unmanaged == (ALL_PORTS,)


def test_prune_removes_what_was_never_configured() -> None:
    plan = plan_address(VIP, {}, {WEB: found(GRE4, s1=10)}, prune=True)
    assert plan.phases == ((DeleteVip(WEB),),)
    assert plan.unmanaged == ()


def test_a_vip_that_is_no_longer_configured_goes_last() -> None:
    plan = plan_address(VIP, {WEB: wanted(GRE4, s1=10)}, {TLS: found(GRE4, s1=10)}, owned=[TLS])
    assert plan.phases == ((AddVip(WEB, GRE4),), (AddServer(WEB, S1, 10),), (DeleteVip(TLS),))


def test_weights_on_another_step_are_reported() -> None:
    desired = DesiredVip(GRE4, 1, {S1: DesiredServer(100)}, wanted_step=10)
    plan = plan_address(VIP, {WEB: desired}, {WEB: found(GRE4, s1=100)})
    assert plan.operations == ()
    assert words(plan) == ["192.0.2.1:80/tcp: weights have step 1, wanted 10"]


def test_addresses_are_planned_in_numeric_order_with_ipv4_first() -> None:
    addresses: list[Address] = [
        IPv6Address("2001:db8::1"),
        IPv4Address("192.0.2.10"),
        IPv4Address("192.0.2.9"),
        IPv6Address("::1:1"),
    ]
    keys = [VipKey(address, IPProtocol.TCP, 80) for address in addresses]
    desired = {keys[0].address: {keys[0]: wanted(GRE4, s1=1)}, keys[1].address: {keys[1]: wanted(GRE4, s1=1)}}
    actual = {keys[2].address: {keys[2]: found(GRE4)}, keys[3].address: {keys[3]: found(GRE4)}}
    plans = [
        plan_address(address, desired.get(address, {}), actual.get(address, {}))
        for address in sorted({*desired, *actual}, key=numeric_order)
    ]
    assert [str(plan.address) for plan in plans] == ["192.0.2.9", "192.0.2.10", "::1:1", "2001:db8::1"]


def test_a_written_weight_makes_the_buckets_of_its_vip_unknown_and_leaves_other_vips_alone() -> None:
    vip = VipState(GRE4, {S1: ServerState(10, 16, 5, 1000), S2: ServerState(0, 0, 7, 1000)}, index=3)
    after = applied_all({WEB: vip, TLS: vip}, [SetWeight(WEB, S2, 10, flush=True)])
    assert after[WEB] == VipState(GRE4, {S1: ServerState(10, None, 5, 1000), S2: ServerState(10, None, 0)}, index=3)
    assert after[TLS] is vip


def test_the_number_of_sticky_buckets_changes_only_where_no_flow_is_forgotten_unasked() -> None:
    actual = DataplaneConf(sticky_buckets_per_core=1024)
    desired = DataplaneConf(sticky_buckets_per_core=2048)
    assert plan_conf(desired, actual) == ConfPlan(None, "sticky buckets per core are 1024, wanted 2048")
    assert plan_conf(desired, actual, recreate=True) == ConfPlan(SetConf(desired))
    assert plan_conf(desired, actual, empty=True) == ConfPlan(SetConf(desired))


def test_the_rest_of_the_configuration_is_written_beside_the_buckets_that_are_there() -> None:
    actual = DataplaneConf(sticky_buckets_per_core=1024, flow_timeout_s=40)
    desired = DataplaneConf(sticky_buckets_per_core=2048, flow_timeout_s=60)
    assert plan_conf(desired, actual).operation == SetConf(attrs.evolve(actual, flow_timeout_s=60))


def test_a_configuration_that_is_as_wanted_is_not_written() -> None:
    assert plan_conf(DataplaneConf(), DataplaneConf()) == ConfPlan()


def test_an_encapsulation_that_we_never_make_is_reported_like_any_other() -> None:
    foreign = VipAttributes(Encap.OTHER, 16)
    plan = plan_address(VIP, {WEB: wanted(GRE4, s1=10)}, {WEB: found(foreign, s1=10)})
    assert plan.operations == ()
    assert words(plan)[0] == "192.0.2.1:80/tcp: encapsulation is other, wanted gre4"
