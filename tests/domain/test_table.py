from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.domain.hashes import xxhash64
from maglev.domain.table import Address, Table, bucket_counts, new_flow_table, new_flow_table_in_slices

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "vpp-new-flow-tables.json").read_text()
)
"""Tables of random VIPs as a running VPP had them: length, and weight and buckets of each server."""

LENGTHS = st.sampled_from([16, 32, 64, 128, 256, 512, 1024])
WEIGHTS = st.sampled_from([0, 1, 1, 2, 3, 5, 10, 50, 99, 100])
FAMILIES = st.sampled_from([st.ip_addresses(v=4), st.ip_addresses(v=6)])
POOLS = FAMILIES.flatmap(lambda addresses: st.dictionaries(addresses, WEIGHTS, max_size=12))


def slow_model(servers: dict[Address, int], length: int) -> list[Address | None]:
    """The table as the steps of its description, taken literally: whole permutations, searched from the left."""
    entries = sorted(
        (replica, server.packed.rjust(16, b"\0"), server)
        for server, weight in servers.items()
        for replica in range(weight)
    )
    if not entries:
        return [None] * length
    permutations = []
    for replica, packed, server in entries:
        low, high = int.from_bytes(packed[:8], "little"), int.from_bytes(packed[8:], "little")
        skip, start = reversed(divmod(xxhash64(low ^ high ^ replica), 2**32))
        permutations.append((server, [(start + step * (skip | 1)) % length for step in range(length)]))
    table: dict[int, Address] = {}
    while True:
        for server, permutation in permutations:
            table[next(bucket for bucket in permutation if bucket not in table)] = server
            if len(table) == length:
                return [table[bucket] for bucket in range(length)]


def in_slices(servers: dict[Address, int], length: int, steps: int) -> tuple[Table, int]:
    building = new_flow_table_in_slices(servers, length, steps=steps)
    slices = 0
    while True:
        try:
            next(building)
        except StopIteration as built:
            return built.value, slices
        slices += 1


@pytest.mark.parametrize("recorded", RECORDED, ids=[f"vip-{number}" for number in range(len(RECORDED))])
def test_every_server_has_as_many_buckets_as_in_a_running_vpp(recorded: dict[str, Any]) -> None:
    servers: dict[Address, int] = {ip_address(each["address"]): each["weight"] for each in recorded["servers"]}
    seen = {ip_address(each["address"]): each["buckets"] for each in recorded["servers"]}
    assert new_flow_table(servers, recorded["table_length"]).counts() == seen
    assert bucket_counts(servers, recorded["table_length"]) == seen


def test_all_eighty_recorded_tables_are_there() -> None:
    assert len(RECORDED) == 80


@settings(max_examples=40, deadline=None)
@given(servers=POOLS, length=st.sampled_from([16, 32, 64, 128]))
def test_the_table_is_what_the_slow_model_says(servers: dict[Address, int], length: int) -> None:
    assert list(new_flow_table(servers, length)) == slow_model(servers, length)


@settings(deadline=None)
@given(servers=POOLS, length=LENGTHS)
def test_counts_sum_to_the_length_unless_nobody_has_weight(servers: dict[Address, int], length: int) -> None:
    counts = new_flow_table(servers, length).counts()
    assert sum(counts.values()) == (length if any(servers.values()) else 0)
    assert counts.keys() == servers.keys()


@settings(deadline=None)
@given(servers=POOLS, length=LENGTHS)
def test_counts_are_known_without_building_the_table(servers: dict[Address, int], length: int) -> None:
    assert bucket_counts(servers, length) == new_flow_table(servers, length).counts()


@settings(deadline=None)
@given(servers=POOLS, length=LENGTHS, data=st.data())
def test_the_order_in_which_servers_were_added_does_not_count(
    servers: dict[Address, int], length: int, data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(servers.items()))))
    assert new_flow_table(shuffled, length) == new_flow_table(servers, length)


@settings(deadline=None)
@given(servers=POOLS, length=LENGTHS)
def test_servers_of_weight_zero_change_no_bucket(servers: dict[Address, int], length: int) -> None:
    carrying = {server: weight for server, weight in servers.items() if weight}
    assert list(new_flow_table(carrying, length)) == list(new_flow_table(servers, length))


@settings(deadline=None)
@given(servers=POOLS, length=LENGTHS, steps=st.integers(min_value=1, max_value=5000))
def test_a_table_built_in_slices_is_the_whole_table(servers: dict[Address, int], length: int, steps: int) -> None:
    assert in_slices(servers, length, steps)[0] == new_flow_table(servers, length)


