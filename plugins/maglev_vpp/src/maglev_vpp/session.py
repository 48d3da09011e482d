"""One session with VPP: reads its state and counters, and applies operations."""

from __future__ import annotations

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
from maglev_vpp.codec import retval_of
from maglev_vpp.connection import ApiConnection
from maglev_vpp.counters import RouteIndices, read_counters
from maglev_vpp.dumps import conf_of, server_row, vip_row, vip_states
from maglev_vpp.messages import name_of
from maglev_vpp.requests import request
from maglev_vpp.stats import StatsReader
from maglev_vpp.vip_details import VipDetailsCache

BATCH = 64
"""Operations written, and rows decoded, in one turn of the event loop: about a millisecond."""

_T = TypeVar("_T")


class VppSession:
    """A `maglev.api.Session`. There are no statistics where they are switched off."""

    def __init__(self, connection: ApiConnection, stats: StatsReader | None, info: DataplaneInfo) -> None:
        self.info = info
        self.api_counts = connection.counts
        self._connection = connection
        self._stats = stats
        self._details = VipDetailsCache(connection)
        self._routes = RouteIndices(connection)
        self._vips: set[VipKey] = set()
        self._reading = anyio.Lock()

    # ------------------------------------------------------------------------------------------------ reading

    async def read(self, *, details: bool = False) -> DataplaneState:
        """Read everything; with `details` also the entries of each server, from VPP's command line."""
        async with self._reading:
            conf = conf_of(await self._connection.call("lb_conf_get"))
            vips = await self._rows("lb_vip_dump", "lb_vip_details", vip_row)
            servers = await self._rows("lb_as_v2_dump", "lb_as_v2_details", server_row)
            await self._details.update(vips, servers, refresh=details)
            states = vip_states(self._details.known, vips, servers, entries=details)
            self._vips = set(states)
            return DataplaneState(states, conf)

    async def _rows(self, name: str, details: str, convert: Callable[[Any], _T | None]) -> list[_T]:
        rows = []
        # No filter: VPP ignores that of VIPs, and returns nothing for one of servers by an IPv4 prefix.
        for number, message in enumerate(await self._connection.dump(name, details)):
            if number % BATCH == BATCH - 1:
                await anyio.lowlevel.checkpoint()
            if (row := convert(self._connection.codec.decode(details, message))) is not None:
                rows.append(row)
        return rows

    # ------------------------------------------------------------------------------------------------ writing

    async def apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        """Apply operations, pipelined and in order."""
        sent: list[Call | OperationResult] = []
        for at in range(0, len(phase), BATCH):
            await self._connection.until_writable()
            if at:
                await anyio.lowlevel.checkpoint()
            sent += self._send(phase[at : at + BATCH])
        return [await self._result(*pair) for pair in zip(phase, sent, strict=True)]

    def _send(self, operations: Sequence[Operation]) -> list[Call | OperationResult]:
        if self._connection.lost_reason is not None:
            return [NotSent()] * len(operations)
        requests = [request(operation) for operation in operations]
        calls = iter(self._connection.send_all([each for each in requests if not isinstance(each, Failed)]))
        return [each if isinstance(each, Failed) else next(calls) for each in requests]

    async def _result(self, operation: Operation, sent: Call | OperationResult) -> OperationResult:
        if not isinstance(sent, Call):
            return sent
        try:
            retval = retval_of(await sent.reply())
        except DataplaneError as error:
            return Unknown(str(error))
        if retval is None:
            return Unknown(f"VPP's reply to {sent.name} is too short")
        if retval < 0:
            return Failed(name_of(retval))
        self._details.follow(operation)
        if isinstance(operation, AddVip | DeleteVip):
            (self._vips.add if isinstance(operation, AddVip) else self._vips.discard)(operation.vip)
        return Ok()

    # ------------------------------------------------------------------------------------------------ counters

    async def counters(self) -> Sequence[VipCounters]:
        """Read what each VIP carried; empty where VPP's statistics are switched off."""
        self._connection.check()
        if self._stats is None:
            return ()
        async with self._reading:
            if not self._vips <= self._details.known.keys():
                await self._details.refresh()
            details = self._details.known
            self._vips &= details.keys()
            routes = await self._routes.get(details)
            try:
                return await read_counters(self._stats, details, sorted(self._vips), routes)
            except DataplaneError as error:
                # API and statistics are one unit: a VPP that lost one of them is not trusted.
                self._connection.lose(LostKind.SILENT, str(error))
                raise

    async def lost(self) -> LostReason:
        """Wait until the connection is lost; returns why."""
        return await self._connection.lost()
