"""One sync run over some addresses: plan, send phase by phase, follow what was acknowledged.

A phase of many addresses goes out as one batch, so that a dataplane can pipeline it. An address whose operation fails
gets nothing of its later phases, and the others go on. What to write is decided on the State that the run is given: on
a fork, with a session that acknowledges everything, it tells what it would do on the live one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, TypeVar

import anyio
import anyio.lowlevel
import attrs

from maglev.api import (
    DataplaneError,
    DataplaneState,
    Failed,
    NotSent,
    Ok,
    Operation,
    OperationResult,
    Unknown,
)
from maglev.domain.describe import describe, kind_of
from maglev.domain.plan import Plan
from maglev.domain.state import sync
from maglev.domain.state.sync import SyncRequest
from maglev.runtime.logging import get_logger
from maglev.runtime.state_store import Store

Address = IPv4Address | IPv6Address
_T = TypeVar("_T")

CALL_DEADLINE_S = 30.0
"""Longer than any dataplane's own deadline: only one that breaks its contract is caught by it."""
PORTION = 64
"""Addresses planned and written in one portion of a run, at most."""
PORTION_SERVERS = 512
"""Servers on them, at most, unless a single address has more: planning costs about 10 µs a server, all in one turn."""
_MEMBERS_A_TURN = 1000
"""To assess one takes about 2.5 µs, and the loop is to turn every few milliseconds."""

log = get_logger("maglev.reconciler")


class Writer(Protocol):
    """The part of a session that a run needs."""

    async def read(self) -> DataplaneState:
        """Read everything the dataplane holds."""
        ...

    async def apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        """Apply one phase."""
        ...


@attrs.frozen
class SyncOutcome:
    """The result of a run.

    Args:
        operations: How many operations by kind.
        errors: What was refused or unanswered, in words.
        held: Addresses left alone since the warm-up is not over for them.
        written: The operations themselves (or, when observing, what they would be).
    """

    operations: Mapping[str, int] = attrs.field(factory=dict)
    errors: tuple[str, ...] = ()
    held: tuple[Address, ...] = ()
    written: tuple[Operation, ...] = ()


@attrs.define
class SyncProgress:
    """The progress of a run."""

    request: SyncRequest
    started: float = attrs.field(factory=time.perf_counter)
    errors: list[str] = attrs.field(factory=list)
    held: list[Address] = attrs.field(factory=list)
    written: list[Operation] = attrs.field(factory=list)
    failed: set[Address] = attrs.field(factory=set)

    def outcome(self) -> SyncOutcome:
        """The same as a value."""
        kinds = Counter(map(kind_of, self.written))
        return SyncOutcome(dict(kinds), tuple(self.errors), tuple(self.held), tuple(self.written))

    @property
    def duration_s(self) -> float:
        """The time since the start of the run, in seconds."""
        return time.perf_counter() - self.started


async def _nothing() -> None:
    """Nothing is urgent between portions."""


