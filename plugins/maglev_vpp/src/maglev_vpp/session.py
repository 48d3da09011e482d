"""One session with VPP: reads its state and counters, and applies operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import attrs

from maglev.api import (
    AddVip,
    DataplaneError,
    DataplaneFindings,
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
    SetConf,
    Unknown,
    VipCounters,
    VipKey,
)
from maglev_vpp.calls import Call
from maglev_vpp.codec import retval_of
from maglev_vpp.connection import ApiConnection
from maglev_vpp.counters import RouteIndices, read_counters
from maglev_vpp.dumps import ServerRow, VipRow, conf_of, server_row, vip_row, vip_states
from maglev_vpp.leaks import Leaks
from maglev_vpp.memory import BUCKET, ROW
from maglev_vpp.messages import name_of
from maglev_vpp.requests import Request, request
from maglev_vpp.room import Room
from maglev_vpp.routes import RouteWatch
from maglev_vpp.show_vips import SERVERS_IN_SUMMARY, SUMMARY_COMMAND
from maglev_vpp.stats import StatsReader
from maglev_vpp.vip_details import VipDetailsCache

BATCH = 64
"""Operations written, and rows decoded, in one turn of the event loop: about a millisecond."""

_T = TypeVar("_T")


class VppSession:
    """A `maglev.api.Session`. There are no statistics where they are switched off; `leaks` is of all sessions."""

    def __init__(self, connection: ApiConnection, stats: StatsReader | None, info: DataplaneInfo, leaks: Leaks) -> None:
        self.info = self._info = info
        self.api_counts = connection.counts
        self._connection = connection
        self._stats = stats
        self._room = Room(stats)
        self._details = VipDetailsCache(connection, self._room)
        self._routes = RouteIndices(connection)
        self._leaks = leaks
        self._leaks.connected(info.boot_id)
        self._watch = RouteWatch(connection)
        self._vips: set[VipKey] = set()
        self._reading = anyio.Lock()

    # ------------------------------------------------------------------------------------------------ reading

    async def read(self, *, details: bool = False) -> DataplaneState:
        """Read everything; with `details` also the entries of each server, from VPP's command line."""
        async with self._reading:
            conf = conf_of(await self._connection.call("lb_conf_get"))
            vips, servers = await self._dumps(refresh=details)
            with self._one_unit():
                await self._room.found(conf, len(vips) + len(servers))
            await anyio.lowlevel.checkpoint()
            states = vip_states(
                self._details.known, vips, servers, entries=details, partial=bool(self._details.missing)
            )
            self._vips = set(states)
            self._leaks.found(states)
            await self._watch.look(
                {server for state in states.values() for server in state.servers}, everything=details
            )
            return DataplaneState(states, conf)

    @property
    def findings(self) -> DataplaneFindings:
        """The findings of the last read of VPP."""
        unrouted = tuple(sorted(self._watch.unrouted, key=lambda each: (each.version, each.packed)))
        return DataplaneFindings(unrouted, self._leaks.lost_bytes)

    async def _dumps(self, *, refresh: bool) -> tuple[Sequence[VipRow], Sequence[ServerRow]]:
        vips = await self._rows("lb_vip_dump", "lb_vip_details", vip_row)
        if lacking := await self._lacking_for_dump(vips):
            raise DataplaneError(f"VPP's servers cannot be listed without harm: {lacking}")
        servers = await self._rows("lb_as_v2_dump", "lb_as_v2_details", server_row)
        await self._details.update(vips, servers, refresh=refresh)
        missing = (*self._info.missing, self._details.missing) if self._details.missing else self._info.missing
        self.info = attrs.evolve(self._info, missing=missing)
        return vips, servers

    async def _lacking_for_dump(self, vips: Sequence[VipRow]) -> str:
        """Say why VPP has no memory for the dump of its servers; empty if it has. Asks how many where it matters."""
        with self._one_unit():
            await self._room.look()
            most = self._room.most_servers(BUCKET * sum(row.table_length for row in vips))
            if not self._room.lacking_for_message(ROW * most):
                return ""
        reply = await self._connection.call("cli_inband", cmd=SUMMARY_COMMAND)
        count = SERVERS_IN_SUMMARY.search(reply.reply)
        return self._room.lacking_for_message(ROW * int(count[1])) if count else ""

    @contextmanager
    def _one_unit(self) -> Iterator[None]:
        """Take API and statistics as one unit: a VPP that lost one of them is not trusted."""
        try:
            yield
        except DataplaneError as error:
            self._connection.lose(LostKind.SILENT, str(error))
            raise

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
        """Apply operations, pipelined and in order; those that VPP has no memory for are refused."""
        results: list[OperationResult] = []
        for of_conf, operations in groupby(phase, lambda operation: isinstance(operation, SetConf)):
            if of_conf:
                results += [await self._set_conf(each) for each in operations if isinstance(each, SetConf)]
            else:
                results += await self._apply([*operations])
        return results

    async def _apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        try:
            with self._one_unit():
                refused = await self._room.refuse(phase)
        except DataplaneError:
            return [NotSent()] * len(phase)
        sent: list[Call | OperationResult] = []
        for at in range(0, len(phase), BATCH):
            await self._connection.until_writable()
            if at:
                await anyio.lowlevel.checkpoint()
            batch = range(at, min(at + BATCH, len(phase)))
            sent += self._send([request(phase[n]) if n not in refused else refused[n] for n in batch])
        return [await self._result(*pair) for pair in zip(phase, sent, strict=True)]

    async def _set_conf(self, operation: SetConf) -> OperationResult:
        """Set the configuration; all but the sticky buckets where these do not fit, which is a failure all the same."""
        buckets = operation.conf.sticky_buckets_per_core
        try:
            with self._one_unit():
                lacking = await self._room.lacking_for_flows(buckets)
        except DataplaneError:
            return NotSent()
        (sent,) = self._send([request(operation, keep_buckets=bool(lacking))])
        result = await self._result(operation, sent)
        if not isinstance(result, Ok):
            return result
        if lacking:
            return Failed(f"INVALID_MEMORY_SIZE: {buckets} sticky buckets are not set: {lacking}")
        with suppress(DataplaneError), self._one_unit():
            await self._room.resized(buckets)
        return result

    def _send(self, requests: Sequence[Request | OperationResult]) -> list[Call | OperationResult]:
        if self._connection.lost_reason is not None:
            return [NotSent()] * len(requests)
        calls = iter(self._connection.send_all([each for each in requests if isinstance(each, tuple)]))
        return [next(calls) if isinstance(each, tuple) else each for each in requests]

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
            if isinstance(operation, AddVip):
                self._vips.add(operation.vip)
                self._leaks.added(operation.vip, operation.attributes.table_length)
            else:
                self._vips.discard(operation.vip)
                self._leaks.removed(operation.vip)
        return Ok()

    # ------------------------------------------------------------------------------------------------ counters

    async def counters(self) -> Sequence[VipCounters]:
        """Read what each VIP carried; empty where VPP's statistics are switched off."""
        self._connection.check()
        if self._stats is None:
            return ()
        async with self._reading:
            if not self._details.missing and not self._vips <= self._details.known.keys():
                await self._dumps(refresh=True)
            details = self._details.known
            routes = await self._routes.get(details)
            with self._one_unit():
                return await read_counters(self._stats, details, sorted(self._vips & details.keys()), routes)

    async def lost(self) -> LostReason:
        """Wait until the connection is lost; returns why."""
        return await self._connection.lost()
