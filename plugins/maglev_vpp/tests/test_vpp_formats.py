"""Frames, definitions and command-line output, without a VPP."""

from __future__ import annotations

import copy
import json
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vpp_papi import vpp_serializer

from maglev.api import Encap, IPProtocol, VipKey
from maglev_vpp.codec import MAX_LENGTH, FramingError, Splitter, frame
from maglev_vpp.definitions import build, client_messages, messages_of, select
from maglev_vpp.dumps import VipRow
from maglev_vpp.handshake import flow_hash
from maglev_vpp.messages import CLIENT, OPTIONAL, REQUIRED, mismatch
from maglev_vpp.show_vips import VipDetails, parse_vip, split_vips
from maglev_vpp.vip_details import is_outdated
from plugins.maglev_vpp.tests.standin.definitions import LB, TYPES, VPP, Vocabulary
from plugins.maglev_vpp.tests.standin.lb import Lb, Vip
from plugins.maglev_vpp.tests.standin.text import show_lb_vips_verbose

VERBOSE = """\
 ip4-gre4 [1] 192.0.2.80/32 src_ip_sticky
  new_size:65536
  protocol:6 port:80
  counters:
    packet from existing sessions: 17
    first session packet: 3
    untracked packet: 0
    no server configured: 0
  #as:3
    198.51.100.1 weight:10 buckets:65536 flows:12 dpo:9 used
    198.51.100.2 weight:0 buckets:0 flows:0 dpo:10 used
    198.51.100.3 weight:5 buckets:0 flows:4 dpo:11  removed

 ip6-gre6 [3] 2001:db8:80::1/128
  new_size:512
  counters:
    packet from existing sessions: 0
    first session packet: 0
    untracked packet: 0
    no server configured: 0
  #as:0

 ip4-gre4 [4] 192.0.2.81/32 src_ip_sticky removed
  new_size:1024
  protocol:17 port:53
  counters:
    packet from existing sessions: 0
    first session packet: 0
    untracked packet: 0
    no server configured: 0
  #as:0

 ip4-nat4 [5] 192.0.2.82/32
  new_size:1024
  protocol:6 port:80
  type:clusterip port:20480 target_port:8080  counters:
    packet from existing sessions: 0
    first session packet: 0
    untracked packet: 0
    no server configured: 0
  #as:0

 ip4-gre4 [6] 203.0.113.0/24
  new_size:1024
  counters:
    packet from existing sessions: 0
    first session packet: 0
    untracked packet: 0
    no server configured: 0
  #as:0

"""


def test_the_command_line_is_read() -> None:
    web, everything = VipKey(IPv4Address("192.0.2.80"), IPProtocol.TCP, 80), IPv6Address("2001:db8:80::1")
    nat = VipKey(IPv4Address("192.0.2.82"), IPProtocol.TCP, 80)
    entries = {ip_address("198.51.100.1"): 12, ip_address("198.51.100.2"): 0}
    assert [parse_vip(block) for block in split_vips(VERBOSE)] == [
        VipDetails(web, 1, sticky=True, table_length=65536, entries=entries),
        VipDetails(VipKey(everything, IPProtocol.ANY, 0), 3, sticky=False, table_length=512, entries={}),
        None,
        VipDetails(nat, 5, sticky=False, table_length=1024, entries={}),
        None,
    ]
    assert list(split_vips("")) == []


def test_the_stand_in_prints_what_vpp_prints() -> None:
    lb = Lb()
    vip = Vip((bytes(12) + IPv4Address("192.0.2.80").packed, 128), 6, 80, 0, 65536, sticky=True)
    assert lb.add_vip(vip) == 0
    lb.counters = [[0, count] for count in (17, 3, 0, 0)]
    for number, weight in ((1, 10), (2, 0), (3, 5)):
        lb.add_server(vip, bytes(12) + IPv4Address(f"198.51.100.{number}").packed, weight)
    lb.delete_server(vip, vip.servers[2].address, flush=False)
    vip.servers[0].flows, vip.servers[2].flows = 12, 4
    assert show_lb_vips_verbose(lb) == VERBOSE.split("\n\n", maxsplit=1)[0] + "\n\n"


def test_text_that_is_not_vpps_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown input"):
        parse_vip("unknown input `show lb vips verbose'")


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(0, 4000)))
def test_messages_come_out_as_they_went_in_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(frame, messages))
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    splitter = Splitter()
    assert [m for start, end in pairwise(places) for m in splitter.feed(stream[start:end])] == messages