class SyncRun:
    """Carries sync runs out.

    Args:
        store: The State that decides, and that follows what is written.
        observe: Plan and tell, but write nothing.
    """

    def __init__(self, store: Store, *, observe: bool = False) -> None:
        self.observe = observe
        self.writing: Sequence[Address] = ()
        """The addresses of the portion that is written; after a run that was broken off, of its last one."""
        self._store = store

    async def read(self, writer: Writer) -> None:
        """Read the dataplane, and look anew at the frontends that it matters to, in slices.

        Raises:
            DataplaneError: It could not be read; the session is then of no more use.
        """
        held = await within_deadline("read", writer.read)
        self._store.step(sync.dataplane_read, held, writing=not self.observe)
        members = 0
        for name in sync.stale_frontends(self._store.state):
            self._store.step(sync.reassess_frontend, name)
            members += len(self._store.state.assessments[name].members)
            if members >= _MEMBERS_A_TURN:
                members = 0
                await anyio.lowlevel.checkpoint()

    async def run(
        self,
        writer: Writer,
        request: SyncRequest,
        between: Callable[[], Awaitable[None]] = _nothing,
        *,
        divisor: int = 1,
    ) -> SyncProgress:
        """Carry one run out.

        Args:
            writer: The dataplane.
            request: The addresses and the scope of the run.
            between: Called between portions, so that what is urgent need not wait for the whole run.
            divisor: By how much the portions are to be smaller than usual.

        Raises:
            DataplaneError: The dataplane could not be read.
        """
        progress = SyncProgress(request)
        if request.reread or not self._store.state.dataplane.known:
            await self.read(writer)
        if request.conf:
            await self._conf(writer, progress)
        rest, progress.held = sync.in_scope(self._store.state, request)
        while rest:
            portion = self._portion(rest, divisor)
            self.writing = portion
            await self._write_portion(writer, portion, progress)
            rest = rest[len(portion) :]
            if rest:
                await anyio.lowlevel.checkpoint()
                await between()
        self.writing = ()
        if progress.errors:
            self._store.step(sync.uncertain)
        return progress

    def _portion(self, addresses: Sequence[Address], divisor: int) -> Sequence[Address]:
        servers = 0
        longest = max(1, PORTION // divisor)
        for count, address in enumerate(addresses[:longest]):
            servers += self._store.state.size(address)
            if count and servers > PORTION_SERVERS // divisor:
                return addresses[:count]
        return addresses[:longest]

    async def _write_portion(self, writer: Writer, addresses: Sequence[Address], progress: SyncProgress) -> None:
        state, request = self._store.state, progress.request
        plans = [sync.plan(state, address, request) for address in addresses]
        rebuilding = [key for key in state.dataplane.rebuild if key.address in addresses]
        self._store.step(sync.planned, plans, recreate=request.recreate, writing=not self.observe)
        done: set[Address] = set()
        try:
            for phase in _phases(plans):
                ready = [(address, operation) for address, operation in phase if address not in progress.failed]
                if ready:
                    await self._send(writer, ready, progress)
            if not self.observe:
                done = {plan.address for plan in plans} - progress.failed
        finally:
            undone = [key for key in rebuilding if key.address not in done]
            self._store.step(sync.written, done, undone)

    async def _conf(self, writer: Writer, progress: SyncProgress) -> None:
        state = self._store.state
        plan, rebuilding = sync.plan_for_conf(state, progress.request), state.dataplane.rebuild_conf
        self._store.step(sync.conf_planned, plan, writing=not self.observe)
        if plan.operation is None:
            return
        done = False
        try:
            await self._send(writer, [(None, plan.operation)], progress)
            done = not progress.errors
        finally:
            if rebuilding and not done:
                self._store.step(sync.conf_not_written)

    async def _send(
        self, writer: Writer, phase: Sequence[tuple[Address | None, Operation]], progress: SyncProgress
    ) -> None:
        operations = [operation for _address, operation in phase]
        progress.written += operations
        if self.observe:
            for operation in operations:
                log.info("would-write", operation=describe(operation))
            return
        results = await _apply(writer, operations)
        for (address, operation), result in zip(phase, results, strict=True):
            self._follow(address, operation, result, progress)

    def _follow(
        self, address: Address | None, operation: Operation, result: OperationResult, progress: SyncProgress
    ) -> None:
        match result:
            case Ok() if self._store.state.dataplane.expects(operation):
                self._store.step(sync.acknowledged, operation)
                return
            case Ok():
                progress.errors.append(f"{describe(operation)}: done on a VIP that another client created meanwhile")
            case Failed(error=error):
                progress.errors.append(f"{describe(operation)}: {error}")
            case Unknown(why=why):
                progress.errors.append(f"{describe(operation)}: no answer: {why}")
            case NotSent():
                # Of one that follows a failure at the same address, there is nothing to be told.
                if address not in progress.failed:
                    progress.errors.append(f"{describe(operation)}: not sent")
        if address is not None:
            progress.failed.add(address)


async def _apply(writer: Writer, operations: Sequence[Operation]) -> Sequence[OperationResult]:
    try:
        return await within_deadline("write", lambda: writer.apply(operations))
    except DataplaneError as error:
        return [Unknown(str(error))] * len(operations)


def _phases(plans: Sequence[Plan]) -> Iterator[list[tuple[Address, Operation]]]:
    for number in range(max((len(plan.phases) for plan in plans), default=0)):
        yield [
            (plan.address, operation)
            for plan in plans
            if number < len(plan.phases)
            for operation in plan.phases[number]
        ]


async def within_deadline(what: str, call: Callable[[], Awaitable[_T]]) -> _T:
    """Await a call to a dataplane, but not for ever.

    Raises:
        DataplaneError: It did not return in time.
    """
    try:
        with anyio.fail_after(CALL_DEADLINE_S):
            return await call()
    except TimeoutError:
        raise DataplaneError(f"{what}: no answer within {CALL_DEADLINE_S:g} s") from None