def test_smaller_slices_give_time_back_more_often() -> None:
    servers: dict[Address, int] = {IPv4Address("192.0.2.1") + index: 10 for index in range(10)}
    _, often = in_slices(servers, 4096, 500)
    _, seldom = in_slices(servers, 4096, 50_000)
    assert often > 40
    assert seldom < 5


@pytest.mark.parametrize("length", [16, 65536])
def test_a_single_server_has_every_bucket(length: int) -> None:
    only = IPv6Address("2001:db8::1")
    assert set(new_flow_table({only: 1}, length)) == {only}


@pytest.mark.parametrize("servers", [{}, {IPv4Address("192.0.2.1"): 0, IPv4Address("192.0.2.2"): 0}])
def test_without_any_weight_every_bucket_has_no_server(servers: dict[Address, int]) -> None:
    table = new_flow_table(servers, 16)
    assert list(table) == [None] * 16
    assert table.counts() == servers


def test_more_entries_than_buckets_leave_weights_without_meaning() -> None:
    light = IPv4Address("192.0.2.1")
    servers: dict[Address, int] = {light + index: 100 for index in range(20)}
    counts = new_flow_table({**servers, light: 50}, 1024).counts()
    assert counts[light] == 50
    assert set(counts.values()) == {50, 51, 52}
    assert new_flow_table({**servers, light: 50}, 16384).counts()[light] == 440


def test_entries_that_get_no_turn_leave_their_server_without_a_bucket() -> None:
    servers: dict[Address, int] = {IPv4Address("192.0.2.1") + index: 1 for index in range(17)}
    counts = new_flow_table(servers, 16).counts()
    assert counts[IPv4Address("192.0.2.17")] == 0
    assert counts == bucket_counts(servers, 16)


def test_servers_take_turns_in_numeric_order_not_in_the_order_of_their_text() -> None:
    nine, ten = IPv4Address("192.0.2.9"), IPv4Address("192.0.2.10")
    assert new_flow_table({ten: 1, nine: 2}, 16).counts() == {nine: 11, ten: 5}
    assert new_flow_table({ten: 1, nine: 1}, 16).servers == (nine, ten)


def test_a_table_is_a_sequence_of_servers_that_two_equal_ones_share_a_hash_of() -> None:
    servers: dict[Address, int] = {IPv4Address("192.0.2.1"): 1, IPv4Address("192.0.2.2"): 3}
    table = new_flow_table(servers, 32)
    assert len(table) == 32
    assert table[-1] == list(table)[31]
    assert table[4:8] == tuple(table)[4:8]
    assert table.index(IPv4Address("192.0.2.2")) == list(table).index(IPv4Address("192.0.2.2"))
    assert hash(table) == hash(new_flow_table(servers, 32))
    with pytest.raises(IndexError):
        table[32]


@pytest.mark.parametrize("length", [0, 1, 8, 15, 17, 1000, 65535, 131072, -16])
def test_a_length_that_is_no_power_of_two_from_16_to_65536_is_refused(length: int) -> None:
    for build in (new_flow_table, new_flow_table_in_slices, bucket_counts):
        with pytest.raises(ValueError, match=f"table length is {length}: a power of two from 16 to 65536 is allowed"):
            build({}, length)


@pytest.mark.parametrize("weight", [-1, 101, 255])
def test_a_weight_outside_0_to_100_is_refused_with_its_server(weight: int) -> None:
    for build in (new_flow_table, new_flow_table_in_slices, bucket_counts):
        with pytest.raises(ValueError, match=rf"weight of 192\.0\.2\.1 is {weight}: 0 to 100 is allowed"):
            build({IPv4Address("192.0.2.1"): weight}, 16)


def test_servers_of_two_families_are_refused() -> None:
    with pytest.raises(ValueError, match="one family for all servers of a table is allowed"):
        new_flow_table({IPv4Address("192.0.2.1"): 1, IPv6Address("2001:db8::1"): 1}, 16)


def test_more_servers_than_a_bucket_can_name_are_refused() -> None:
    with pytest.raises(ValueError, match="65536 servers: at most 65535 are allowed"):
        new_flow_table({IPv4Address(index): 0 for index in range(65536)}, 16)


def test_a_slice_of_no_work_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="steps is 0: at least 1 is allowed"):
        new_flow_table_in_slices({}, 16, steps=0)
