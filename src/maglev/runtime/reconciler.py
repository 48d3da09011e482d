"""Makes the dataplane what it should be: connects, and makes passes one after another. The only writer there is.

Three things start a pass: a transition, which costs its own writes only; the periodic sync, over everything, in slices
that let transitions through; and an operator's (or a reload's) request, whose outcome is waited for.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import anyio
import attrs

from maglev.api import (
    CountsMessages,
    Dataplane,
    DataplaneChange,
    DataplaneError,
    DataplaneEvent,
    DataplaneState,
    NotConnected,
    Session,
    SyncEvent,
    VipCounters,
)
from maglev.runtime.bus import Bus
from maglev.runtime.ledger import Address, Ledger
from maglev.runtime.logging import get_logger
from maglev.runtime.passes import Outcome, Passes, Scope, Tally, Wanted, within_deadline

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 5.0
"""Back-off between attempts to connect."""
STEADY_S, AGAIN_S = 5.0, 0.1
"""A session that lasted this long is made anew almost at once; less than that, and there may be something wrong."""
RETRY_FIRST_S, RETRY_LONGEST_S = 1.0, 60.0
"""Back-off for an address whose operations failed."""

_T = TypeVar("_T")
log = get_logger("maglev.reconciler")


@attrs.define(eq=False)
class _Request:
    scope: Scope
    done: anyio.Event = attrs.field(factory=anyio.Event)
    outcome: Outcome | None = None


@attrs.define
class Retries:
    """When addresses whose operations failed are tried again.

    Args:
        clock_s: A monotonic clock in seconds.
    """

    clock_s: Callable[[], float]
    _due: dict[Address, tuple[float, float]] = attrs.field(factory=dict)

    def note(self, tried: Iterable[Address], failed: Collection[Address]) -> None:
        """Note how a pass went; a failure doubles the wait, a success forgets it."""
        for address in tried:
            delay, _at = self._due.pop(address, (RETRY_FIRST_S / 2, 0.0))
            if address in failed:
                delay = min(delay * 2, RETRY_LONGEST_S)
                self._due[address] = (delay, self.clock_s() + delay)

    def due(self) -> list[Address]:
        """The addresses to try again now."""
        now = self.clock_s()
        return [address for address, (_delay, at) in self._due.items() if at <= now]

    def waiting(self, address: Address) -> bool:
        """Whether an address waits for its next try."""
        return address in self._due and self._due[address][1] > self.clock_s()

    def next_s(self) -> float | None:
        """When the next try is due, on the clock."""
        return min((at for _delay, at in self._due.values()), default=None)

    def clear(self) -> None:
        """Try everything at once."""
        self._due.clear()


class Reconciler:
    """Keeps one dataplane as wanted, and connects again when it is lost.

    Args:
        dataplane: What to keep.
        ledger: The book of what it holds.
        wanted: What it should hold.
        bus: Where events go.
        sync_interval_s: Time between periodic passes, in seconds.
        observe: Plan and tell, but write nothing.
    """

    def __init__(
        self,
        dataplane: Dataplane,
        ledger: Ledger,
        wanted: Wanted,
        bus: Bus,
        *,
        sync_interval_s: float,
        observe: bool = False,
    ) -> None:
        self.dataplane = dataplane
        self.ledger = ledger
        self.sync_interval_s = sync_interval_s
        self.session: Session | None = None
        self.detail = "not connected yet"
        self.connected_at_ns: int | None = None
        self.operations: Counter[tuple[str, str]] = Counter()
        """Operations sent so far, by (scope, kind), and under the kind `error` those that failed."""
        self.passes = Passes(ledger, wanted, observe=observe)
        self._wanted = wanted
        self._bus = bus
        self._boot_id: str | None = None
        self._serving: Session | None = None
        self._counted: Counter[tuple[str, str, str]] = Counter()
        self._dirty: dict[Address, None] = {}
        self._requests: deque[_Request] = deque()
        self._retries = Retries(time.monotonic)
        self._next_periodic_s = 0.0
        self._since_s = 0.0
        self._wake = anyio.Event()

    def mark(self, addresses: Iterable[Address]) -> None:
        """Have some addresses looked at soon: a transition touched them, or they were released."""
        self._dirty.update(dict.fromkeys(addresses))
        self._wake.set()

    def in_sync(self, address: Address) -> bool | None:
        """Whether an address was as wanted at the last look; `None` while nothing is known."""
        if self.session is None or not self.ledger.known:
            return None
        return not (address in self.passes.unsynced or address in self._dirty or address in self.ledger.drift)

    async def settle(self, scope: Scope) -> Outcome:
        """Have a pass made now and wait for it.

        Raises:
            NotConnected: There is no connection, or it was lost meanwhile. What is wanted stands, and will be done.
        """
        if self.session is None:
            self.mark(self._wanted.addresses() if scope.addresses is None else scope.addresses)
            raise self._not_connected()
        request = _Request(scope)
        self._requests.append(request)
        self._wake.set()
        await request.done.wait()
        if request.outcome is None:
            raise self._not_connected()
        return request.outcome

    async def read(self, *, details: bool) -> DataplaneState:
        """Read the dataplane afresh, for somebody to look at.

        Raises:
            NotConnected: There is no connection.
            DataplaneError: It could not be read.
        """
        return await self._ask("read", lambda session: session.read(details=details))

    async def counters(self) -> Sequence[VipCounters]:
        """Read what each VIP carried. Raises as `read`."""
        return await self._ask("counters", lambda session: session.counters())

    async def _ask(self, what: str, call: Callable[[Session], Awaitable[_T]]) -> _T:
        session = self.session
        if session is None:
            raise self._not_connected()
        return await within_deadline(what, lambda: call(session))

    def api_messages(self) -> Mapping[tuple[str, str, str], int]:
        """Messages of all sessions so far, by (message, `tx` or `rx`, `ok` or `error`)."""
        return self._counted + _api_counts(self._serving)

    def _not_connected(self) -> NotConnected:
        return NotConnected(f"no connection to the dataplane {self.dataplane.name}: {self.detail}")

    async def run(self) -> None:
        """Keep the dataplane as wanted until cancelled; what it holds is then left as it is."""
        delay = FIRST_DELAY_S
        while True:
            try:
                async with self.dataplane.connect() as session:
                    delay = FIRST_DELAY_S
                    await self._serve(session)
            except DataplaneError as error:
                self.detail = str(error)
            except Exception as error:
                self.detail = f"{type(error).__name__}: {error}"
                log.exception("dataplane-crashed", dataplane=self.dataplane.name)
            except anyio.get_cancelled_exc_class():
                self.session = None
                raise
            finally:
                steady = self.session is not None and time.monotonic() - self._since_s > STEADY_S
                self._disconnected()
            if steady:
                # It worked until now: most likely it is being restarted, and is to be filled as soon as it is there.
                delay = AGAIN_S
            log.info("dataplane-retry", dataplane=self.dataplane.name, why=self.detail, delay_s=delay)
            await anyio.sleep(delay)
            delay = min(max(delay * 2, FIRST_DELAY_S), LONGEST_DELAY_S)

    async def _serve(self, session: Session) -> None:
        failure: DataplaneError | None = None
        self._serving = session
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, session, group.cancel_scope)
            try:
                await self._connected(session)
                while True:
                    await self._turn(session)
            except DataplaneError as error:
                # Not let through the task group, which would wrap it.
                failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _watch(self, session: Session, scope: anyio.CancelScope) -> None:
        reason = await session.lost()
        self.detail = f"{reason.kind.value}: {reason.detail}"
        scope.cancel()

    async def _connected(self, session: Session) -> None:
        restarted = self._boot_id is not None and session.info.boot_id != self._boot_id
        if restarted:
            self.ledger.restarted()
        await self.passes.read(session)
        self.session, self.detail, self._since_s = session, "", time.monotonic()
        self.connected_at_ns = time.monotonic_ns()
        self._boot_id = session.info.boot_id
        self._retries.clear()
        change = DataplaneChange.RESTARTED if restarted else DataplaneChange.CONNECTED
        self._tell(change, f"{session.info.name} {session.info.version}")
        if restarted or not self.ledger.addresses():
            self._wanted.release_all()
            await self._pass(session, Scope("fill"))
        else:
            # What was removed from the configuration meanwhile is still there.
            self.mark({*self._wanted.addresses(), *self.ledger.addresses()})
        self._schedule_periodic()

    def _disconnected(self) -> None:
        if self.session is not None:
            self.session = None
            self._tell(DataplaneChange.LOST, self.detail)
        self._counted, self._serving = self._counted + _api_counts(self._serving), None
        self.connected_at_ns = None
        self.ledger.known = False
        self.passes.unsynced.clear()
        while self._requests:
            self._requests.popleft().done.set()

    def _tell(self, change: DataplaneChange, detail: str) -> None:
        log_it = log.warning if change is DataplaneChange.LOST else log.info
        log_it(f"dataplane-{change}", dataplane=self.dataplane.name, detail=detail)
        self._bus.publish(DataplaneEvent(time.time(), self.dataplane.name, change, detail))

    def _schedule_periodic(self) -> None:
        self._next_periodic_s = time.monotonic() + self.sync_interval_s

    async def _turn(self, session: Session) -> None:
        self._wake = anyio.Event()
        if self._requests:
            await self._serve_request(session)
        elif any(map(self._ready, self._dirty)):
            await self._transitions(session)
        elif due := self._retries.due():
            await self._pass(session, Scope("transition", tuple(due), reread=True))
        elif time.monotonic() >= self._next_periodic_s:
            self._schedule_periodic()
            await self._pass(session, Scope("periodic", reread=True))
        else:
            await self._rest()

    async def _rest(self) -> None:
        next_retry_s = self._retries.next_s()
        until = self._next_periodic_s if next_retry_s is None else min(self._next_periodic_s, next_retry_s)
        with anyio.move_on_after(max(0.0, until - time.monotonic())):
            await self._wake.wait()

    async def _serve_request(self, session: Session) -> None:
        request = self._requests[0]
        try:
            request.outcome = await self._pass(session, request.scope)
        finally:
            self._requests.popleft()
            request.done.set()

    def _ready(self, address: Address) -> bool:
        return self._wanted.released(address) and not self._retries.waiting(address)

    async def _transitions(self, session: Session) -> None:
        ready = tuple(filter(self._ready, self._dirty))
        if ready:
            await self._pass(session, Scope("transition", ready))

    async def _pass(self, session: Session, scope: Scope) -> Outcome:
        # Taken off before planning: a transition in the middle of the pass puts its address back on.
        taken = self._dirty.keys() if scope.addresses is None else set(scope.addresses)
        self._dirty = {a: None for a in self._dirty if a not in taken or not self._wanted.released(a)}
        tally = await self.passes.run(session, scope, lambda: self._between(session, scope))
        self._report(scope, tally)
        return tally.outcome()

    async def _between(self, session: Session, scope: Scope) -> None:
        if scope.name != "transition" and self._dirty:
            await self._transitions(session)

    def _report(self, scope: Scope, tally: Tally) -> None:
        tried = tally.scope.addresses or tuple(self._wanted.addresses())
        self._retries.note(set(tried) - set(tally.held), tally.failed)
        outcome = tally.outcome()
        if tally.held:
            log.debug("held-back", frontends=self._wanted.names(tally.held), scope=scope.name)
        if scope.name == "transition" and not outcome.operations and not outcome.errors:
            return
        if not self.passes.observe:
            self.operations.update({(scope.name, kind): count for kind, count in outcome.operations.items()})
            self.operations[scope.name, "error"] += len(outcome.errors)
        frontends = () if scope.addresses is None else self._wanted.names(scope.addresses)
        event = SyncEvent(time.time(), scope.name, frontends, outcome.operations, outcome.errors, tally.duration_s)
        self._bus.publish(event)
        for error in outcome.errors:
            log.error("sync-failed", scope=scope.name, error=error)
        if outcome.operations:
            done = "observed" if self.passes.observe else "synced"
            log.info(done, scope=scope.name, operations=dict(outcome.operations), errors=len(outcome.errors))


def _api_counts(session: object) -> Counter[tuple[str, str, str]]:
    return Counter(session.api_counts) if isinstance(session, CountsMessages) else Counter()
