from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.api.dataplane import FlowHash
from maglev.domain.flow import TCP, UDP, flow_hash
from maglev.domain.hashes import crc32c, xxhash64
from maglev.domain.table import Address, new_flow_table

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "vpp-flows.json").read_text())
"""TCP flows that went through a running VPP, and the server that received each."""

V4 = IPv4Address("198.51.100.7"), IPv4Address("203.0.113.80")
V6 = IPv6Address("2001:db8:c::7"), IPv6Address("2001:db8:80::1")
ICMP = 1
KINDS: list[FlowHash] = ["crc32c", "xxhash"]
PORTS = st.integers(min_value=0, max_value=65535)


def test_all_three_hundred_recorded_flows_go_where_vpp_sent_them() -> None:
    servers: dict[Address, int] = {ip_address(server): weight for server, weight in RECORDED["servers"].items()}
    table = new_flow_table(servers, RECORDED["table_length"])
    source, vip = ip_address(RECORDED["source"]), ip_address(RECORDED["vip"])
    predicted = {
        port: str(table[flow_hash(source, vip, int(port), RECORDED["port"], TCP) & (len(table) - 1)])
        for port in RECORDED["server_by_source_port"]
    }
    assert predicted == RECORDED["server_by_source_port"]
    assert len(predicted) == 300


def test_the_key_of_ipv4_is_both_addresses_then_destination_and_source_port_in_forty_bytes() -> None:
    key = V4[0].packed + V4[1].packed + (443).to_bytes(2, "big") + (40000).to_bytes(2, "big") + bytes(28)
    assert len(key) == 40
    assert flow_hash(*V4, 40000, 443, TCP) == crc32c(key)


def test_the_key_of_ipv6_has_the_ports_in_the_fifth_word() -> None:
    key = V6[0].packed + V6[1].packed + (443).to_bytes(2, "big") + (40000).to_bytes(2, "big") + bytes(4)
    assert len(key) == 40
    assert flow_hash(*V6, 40000, 443, TCP) == crc32c(key)


@pytest.mark.parametrize("pair", [V4, V6])
def test_without_crc_instructions_the_words_are_xored_and_hashed(pair: tuple[Address, Address]) -> None:
    key = (pair[0].packed + pair[1].packed + bytes.fromhex("01bb9c40")).ljust(40, b"\0")
    folded = 0
    for word in range(0, 40, 8):
        folded ^= int.from_bytes(key[word : word + 8], "little")
    assert flow_hash(*pair, 40000, 443, TCP, kind="xxhash") == xxhash64(folded) % 2**32


@given(source_port=PORTS, destination_port=PORTS, kind=st.sampled_from(KINDS), pair=st.sampled_from([V4, V6]))
def test_tcp_and_udp_hash_alike(
    source_port: int, destination_port: int, kind: FlowHash, pair: tuple[Address, Address]
) -> None:
    tcp = flow_hash(*pair, source_port, destination_port, TCP, kind=kind)
    assert tcp == flow_hash(*pair, source_port, destination_port, UDP, kind=kind)


@given(source_port=PORTS, destination_port=PORTS, kind=st.sampled_from(KINDS), pair=st.sampled_from([V4, V6]))
def test_ports_count_neither_for_other_protocols_nor_with_src_ip_sticky(
    source_port: int, destination_port: int, kind: FlowHash, pair: tuple[Address, Address]
) -> None:
    no_ports = flow_hash(*pair, 0, 0, ICMP, kind=kind)
    assert flow_hash(*pair, source_port, destination_port, ICMP, kind=kind) == no_ports
    assert flow_hash(*pair, source_port, destination_port, TCP, sticky=True, kind=kind) == no_ports
    assert flow_hash(*pair, source_port, destination_port, UDP, sticky=True, kind=kind) == no_ports


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pair", [V4, V6])
def test_both_ports_and_both_addresses_count(pair: tuple[Address, Address], kind: FlowHash) -> None:
    source, vip = pair
    flows = [(source, vip, 40000, 443), (source, vip, 40001, 443), (source, vip, 40000, 80)]
    flows += [(source + 1, vip, 40000, 443), (source, vip + 1, 40000, 443)]
    assert len({flow_hash(*flow, TCP, kind=kind) for flow in flows}) == 5


def test_src_ip_sticky_still_tells_vips_apart() -> None:
    source, vip = V4
    assert flow_hash(source, vip, 1, 2, TCP, sticky=True) != flow_hash(source, vip + 1, 1, 2, TCP, sticky=True)


@given(source_port=PORTS, length=st.sampled_from([16, 1024, 65536]), kind=st.sampled_from(KINDS))
def test_the_bucket_is_the_end_of_the_hash(source_port: int, length: int, kind: FlowHash) -> None:
    hashed = flow_hash(*V4, source_port, 443, TCP, kind=kind)
    assert 0 <= hashed < 2**32
    assert hashed & (length - 1) == hashed % length


def test_a_table_without_weight_serves_no_flow() -> None:
    assert new_flow_table({IPv4Address("192.0.2.1"): 0}, 16)[flow_hash(*V4, 1, 2, TCP) & 15] is None


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ((V4[0], V6[1], 1, 2, TCP), "one address family is allowed"),
        ((*V4, 65536, 2, TCP), "port is 65536: 0 to 65535 is allowed"),
        ((*V4, 1, -1, TCP), "port is -1: 0 to 65535 is allowed"),
        ((*V4, 1, 2, 256), "protocol is 256: 0 to 255 is allowed"),
    ],
)
def test_what_is_no_flow_is_refused(arguments: tuple[Address, Address, int, int, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        flow_hash(*arguments)
