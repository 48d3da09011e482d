"""Lists the messages that we use, each with the checksum of its layout, and the names of return values.

VPP sends a table of `name_crc` for all its messages when a client connects. The checksum covers a message's fields and
their types: an equal checksum means an equal layout.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

CLIENT: Final[dict[str, str]] = {
    "control_ping": "51077d14",
    "control_ping_reply": "f6b0b8ca",
    "get_api_json": "51077d14",
    "get_api_json_reply": "ea715b59",
    "memclnt_keepalive": "51077d14",
    "memclnt_keepalive_reply": "e8d4e804",
    "sockclnt_create": "455fb9c4",
    "sockclnt_create_reply": "35166268",
    "sockclnt_delete": "8ac76db6",
}
"""Registration of clients. VPP does not send these definitions; vpp_papi has them."""

REQUIRED: Final[dict[str, str]] = {
    "show_version": "51077d14",
    "show_version_reply": "c919bde1",
    "cli_inband": "f8377302",
    "cli_inband_reply": "05879051",
    "lb_conf": "56cd3261",
    "lb_conf_reply": "e8d4e804",
    "lb_conf_get": "51077d14",
    "lb_conf_get_reply": "923427ac",
    "lb_add_del_vip_v2": "7c520e0f",
    "lb_add_del_vip_v2_reply": "e8d4e804",
    "lb_add_del_as_v2": "2f1d3b0e",
    "lb_add_del_as_v2_reply": "e8d4e804",
    "lb_as_set_weight": "2d89bdbd",
    "lb_as_set_weight_reply": "e8d4e804",
    "lb_vip_dump": "56110cb7",
    "lb_vip_details": "1329ec9b",
    "lb_as_v2_dump": "1063f819",
    "lb_as_v2_details": "90064aae",
}
"""A VPP without these is refused."""

OPTIONAL: Final[dict[str, str]] = {
    "ip_route_lookup": "710d6471",
    "ip_route_lookup_reply": "5d8febcb",
}
"""Without these the counters of a VIP's route are unknown."""

SOCKCLNT_CREATE_ID, SOCKCLNT_CREATE_REPLY_ID = 15, 16
"""The only messages whose numbers are fixed. The reply has the table of all others."""

RETVALS: Final[Mapping[int, str]] = {
    -1: "UNSPECIFIED",
    -3: "NO_SUCH_FIB",
    -6: "NO_SUCH_ENTRY",
    -7: "INVALID_VALUE",
    -8: "INVALID_VALUE_2",
    -9: "UNIMPLEMENTED",
    -11: "SYSCALL_ERROR_1",
    -30: "FEATURE_DISABLED",
    -31: "INVALID_REGISTRATION",
    -57: "INVALID_SRC_ADDRESS",
    -58: "INVALID_DST_ADDRESS",
    -59: "ADDRESS_LENGTH_MISMATCH",
    -62: "IP6_NOT_ENABLED",
    -65: "NO_SUCH_TABLE",
    -70: "INVALID_MEMORY_SIZE",
    -73: "INVALID_ARGUMENT",
    -77: "RESPONSE_NOT_READY",
    -81: "VALUE_EXIST",
    -88: "IP_PREFIX_INVALID",
    -97: "INVALID_ADDRESS_FAMILY",
    -99: "TABLE_TOO_BIG",
    -107: "QUEUE_FULL",
    -116: "ENTRY_ALREADY_EXISTS",
    -126: "UNSUPPORTED",
    -144: "INIT_FAILED",
}
"""VPP's names of return values (the field `retval` of replies): those that the lb plugin, the command line and the API
itself can return, and some related ones."""


def mismatch(table: Collection[str], wanted: Mapping[str, str]) -> str:
    """Describe the messages that a VPP lacks, or has with another layout; empty if there are none.

    Args:
        table: VPP's messages as `name_crc`.
        wanted: Checksums by name. An absent reply or details message is not listed: its request is.
    """
    known = {entry.rpartition("_")[0] for entry in table}
    unusable = [name for name, crc in wanted.items() if f"{name}_{crc}" not in table]
    absent = [name for name in unusable if name not in known and is_request(name)]
    changed = [name for name in unusable if name in known]
    parts = []
    if {name for name in REQUIRED if name.startswith("lb_") and is_request(name)} <= set(absent):
        parts.append("its lb plugin is not loaded (plugins { plugin lb_plugin.so { enable } })")
    elif absent:
        parts.append(f"it lacks {', '.join(absent)}")
    if changed:
        parts.append(f"it has another layout of {', '.join(changed)}")
    return "; ".join(parts)


def is_request(name: str) -> bool:
    """Tell whether a message is a request, not a reply or a row of a dump."""
    return not name.endswith(("_reply", "_details"))


def name_of(retval: int) -> str:
    """Return VPP's name of a return value, or `retval -N`."""
    return RETVALS.get(retval, f"retval {retval}")
