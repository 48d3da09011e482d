"""VIPs, servers and refused operations for `maglev.testing.dataplane_suite`, all of documentation addresses."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from maglev.api import (
    AddServer,
    AddVip,
    DataplaneConf,
    DeleteServer,
    DeleteVip,
    Encap,
    IPProtocol,
    Operation,
    SetConf,
    SetWeight,
    VipAttributes,
    VipKey,
)

Address = IPv4Address | IPv6Address

GRE4 = VipAttributes(Encap.GRE4, 1024)
GRE6 = VipAttributes(Encap.GRE6, 1024)
VIP4 = IPv4Address("192.0.2.80")
VIP6 = IPv6Address("2001:db8:80::80")
WEB = VipKey(VIP4, IPProtocol.TCP, 80)
TLS = VipKey(VIP4, IPProtocol.TCP, 443)
DNS = VipKey(VIP4, IPProtocol.UDP, 53)
ALL_PORTS = VipKey(VIP4, IPProtocol.ANY, 0)
S1, S2, S3 = (IPv4Address("198.51.100.1") + index for index in range(3))
T1, T2, T3 = (IPv6Address("2001:db8:51::1") + index for index in range(3))

WEB_OF_TWO = (AddVip(WEB, GRE4), AddServer(WEB, S1, 10), AddServer(WEB, S2, 5))

Refused = tuple[tuple[Operation, ...], Operation, str]
"""What is there before, what is refused then, and the name of the error."""

REFUSED: Mapping[str, Refused] = {
    "a VIP that is there": (WEB_OF_TWO, AddVip(WEB, GRE4), "VALUE_EXIST"),
    "all ports beside one port": (WEB_OF_TWO, AddVip(ALL_PORTS, GRE4), "VALUE_EXIST"),
    "one port beside all ports": ((AddVip(ALL_PORTS, GRE4),), AddVip(WEB, GRE4), "VALUE_EXIST"),
    "two encapsulations on one address": (WEB_OF_TWO, AddVip(TLS, GRE6), "INVALID_ARGUMENT"),
    "a table that is no power of two": ((), AddVip(WEB, VipAttributes(Encap.GRE4, 1000)), "INVALID_MEMORY_SIZE"),
    "removing a VIP that is not there": (WEB_OF_TWO, DeleteVip(TLS), "NO_SUCH_ENTRY"),
    "a server of a VIP that is not there": (WEB_OF_TWO, AddServer(TLS, S3, 10), "NO_SUCH_ENTRY"),
    "a weight in a VIP that is not there": (WEB_OF_TWO, SetWeight(TLS, S1, 10), "NO_SUCH_ENTRY"),
    "a server that is there": (WEB_OF_TWO, AddServer(WEB, S1, 10), "VALUE_EXIST"),
    "a server that the encapsulation does not fit": (WEB_OF_TWO, AddServer(WEB, T1, 10), "INVALID_ADDRESS_FAMILY"),
    "a weight of a server that is not there": (WEB_OF_TWO, SetWeight(WEB, S3, 10), "NO_SUCH_ENTRY"),
    "a weight of a server that left": ((*WEB_OF_TWO, DeleteServer(WEB, S1)), SetWeight(WEB, S1, 1), "NO_SUCH_ENTRY"),
    "removing a server that is not there": (WEB_OF_TWO, DeleteServer(WEB, S3), "NO_SUCH_ENTRY"),
    "sticky buckets that are no power of two": (
        (),
        SetConf(DataplaneConf(IPv4Address("192.0.2.254"), IPv6Address("2001:db8::254"), 1000)),
        "INVALID_MEMORY_SIZE",
    ),
}
