"""One session with VPP: reads it, writes to it, counts, and knows when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from maglev.api import (
    AddVip,
    DataplaneError,
    DataplaneInfo,
    DataplaneState,
    DeleteVip,
    Failed,
    LostKind,
    LostReason,
    NotSent,
    Ok,
    Operation,
    OperationResult,
    Unknown,
    VipCounters,
    VipKey,
)
from maglev_vpp.calls import Call
from maglev_vpp.channel import Channel
from maglev_vpp.counters import Routes, read_counters
from maglev_vpp.marks import Marks
from maglev_vpp.reading import conf_of, server_row, vip_row, vip_states
from maglev_vpp.retvals import name_of
from maglev_vpp.statseg import Statistics
from maglev_vpp.wire import RETVAL, RETVAL_AT
from maglev_vpp.writing import request

BATCH = 64
"""Operations written, and rows read, in one turn of the event loop: about a millisecond."""

_T = TypeVar("_T")


class VppSession:
    """A `maglev.api.Session`.

    Args:
        channel: The connection to VPP's API.
        statistics: VPP's statistics; `None` where they are switched off.
        info: Who answered.
    """

    def __init__(self, channel: Channel, statistics: Statistics | None, info: DataplaneInfo) -> None:
        self.info = info
        self._channel = channel
        self._statistics = statistics
        self._marks = Marks(channel)
        self._routes = Routes(channel)
        self._vips: set[VipKey] = set()
        self._reading = anyio.Lock()

    @property
    def api_counts(self) -> Counter[tuple[str, str, str]]:
        """Messages of the API so far, by (name, `tx` or `rx`, `ok` or `error`)."""
        return self._channel.traffic

    # ------------------------------------------------------------------------------------------------ reading

    async def read(self, *, details: bool = False) -> DataplaneState:
        """Read everything; with `details` VPP's command line is asked for the established flows."""
        async with self._reading:
            conf = conf_of(await self._channel.call("lb_conf_get"))
            vips = await self._rows("lb_vip_dump", "lb_vip_details", vip_row)
            servers = await self._rows("lb_as_v2_dump", "lb_as_v2_details", server_row)
            flows = await self._marks.complete(vips, servers, flows=details)
            states = vip_states(self._marks.known, vips, servers, flows)
            self._vips = set(states)
            return DataplaneState(states, conf)

    async def _rows(self, name: str, details: str, read: Callable[[Any], _T | None]) -> list[_T]:
        rows = []
        # Without a filter: VPP ignores that of VIPs, and answers nothing to one of servers by an IPv4 prefix.
        for number, message in enumerate(await self._channel.dump(name, details)):
            if number % BATCH == BATCH - 1:
                await anyio.lowlevel.checkpoint()
            if (row := read(self._channel.read(details, message))) is not None:
                rows.append(row)
        return rows

    # ------------------------------------------------------------------------------------------------ writing

    async def apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        """Apply operations, pipelined and in order."""
        waiting: list[Call | OperationResult] = []
        for at in range(0, len(phase), BATCH):
            await self._channel.room()
            if at:
                await anyio.lowlevel.checkpoint()
            waiting += self._send(phase[at : at + BATCH])
        return [await self._outcome(*pair) for pair in zip(phase, waiting, strict=True)]

    def _send(self, operations: Sequence[Operation]) -> list[Call | OperationResult]:
        if self._channel.reason is not None:
            return [NotSent()] * len(operations)
        outcomes = [request(operation) for operation in operations]
        calls = iter(self._channel.send_all([outcome for outcome in outcomes if not isinstance(outcome, Failed)]))
        return [outcome if isinstance(outcome, Failed) else next(calls) for outcome in outcomes]

    async def _outcome(self, operation: Operation, waiting: Call | OperationResult) -> OperationResult:
        if not isinstance(waiting, Call):
            return waiting
        try:
            answer = await waiting.answer()
        except DataplaneError as error:
            return Unknown(str(error))
        retval: int = RETVAL.unpack_from(answer, RETVAL_AT)[0]
        if retval < 0:
            return Failed(name_of(retval))
        self._note(operation)
        return Ok()

    def _note(self, operation: Operation) -> None:
        if isinstance(operation, AddVip | DeleteVip):
            self._marks.forget(operation.vip)
            (self._vips.add if isinstance(operation, AddVip) else self._vips.discard)(operation.vip)

    # ------------------------------------------------------------------------------------------------ counting

    async def counters(self) -> Sequence[VipCounters]:
        """Read what each VIP carried; empty where VPP's statistics are switched off."""
        self._channel.check()
        if self._statistics is None:
            return ()
        async with self._reading:
            marks = await self._marks.about(self._vips)
            self._vips &= marks.keys()
            routes = await self._routes.of(marks)
            try:
                return await read_counters(self._statistics, marks, sorted(self._vips), routes)
            except DataplaneError as error:
                # The API and the statistics are one unit: what is left of a VPP that lost one of them is not trusted.
                self._channel.lose(LostKind.SILENT, str(error))
                raise

    # ------------------------------------------------------------------------------------------------- the end

    async def lost(self) -> LostReason:
        """Wait until the connection is gone, and tell why."""
        return await self._channel.lost()
