"""The stand-in's message definitions: layouts and checksums as VPP 26.10 has them, written down for what we use."""

from __future__ import annotations

import json
from typing import Any

HEAD = [["u16", "_vl_msg_id"], ["u32", "client_index"], ["u32", "context"]]
REPLY_HEAD = [["u16", "_vl_msg_id"], ["u32", "context"]]
VIP_FIELDS = [["vl_api_address_with_prefix_t", "pfx"], ["u8", "protocol", {"default": 255}], ["u16", "port"]]

Definition = list[Any]


def _request(name: str, crc: str, *fields: Any) -> Definition:
    return [name, *HEAD, *fields, {"crc": f"0x{crc}", "options": {}}]


def _answer(name: str, crc: str, *fields: Any) -> Definition:
    return [name, *REPLY_HEAD, *fields, {"crc": f"0x{crc}", "options": {}}]


def _reply(name: str, crc: str = "e8d4e804", *fields: Any) -> Definition:
    return _answer(f"{name}_reply", crc, ["i32", "retval"], *fields)


CONF_FIELDS = [["vl_api_ip4_address_t", "ip4_src_address"], ["vl_api_ip6_address_t", "ip6_src_address"]]
NO_CHANGE = {"default": 4294967295}

LB: list[Definition] = [
    _request(
        "lb_conf",
        "56cd3261",
        *CONF_FIELDS,
        ["u32", "sticky_buckets_per_core", NO_CHANGE],
        ["u32", "flow_timeout", NO_CHANGE],
    ),
    _reply("lb_conf"),
    _request("lb_conf_get", "51077d14"),
    _reply("lb_conf_get", "923427ac", *CONF_FIELDS, ["u32", "sticky_buckets_per_core"], ["u32", "flow_timeout"]),
    _request(
        "lb_add_del_vip_v2",
        "7c520e0f",
        *VIP_FIELDS,
        ["vl_api_lb_encap_type_t", "encap"],
        ["u8", "dscp"],
        ["vl_api_lb_srv_type_t", "type"],
        ["u16", "target_port"],
        ["u16", "node_port"],
        ["u32", "new_flows_table_length", {"default": 1024}],
        ["bool", "src_ip_sticky"],
        ["bool", "is_del"],
    ),
    _reply("lb_add_del_vip_v2"),
    _request(
        "lb_add_del_as_v2",
        "2f1d3b0e",
        *VIP_FIELDS,
        ["vl_api_address_t", "as_address"],
        ["u8", "weight", {"default": 100}],
        ["bool", "is_del"],
        ["bool", "is_flush"],
    ),
    _reply("lb_add_del_as_v2"),
    _request(
        "lb_as_set_weight",
        "2d89bdbd",
        *VIP_FIELDS,
        ["vl_api_address_t", "as_address"],
        ["u8", "weight"],
        ["bool", "is_flush"],
    ),
    _reply("lb_as_set_weight"),
    _request(
        "lb_vip_dump",
        "56110cb7",
        VIP_FIELDS[0],
        ["vl_api_prefix_matcher_t", "pfx_matcher"],
        *VIP_FIELDS[1:],
    ),
    _answer(
        "lb_vip_details",
        "1329ec9b",
        ["vl_api_lb_vip_t", "vip"],
        ["vl_api_lb_encap_type_t", "encap"],
        ["vl_api_ip_dscp_t", "dscp"],
        ["vl_api_lb_srv_type_t", "srv_type"],
        ["u16", "target_port"],
        ["u16", "flow_table_length"],
    ),
    _request("lb_as_v2_dump", "1063f819", VIP_FIELDS[0], ["u8", "protocol"], ["u16", "port"]),
    _answer(
        "lb_as_v2_details",
        "90064aae",
        ["vl_api_lb_vip_t", "vip"],
        ["vl_api_address_t", "app_srv"],
        ["u8", "flags"],
        ["u32", "in_use_since"],
        ["u8", "weight"],
        ["u32", "num_buckets"],
    ),
]
VPP: list[Definition] = [
    _request("show_version", "51077d14"),
    _reply(
        "show_version",
        "c919bde1",
        ["string", "program", 32],
        ["string", "version", 32],
        ["string", "build_date", 32],
        ["string", "build_directory", 256],
    ),
    _request("cli_inband", "f8377302", ["string", "cmd", 0]),
    _reply("cli_inband", "05879051", ["string", "reply", 0]),
    _request("ip_route_lookup", "710d6471", ["u32", "table_id"], ["u8", "exact"], ["vl_api_prefix_t", "prefix"]),
    _reply("ip_route_lookup", "5d8febcb", ["vl_api_ip_route_t", "route"]),
]
CLIENT: dict[str, str] = {
    "sockclnt_create": "455fb9c4",
    "sockclnt_create_reply": "35166268",
    "sockclnt_delete": "8ac76db6",
    "sockclnt_delete_reply": "8f38b1ee",
    "memclnt_keepalive": "51077d14",
    "memclnt_keepalive_reply": "e8d4e804",
    "control_ping": "51077d14",
    "control_ping_reply": "f6b0b8ca",
    "get_api_json": "51077d14",
    "get_api_json_reply": "ea715b59",
}
"""VPP lists these in its table and does not hand out their definitions."""

