"""One pass over some addresses: plan, send phase by phase, write down what was acknowledged.

A phase of many addresses goes out as one batch, so that a dataplane can pipeline it. An address whose operation fails
gets nothing of its later phases, and the others go on.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, TypeVar

import anyio
import anyio.lowlevel
import attrs

from maglev.api import (
    DataplaneConf,
    DataplaneError,
    Failed,
    NotSent,
    Ok,
    Operation,
    OperationResult,
    Session,
    Unknown,
    VipKey,
)
from maglev.domain.conf import plan_conf
from maglev.domain.desired import DesiredVip
from maglev.domain.plan import Plan, plan_address
from maglev.runtime.describe import describe, kind_of
from maglev.runtime.ledger import Ledger
from maglev.runtime.logging import get_logger

Address = IPv4Address | IPv6Address
_T = TypeVar("_T")

CALL_DEADLINE_S = 30.0
"""Longer than any dataplane's own deadline: only one that breaks its contract is caught by it."""
SLICE = 64
"""Addresses planned and written in one slice of a pass, at most."""
SLICE_SERVERS = 512
"""Servers on them, at most, unless a single address has more: planning costs about 10 µs a server, all in one turn."""

log = get_logger("maglev.reconciler")


class Wanted(Protocol):
    """What the reconciler asks of the controller: what should be, and whether it may be written yet."""

    def addresses(self) -> Collection[Address]:
        """All configured VIP addresses."""
        ...

    def desired(self, address: Address, *, recreate: bool = False) -> Mapping[VipKey, DesiredVip]:
        """What one address should look like now; with `recreate` on the file's own weight steps."""
        ...

    def size(self, address: Address) -> int:
        """How many servers one address should have, those of all its VIPs together."""
        ...

    def conf(self) -> DataplaneConf:
        """What should hold for the whole dataplane."""
        ...

    def names(self, addresses: Collection[Address]) -> tuple[str, ...]:
        """The frontends of some addresses."""
        ...

    def released(self, address: Address) -> bool:
        """Whether the warm-up is over for an address."""
        ...

    def release_all(self) -> None:
        """The dataplane is empty or restarted: there is nothing to protect, so nothing is held back any more."""
        ...

    async def dataplane_changed(self) -> None:
        """What the dataplane holds may have changed: look anew at the frontends that it matters to."""
        ...


@attrs.frozen
class Scope:
    """What a pass is for.

    Args:
        name: `transition`, `periodic`, `operator`, `reload` or `fill`.
        addresses: Which VIP addresses; `None` for everything, addresses that only the dataplane knows included.
        recreate: Also make anew what only that puts right.
        prune: Also remove VIPs that were never configured.
        reread: Read the dataplane first.
    """

    name: str
    addresses: tuple[Address, ...] | None = None
    recreate: bool = False
    prune: bool = False
    reread: bool = False


