"""Names VPP's return values, the field `retval` of its replies.

The numbers are part of VPP's API (its list of errors). Listed are those that the lb plugin, the command line and the
API itself can return, and some related ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMES: Final[Mapping[int, str]] = {
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


def name_of(retval: int) -> str:
    """Return VPP's name of a return value, or `retval -N`."""
    return NAMES.get(retval, f"retval {retval}")