@given(st.binary(max_size=2000))
def test_any_bytes_are_messages_or_an_error(data: bytes) -> None:
    splitter = Splitter()
    try:
        assert sum(map(len, splitter.feed(data))) <= len(data)
    except FramingError:
        assert len(data) >= 16


def test_a_length_that_cannot_be_is_an_error() -> None:
    with pytest.raises(FramingError, match=str(MAX_LENGTH + 1)):
        Splitter().feed(bytes(8) + (MAX_LENGTH + 1).to_bytes(4, "big") + bytes(4))


async def test_definitions_are_read_and_the_processs_own_are_left_as_they_were() -> None:
    before = dict(vpp_serializer.types), dict(vpp_serializer.message_cache)
    messages = await messages_of(Vocabulary().api_json(), {*REQUIRED, *OPTIONAL})
    assert set(messages) == {*REQUIRED, *OPTIONAL}
    assert set(client_messages()) == set(CLIENT)
    assert (vpp_serializer.types, vpp_serializer.message_cache) == before


def test_only_what_is_wanted_is_read_and_nothing_is_changed() -> None:
    apis = [{"messages": [*LB, *VPP], **TYPES}]
    before = copy.deepcopy(apis)
    selected = select(apis, {"lb_as_set_weight"})
    assert [m[0] for m in selected["messages"]] == ["lb_as_set_weight"]
    assert {t[0] for t in selected["types"]} == {"address", "prefix"}
    assert set(selected["aliases"]) == {"ip4_address", "ip6_address", "address_with_prefix"}
    assert set(build(apis, {"lb_as_set_weight"})) == {"lb_as_set_weight"}
    assert apis == before


def test_another_layout_of_a_type_is_read_as_it_is_defined_the_second_time_too() -> None:
    def packed(*fields: list[str]) -> bytes:
        api = {"types": [["pair", *fields]], "messages": [["told", ["vl_api_pair_t", "pair"], {"crc": "0x1"}]]}
        message: bytes = build([api], {"told"})["told"].pack({"pair": {"a": 1, "b": 2}})
        return message

    assert packed(["u8", "a"], ["u16", "b"]) == b"\x01\0\x02"
    assert packed(["u16", "a"], ["u8", "b"]) == b"\0\x01\x02"


@pytest.mark.parametrize("text", ["", "[", "[1]", '[{"messages": [[]]}]', '[{"messages": 3}]'])
async def test_definitions_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        await messages_of(text, REQUIRED)


def test_a_mismatch_names_requests_and_no_replies() -> None:
    table = {f"{name}_{crc}" for name, crc in REQUIRED.items()}
    assert not mismatch(table, REQUIRED)
    less = {entry for entry in table if not entry.startswith("lb_as_set_weight")}
    assert mismatch(less, REQUIRED) == "it lacks lb_as_set_weight"
    other = {entry if not entry.startswith("lb_conf_5") else "lb_conf_0badc0de" for entry in table}
    assert mismatch(other, REQUIRED) == "it has another layout of lb_conf"


def test_checksums_are_those_of_the_stand_in() -> None:
    table = {entry for _number, entry in Vocabulary().table}
    assert not mismatch(table, {**CLIENT, **REQUIRED, **OPTIONAL})
    assert json.loads(Vocabulary().api_json())


def test_what_the_dump_does_not_tell_is_asked_when_the_dump_contradicts_it() -> None:
    first, second = (VipRow(VipKey(IPv4Address(n), IPProtocol.TCP, 80), Encap.GRE4, 1024) for n in (1, 2))
    known = {row.key: VipDetails(row.key, n, False, 1024, {}) for row, n in ((first, 3), (second, 5))}
    assert not is_outdated(known, [first, second], new_leftovers=False)
    assert not is_outdated(known, [second], new_leftovers=False)
    assert is_outdated(known, [second, first], new_leftovers=False)
    assert is_outdated(known, [first, second], new_leftovers=True)
    assert is_outdated({}, [first], new_leftovers=False)


@pytest.mark.parametrize(
    "text, kind",
    [
        ("flags : fpu sse4_1 sse4_2 avx\n", "crc32c"),
        ("Features : fp asimd aes crc32 atomics\n", "crc32c"),
        ("flags : fpu mmx sse\n", "xxhash"),
    ],
    ids=["Intel", "Arm", "neither"],
)
def test_flows_are_hashed_by_what_the_cpu_can(tmp_path: Path, text: str, kind: str) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    assert flow_hash(cpuinfo) == kind
