"""Remembers which servers a VIP should have, and so tells that somebody else has made the VIP anew.

VPP's dumps have nothing that names a VIP for good. But who makes a VIP anew has removed all its servers with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from maglev.api import AddServer, AddVip, DeleteServer, DeleteVip, Operation, VipKey
from maglev_vpp.addresses import Address
from maglev_vpp.dumps import ServerRow


@attrs.define(eq=False)
class ExpectedServers:
    """The servers in use at the last dump, as our own operations have changed them since."""

    _last_removed_s: dict[tuple[VipKey, Address], int | None] = attrs.field(factory=dict, init=False)
    """When each was last removed: VPP keeps that of one that is in use again. `None`: not known."""
    _not_empty: set[VipKey] = attrs.field(factory=set, init=False)
    """VIPs that had a server at the last dump."""

    def follow(self, operation: Operation) -> None:
        """Take an operation of our own that was acknowledged."""
        match operation:
            case AddServer(vip=vip, server=server):
                self._last_removed_s[vip, server] = None
            case DeleteServer(vip=vip, server=server):
                self._last_removed_s.pop((vip, server), None)
            case AddVip(vip=vip) | DeleteVip(vip=vip):
                self._not_empty.discard(vip)
            case _:
                pass

    def differ(self, vips: Collection[VipKey], servers: Sequence[ServerRow]) -> set[VipKey]:
        """Take the next dump; returns which of these VIPs somebody else may have made anew.

        A server was removed that we did not remove, if only for a moment; or a VIP has servers that had none, so that
        there was none to be removed.
        """
        used = {(row.vip, row.server): row.removed_s for row in servers if row.used}
        removed = {
            key[0]
            for key, expected_s in self._last_removed_s.items()
            if key[0] in vips and (key not in used or expected_s not in (None, used[key]))
        }
        not_empty = {vip for vip, _server in used}
        filled = (not_empty & {*vips}) - self._not_empty
        self._last_removed_s, self._not_empty = dict(used), not_empty
        return removed | filled
