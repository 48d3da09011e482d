"""Dumps show whether somebody else may have recreated a VIP."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from maglev.api import AddServer, AddVip, DeleteServer, Encap, IPProtocol, Operation, ServerState, VipAttributes, VipKey
from maglev_vpp.dumps import ServerRow
from maglev_vpp.expected import ExpectedServers

WEB, TLS = (VipKey(IPv4Address("192.0.2.80"), IPProtocol.TCP, port) for port in (80, 443))
S1, S2 = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")


def row(vip: VipKey, server: IPv4Address, *, used: bool = True, removed_s: int = 0) -> ServerRow:
    return ServerRow(vip, server, ServerState(10), used, removed_s)


@pytest.mark.parametrize(
    "ours, then, differs",
    [
        ([], [row(WEB, S1)], False),
        ([], [row(WEB, S1), row(WEB, S2)], False),
        ([], [], True),
        ([], [row(WEB, S1, used=False, removed_s=7)], True),
        ([], [row(WEB, S1, removed_s=7)], True),
        ([DeleteServer(WEB, S1)], [], False),
        ([DeleteServer(WEB, S1), AddServer(WEB, S1, 5)], [row(WEB, S1, removed_s=7)], False),
        ([DeleteServer(WEB, S1), AddServer(WEB, S1, 5)], [], True),
        ([AddServer(WEB, S2, 5)], [row(WEB, S1)], True),
        ([], [row(WEB, S1), row(TLS, S1)], True),
        ([AddVip(WEB, VipAttributes(Encap.GRE4, 64))], [row(WEB, S1)], True),
    ],
)
def test_what_was_removed_by_another_or_filled_makes_a_difference(
    ours: list[Operation], then: list[ServerRow], differs: bool
) -> None:
    expected = ExpectedServers()
    assert expected.differ([WEB, TLS], [row(WEB, S1)])
    for operation in ours:
        expected.follow(operation)
    assert bool(expected.differ([WEB, TLS], then)) is differs


def test_servers_of_a_vip_that_is_gone_make_none() -> None:
    expected = ExpectedServers()
    expected.differ([WEB, TLS], [row(WEB, S1), row(TLS, S2)])
    assert not expected.differ([TLS], [row(TLS, S2)])
