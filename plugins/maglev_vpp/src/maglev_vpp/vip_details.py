"""Keeps what only VPP's command line tells of each VIP, and decides when to ask for it again.

The command may stop VPP's workers while it runs, so it is run only when a dump does not fit what is known.
"""

from __future__ import annotations

import logging
import re
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
from maglev_vpp.memory import in_words
from maglev_vpp.messages import name_of
from maglev_vpp.room import Room
from maglev_vpp.show_vips import COMMAND, VipDetails, longest_output, parse_vip, split_vips

log = logging.getLogger("maglev.vpp")

ASK_FROM, DEFAULT_FREE = 256 << 10, 29 << 19
"""An output of so many bytes fits whatever VPP has been told; and what is free of its API segment if it was told
nothing: 14.5 MiB. VPP aborts over a reply that does not fit there in one piece: 14.0 MiB passed, and 15.4 did not."""
COPIES = 4
"""So many times an output stands in VPP's main heap: as it grows, and as it waits for us to receive it."""
MISSING = "flags, indices, counters and entries of flows of VIPs"
SEGMENT_COMMAND = "show memory api-segment"
_FREE = re.compile(r", free: ([\d.]+)([KMG])")
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
VIPS_PER_SLICE = 100
"""VIPs parsed in one turn of the event loop."""


@attrs.define(eq=False)
class VipDetailsCache:
    """The sticky flag, index and exact table length of VIPs, and their entries of flows when last asked."""

    _connection: ApiConnection
    _room: Room
    known: dict[VipKey, VipDetails] = attrs.field(factory=dict, init=False)
    missing: str = attrs.field(default="", init=False)
    """What is missing since VPP holds too much to be asked, in words; empty: nothing."""
    _remade: set[VipKey] = attrs.field(factory=set, init=False)
    """VIPs that we made or removed since VPP was asked last."""
    _expected: ExpectedServers = attrs.field(factory=ExpectedServers, init=False)
    _leftovers: Counter[tuple[VipKey, Address, int]] = attrs.field(factory=Counter, init=False)
    _rows: Mapping[VipKey, VipRow] = attrs.field(factory=dict, init=False)
    """The last dump. A VIP that has another encapsulation or table length was made anew."""

    async def update(self, vips: Sequence[VipRow], servers: Sequence[ServerRow], *, refresh: bool) -> None:
        """Make what is known fit the dumps; asks VPP only if it must, or is told to, and never for too much.

        Raises:
            DataplaneError: VPP could not be asked.
        """
        now = leftovers(servers)
        new = now - self._leftovers
        await anyio.lowlevel.checkpoint()  # each pass over thousands of servers takes milliseconds
        rows = {row.key: row for row in vips}
        changed = self._expected.differ(rows.keys(), servers)
        changed |= {key for key, row in rows.items() if self._rows.get(key, row) != row}
        asked = False
        if refresh or self.missing or is_outdated(self.known, vips, new_leftovers=bool(changed or new)):
            self._note(await self._too_much(vips, servers))
            if not self.missing:
                await self._refresh()
                asked = True
        if not asked:
            remade = changed | {vip for vip, _server, _removed_s in new}
            listed = rows.keys() - remade
            self.known = {key: details for key, details in self.known.items() if key in listed}
            if self.missing and not in_order(self.known, vips):
                self.known = {}
        self._leftovers, self._rows = now, rows

    def _note(self, missing: str) -> None:
        if missing and not self.missing:
            log.warning("maglevd does not ask VPP for %s", missing)
        self.missing = missing

    async def _too_much(self, vips: Sequence[VipRow], servers: Sequence[ServerRow]) -> str:
        """Say what has to be done without, since VPP would abort over its answer; empty if it would not."""
        names = {row.key for row in vips} | {row.vip for row in servers}
        size = longest_output(max(len(names), self._room.vips), (row.server for row in servers))
        if size <= ASK_FROM:
            return ""
        limit = await self._free_for_replies() * 5 // 6
        why = ""
        if size > limit:
            why = f"and {in_words(limit)} are what its API can carry (api-segment {{ api-size … }})"
        elif lacking := self._room.lacking_for_message(COPIES * size):
            why = lacking
        return f"{MISSING}: {COMMAND!r} would print some {in_words(size)}, {why}" if why else ""

    async def _free_for_replies(self) -> int:
        """Ask what is free of VPP's API segment, in bytes."""
        reply = await self._connection.call("cli_inband", cmd=SEGMENT_COMMAND)
        found = _FREE.search(reply.reply)
        return round(float(found[1]) * UNITS[found[2]]) if found else DEFAULT_FREE

    def follow(self, operation: Operation) -> None:
        """Take an operation of our own that VPP acknowledged."""
        self._expected.follow(operation)
        if isinstance(operation, AddVip | DeleteVip):
            self.known.pop(operation.vip, None)
            self._remade.add(operation.vip)

    async def _refresh(self) -> None:
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
    return not in_order(known, vips)


def in_order(known: Mapping[VipKey, VipDetails], vips: Sequence[VipRow]) -> bool:
    """Tell whether the dump, which is in the order of VPP's indices, agrees with the indices that are known."""
    indices = [known[row.key].index for row in vips if row.key in known]
    return all(earlier < later for earlier, later in pairwise(indices))
