"""Keeps what only VPP's command line tells, so that it is asked seldom: it may stop VPP's workers while it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import anyio.lowlevel

from maglev.api import DataplaneError, VipKey
from maglev_vpp.addresses import Address
from maglev_vpp.channel import Channel
from maglev_vpp.reading import Ghosts, Mark, ServerRow, VipRow, ghosts, marks_are_stale
from maglev_vpp.retvals import name_of
from maglev_vpp.verbose import COMMAND, VipText, blocks, parse

SLICE = 100
"""VIPs read in one turn of the event loop."""

Flows = Mapping[VipKey, Mapping[Address, int]]


class Marks:
    """The sticky flag, number and exact table length of VIPs.

    Args:
        channel: Where to ask.
    """

    def __init__(self, channel: Channel) -> None:
        self.known: dict[VipKey, Mark] = {}
        self._channel = channel
        self._ghosts: Ghosts = Counter()

    async def complete(self, vips: Sequence[VipRow], servers: Sequence[ServerRow], *, flows: bool) -> Flows:
        """Make sure that what is known fits a dump.

        Args:
            vips: The dump of VIPs.
            servers: The dump of servers.
            flows: Ask in any case, for the numbers of established flows.

        Returns:
            Established flows by VIP and server; empty if they were not asked for.

        Raises:
            DataplaneError: VPP could not be asked.
        """
        now = ghosts(servers)
        if flows or marks_are_stale(self.known, vips, haunted=bool(now - self._ghosts)):
            texts = await self.ask()
            self._ghosts = now
            return {text.key: text.flows for text in texts} if flows else {}
        self._ghosts = now
        listed = {row.key for row in vips}
        self.known = {key: mark for key, mark in self.known.items() if key in listed}
        return {}

    async def ask(self) -> Sequence[VipText]:
        """Ask VPP, and remember.

        Raises:
            DataplaneError: It could not be asked.
        """
        reply = await self._channel.call("cli_inband", cmd=COMMAND)
        if reply.retval < 0:
            raise DataplaneError(f"VPP refused {COMMAND!r}: {name_of(reply.retval)}: {reply.reply.strip()}")
        texts = []
        try:
            for number, block in enumerate(blocks(reply.reply)):
                if number % SLICE == SLICE - 1:
                    await anyio.lowlevel.checkpoint()
                if (text := parse(block)) is not None:
                    texts.append(text)
        except ValueError as error:
            raise DataplaneError(f"what VPP's command line says cannot be understood: {error}") from error
        self.known = {text.key: Mark.of(text) for text in texts}
        return texts

    async def about(self, vips: Collection[VipKey]) -> Mapping[VipKey, Mark]:
        """Tell of some VIPs, asking VPP if one of them is not known.

        Raises:
            DataplaneError: VPP could not be asked.
        """
        if not self.known.keys() >= set(vips):
            await self.ask()
        return self.known

    def forget(self, vip: VipKey) -> None:
        """We made or removed this VIP: what was known of it no longer holds."""
        self.known.pop(vip, None)