TYPES: dict[str, Any] = {
    "enums": [
        ["address_family", ["ADDRESS_IP4", 0], ["ADDRESS_IP6", 1], {"enumtype": "u8"}],
        [
            "ip_proto",
            ["IP_API_PROTO_TCP", 6],
            ["IP_API_PROTO_UDP", 17],
            ["IP_API_PROTO_RESERVED", 255],
            {"enumtype": "u8"},
        ],
        ["ip_dscp", ["IP_API_DSCP_CS0", 0], ["IP_API_DSCP_EF", 46], {"enumtype": "u8"}],
        [
            "lb_encap_type",
            ["LB_API_ENCAP_TYPE_GRE4", 0],
            ["LB_API_ENCAP_TYPE_GRE6", 1],
            ["LB_API_ENCAP_TYPE_L3DSR", 2],
            ["LB_API_ENCAP_TYPE_NAT4", 3],
            ["LB_API_ENCAP_TYPE_NAT6", 4],
            {"enumtype": "u32"},
        ],
        [
            "fib_path_type",
            ["FIB_API_PATH_TYPE_NORMAL", 0],
            ["FIB_API_PATH_TYPE_LOCAL", 1],
            ["FIB_API_PATH_TYPE_DROP", 2],
            {"enumtype": "u32"},
        ],
        ["fib_path_flags", ["FIB_API_PATH_FLAG_NONE", 0], {"enumtype": "u32"}],
        ["fib_path_nh_proto", ["FIB_API_PATH_NH_PROTO_IP4", 0], ["FIB_API_PATH_NH_PROTO_IP6", 1], {"enumtype": "u32"}],
        ["lb_srv_type", ["LB_API_SRV_TYPE_CLUSTERIP", 0], ["LB_API_SRV_TYPE_NODEPORT", 1], {"enumtype": "u32"}],
    ],
    "unions": [["address_union", ["vl_api_ip4_address_t", "ip4"], ["vl_api_ip6_address_t", "ip6"]]],
    "types": [
        ["address", ["vl_api_address_family_t", "af"], ["vl_api_address_union_t", "un"]],
        ["prefix", ["vl_api_address_t", "address"], ["u8", "len"]],
        ["prefix_matcher", ["u8", "le"], ["u8", "ge"]],
        ["lb_vip", ["vl_api_address_with_prefix_t", "pfx"], ["vl_api_ip_proto_t", "protocol"], ["u16", "port"]],
        [
            "ip_route",
            ["u32", "table_id"],
            ["u32", "stats_index"],
            ["vl_api_prefix_t", "prefix"],
            ["u8", "n_paths"],
            ["vl_api_fib_path_t", "paths", 0, "n_paths"],
        ],
        [
            "fib_path",
            ["u32", "sw_if_index"],
            ["u32", "table_id"],
            ["u32", "rpf_id"],
            ["u8", "weight"],
            ["u8", "preference"],
            ["vl_api_fib_path_type_t", "type"],
            ["vl_api_fib_path_flags_t", "flags"],
            ["vl_api_fib_path_nh_proto_t", "proto"],
            ["vl_api_fib_path_nh_t", "nh"],
            ["u8", "n_labels"],
            ["vl_api_fib_mpls_label_t", "label_stack", 16],
        ],
        [
            "fib_path_nh",
            ["vl_api_address_union_t", "address"],
            ["u32", "via_label"],
            ["u32", "obj_id"],
            ["u32", "classify_table_index"],
        ],
        ["fib_mpls_label", ["u8", "is_uniform"], ["u32", "label"], ["u8", "ttl"], ["u8", "exp"]],
    ],
    "aliases": {
        "ip4_address": {"type": "u8", "length": 4},
        "ip6_address": {"type": "u8", "length": 16},
        "address_with_prefix": {"type": "vl_api_prefix_t"},
    },
}
OF_WEIGHTS = ("lb_conf_get", "lb_add_del_as_v2", "lb_as_set_weight", "lb_as_v2_dump", "lb_as_v2_details")
"""What came with weights: an older VPP has none of these."""


def crc_of(definition: Definition) -> str:
    """The checksum of a definition, as the message table has it."""
    return str(definition[-1]["crc"]).removeprefix("0x")


class Vocabulary:
    """The messages of one stand-in.

    Args:
        without: Messages that it does not know, their replies included.
        changed: Messages that it has with another checksum.
    """

    FIRST_ID = 20

    def __init__(self, without: tuple[str, ...] = (), changed: tuple[str, ...] = ()) -> None:
        gone = {*without, *(f"{name}_reply" for name in without)}
        self.definitions = [d for d in [*LB, *VPP] if d[0] not in gone]
        names = {**CLIENT, **{d[0]: crc_of(d) for d in self.definitions}}
        for name in changed:
            names[name] = "0badc0de"
        fixed = {"sockclnt_create": 15, "sockclnt_create_reply": 16, "sockclnt_delete": 17}
        free = (name for name in names if name not in fixed)
        self.ids = fixed | {name: self.FIRST_ID + at for at, name in enumerate(free)}
        self.names = {number: name for name, number in self.ids.items()}
        self.table = [(number, f"{name}_{names[name]}") for name, number in self.ids.items()]

    def api_json(self) -> str:
        """What get_api_json answers: a list of files, the types first in one of them."""
        lb = [d for d in self.definitions if d[0].startswith("lb_")]
        rest = [d for d in self.definitions if not d[0].startswith("lb_")]
        return json.dumps([_file(rest), _file(lb)])


def _file(messages: list[Definition]) -> dict[str, Any]:
    services: dict[str, Any] = {}
    for definition in messages:
        name = definition[0]
        if name.endswith("_dump"):
            services[name] = {"reply": name.replace("_dump", "_details"), "stream": True}
        elif not name.endswith(("_reply", "_details")):
            services[name] = {"reply": f"{name}_reply"}
    return {"messages": messages, **TYPES, "services": services}
