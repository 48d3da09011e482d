"""Keeps what only VPP's command line tells of each VIP, and decides when to ask for it again.

The command may stop VPP's workers while it runs, so it is run only when a dump does not fit what is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import anyio.lowlevel
import attrs

from maglev.api import AddVip, DataplaneError, DeleteVip, Operation, VipKey
from maglev_vpp.addresses import Address
from maglev_vpp.connection import ApiConnection
from maglev_vpp.dumps import ServerRow, VipRow
from maglev_vpp.expected import ExpectedServers
from maglev_vpp.messages import name_of
from maglev_vpp.show_vips import COMMAND, VipDetails, parse_vip, split_vips

VIPS_PER_SLICE = 100
"""VIPs parsed in one turn of the event loop."""


@attrs.define(eq=False)
class VipDetailsCache:
    """The sticky flag, index and exact table length of VIPs, and their entries of flows when last asked."""

    _connection: ApiConnection
    known: dict[VipKey, VipDetails] = attrs.field(factory=dict, init=False)
    _remade: set[VipKey] = attrs.field(factory=set, init=False)
    """VIPs that we made or removed since VPP was asked last."""
    _expected: ExpectedServers = attrs.field(factory=ExpectedServers, init=False)
    _leftovers: Counter[tuple[VipKey, Address, int]] = attrs.field(factory=Counter, init=False)

    async def update(self, vips: Sequence[VipRow], servers: Sequence[ServerRow], *, refresh: bool) -> None:
        """Make what is known fit the dumps; asks VPP only if it must, or is told to.

        Raises:
            DataplaneError: VPP could not be asked.
        """
        now = leftovers(servers)
        changed = self._expected.differ({row.key for row in vips}, servers)
        if refresh or is_outdated(self.known, vips, new_leftovers=changed or bool(now - self._leftovers)):
            await self.refresh()
        else:
            listed = {row.key for row in vips}
            self.known = {key: details for key, details in self.known.items() if key in listed}
        self._leftovers = now

    def follow(self, operation: Operation) -> None:
        """Take an operation of our own that VPP acknowledged."""
        self._expected.follow(operation)
        if isinstance(operation, AddVip | DeleteVip):
            self.known.pop(operation.vip, None)
            self._remade.add(operation.vip)

    async def refresh(self) -> None:
        """Ask VPP for all VIPs.

        Raises:
            DataplaneError: VPP could not be asked, or its answer cannot be parsed.
        """
        self._remade.clear()
        reply = await self._connection.call("cli_inband", cmd=COMMAND)
        if reply.retval < 0:
            raise DataplaneError(f"VPP refused {COMMAND!r}: {name_of(reply.retval)}: {reply.reply.strip()}")
        known = {}
        try:
            for number, block in enumerate(split_vips(reply.reply)):
                if number % VIPS_PER_SLICE == VIPS_PER_SLICE - 1:
                    await anyio.lowlevel.checkpoint()
                if (details := parse_vip(block)) is not None:
                    known[details.key] = details
        except ValueError as error:
            raise DataplaneError(f"the output of VPP's command line cannot be parsed: {error}") from error
        # What was said of a VIP that we made or removed meanwhile may be of the one before.
        self.known = {key: details for key, details in known.items() if key not in self._remade}


def leftovers(servers: Sequence[ServerRow]) -> Counter[tuple[VipKey, Address, int]]:
    """Find the removed rows of servers that have another row in use: their VIP was removed and created again.

    (A server that is removed and added again has a single row, which is in use again.)
    """
    used = {(row.vip, row.server) for row in servers if row.used}
    removed = (row for row in servers if not row.used and (row.vip, row.server) in used)
    return Counter((row.vip, row.server, row.removed_s) for row in removed)


def is_outdated(known: Mapping[VipKey, VipDetails], vips: Sequence[VipRow], *, new_leftovers: bool) -> bool:
    """Tell whether VPP must be asked again for what its dumps do not have.

    It must if a VIP is not known, if there are new `leftovers`, or if the dump, which is in the order of VPP's indices,
    contradicts the indices that are known.
    """
    if new_leftovers or any(row.key not in known for row in vips):
        return True
    indices = [known[row.key].index for row in vips]
    return any(later <= earlier for earlier, later in pairwise(indices))