@attrs.frozen
class Outcome:
    """What a pass did.

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
class Tally:
    """What a pass has done so far."""

    scope: Scope
    started: float = attrs.field(factory=time.perf_counter)
    errors: list[str] = attrs.field(factory=list)
    held: list[Address] = attrs.field(factory=list)
    written: list[Operation] = attrs.field(factory=list)
    failed: set[Address] = attrs.field(factory=set)
    uncertain: bool = False

    def outcome(self) -> Outcome:
        """The same as a value."""
        kinds = Counter(map(kind_of, self.written))
        return Outcome(dict(kinds), tuple(self.errors), tuple(self.held), tuple(self.written))

    @property
    def duration_s(self) -> float:
        """How long the pass has taken, in seconds."""
        return time.perf_counter() - self.started


class Passes:
    """Carries passes out on a session.

    Args:
        ledger: The book of what the dataplane holds.
        wanted: What it should hold.
        observe: Plan and tell, but write nothing.
    """

    def __init__(self, ledger: Ledger, wanted: Wanted, *, observe: bool) -> None:
        self.observe = observe
        self.unsynced: set[Address] = set()
        """Addresses that were not as wanted when last looked at."""
        self._ledger = ledger
        self._wanted = wanted

    async def read(self, session: Session) -> None:
        """Read the dataplane and write it down.

        Raises:
            DataplaneError: It could not be read; the session is then of no more use.
        """
        state = await within_deadline("read", session.read)
        self._ledger.took(state)
        await self._wanted.dataplane_changed()

    async def run(self, session: Session, scope: Scope, between: Callable[[], Awaitable[None]]) -> Tally:
        """Make one pass.

        Args:
            session: The dataplane.
            scope: What for.
            between: Called between slices, so that what is urgent need not wait for the whole pass.

        Raises:
            DataplaneError: The dataplane could not be read.
        """
        tally = Tally(scope)
        if scope.reread or not self._ledger.known:
            await self.read(session)
        if scope.addresses is None:
            await self._conf(session, tally)
        rest = self._in_scope(scope, tally)
        while rest:
            portion = self._portion(rest)
            await self._slice(session, portion, tally)
            rest = rest[len(portion) :]
            if rest:
                await anyio.lowlevel.checkpoint()
                await between()
        if tally.uncertain:
            self._ledger.known = False
        return tally

    def _in_scope(self, scope: Scope, tally: Tally) -> list[Address]:
        if scope.addresses is not None:
            candidates = set(scope.addresses)
        else:
            candidates = {*self._wanted.addresses(), *self._ledger.addresses()}
        tally.held = [address for address in candidates if not self._wanted.released(address)]
        return sorted(candidates.difference(tally.held), key=lambda a: (a.version, int(a)))

    def _portion(self, addresses: Sequence[Address]) -> Sequence[Address]:
        servers = 0
        for count, address in enumerate(addresses[:SLICE]):
            servers += max(self._wanted.size(address), self._ledger.size(address))
            if count and servers > SLICE_SERVERS:
                return addresses[:count]
        return addresses[:SLICE]

    async def _slice(self, session: Session, addresses: Sequence[Address], tally: Tally) -> None:
        plans = [self._plan(address, tally.scope) for address in addresses]
        self.unsynced.difference_update(addresses)
        self.unsynced.update(plan.address for plan in plans if any(plan.phases))
        # Taken off before writing: a reload in the middle puts its VIPs back on, and must not be forgotten with them.
        rebuilding = {key for key in self._ledger.rebuild if key.address in addresses}
        self._ledger.rebuild -= rebuilding
        done: set[Address] = set()
        try:
            for phase in _phases(plans):
                ready = [(plan, operation) for plan, operation in phase if plan.address not in tally.failed]
                if ready:
                    await self._send(session, ready, tally)
            if not self.observe:
                done = {plan.address for plan in plans} - tally.failed
        finally:
            self._ledger.rebuild |= {key for key in rebuilding if key.address not in done}
        self.unsynced.difference_update(done)

    def _plan(self, address: Address, scope: Scope) -> Plan:
        desired = self._wanted.desired(address, recreate=scope.recreate)
        actual = self._ledger.at(address)
        rebuild = {*desired, *actual} if scope.recreate else self._ledger.rebuild
        plan = plan_address(
            address,
            desired,
            actual,
            recreate=rebuild,
            owned=self._ledger.owned,
            prune=scope.prune,
        )
        self._note_drift(address, plan)
        return plan

    def _note_drift(self, address: Address, plan: Plan) -> None:
        before = self._ledger.drift.get(address, ())
        if plan.drift != before:
            for drift in plan.drift:
                log.warning("drift", vip=str(drift.vip), what=drift.what)
        if plan.drift:
            self._ledger.drift[address] = plan.drift
        else:
            self._ledger.drift.pop(address, None)

    async def _conf(self, session: Session, tally: Tally) -> None:
        conf = plan_conf(
            self._wanted.conf(),
            self._ledger.conf or DataplaneConf(),
            empty=not self._ledger.addresses(),
            recreate=tally.scope.recreate or self._ledger.rebuild_conf,
        )
        if conf.drift and conf.drift != self._ledger.conf_drift:
            log.warning("drift", what=conf.drift)
        self._ledger.conf_drift = conf.drift
        if conf.operation is None:
            return
        rebuilding, self._ledger.rebuild_conf = self._ledger.rebuild_conf, False
        done = False
        try:
            await self._send(session, [(None, conf.operation)], tally)
            done = not self.observe and not tally.errors
        finally:
            self._ledger.rebuild_conf |= rebuilding and not done

    async def _send(self, session: Session, phase: Sequence[tuple[Plan | None, Operation]], tally: Tally) -> None:
        operations = [operation for _plan, operation in phase]
        tally.written += operations
        if self.observe:
            for operation in operations:
                log.info("would-write", operation=describe(operation))
            return
        results = await self._apply(session, operations)
        for (plan, operation), result in zip(phase, results, strict=True):
            self._note(plan, operation, result, tally)

    async def _apply(self, session: Session, operations: Sequence[Operation]) -> Sequence[OperationResult]:
        try:
            return await within_deadline("write", lambda: session.apply(operations))
        except DataplaneError as error:
            return [Unknown(str(error))] * len(operations)

    def _note(self, plan: Plan | None, operation: Operation, result: OperationResult, tally: Tally) -> None:
        match result:
            case Ok():
                self._ledger.acknowledged(operation)
                log.debug("wrote", operation=describe(operation))
                return
            case Failed(error=error):
                tally.errors.append(f"{describe(operation)}: {error}")
            case Unknown(why=why):
                tally.errors.append(f"{describe(operation)}: no answer: {why}")
            case NotSent():
                tally.errors.append(f"{describe(operation)}: not sent")
        tally.uncertain = True
        if plan is not None:
            tally.failed.add(plan.address)


def _phases(plans: Sequence[Plan]) -> Iterator[list[tuple[Plan, Operation]]]:
    for number in range(max((len(plan.phases) for plan in plans), default=0)):
        yield [(plan, operation) for plan in plans if number < len(plan.phases) for operation in plan.phases[number]]


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
