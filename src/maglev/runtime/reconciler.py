"""Makes the dataplane what it should be: connects, and makes one sync run after another. The only writer there is.

Three things start a sync run: a transition, which costs its own writes only; the periodic sync, over everything, in
portions that let transitions through; and an operator's (or a reload's) request, whose outcome is waited for.
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
    DataplaneFindings,
    DataplaneState,
    NotConnected,
    Session,
    SyncEvent,
    TellsFindings,
    VipCounters,
)
from maglev.domain.state import sync
from maglev.domain.state.sync import SyncRequest
from maglev.runtime.bus import Bus
from maglev.runtime.filling import Filling, told
from maglev.runtime.logging import get_logger
from maglev.runtime.state_store import Address, StateStore, SyncQueue
from maglev.runtime.sync_run import SyncOutcome, SyncProgress, SyncRun, within_deadline

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 5.0
"""Back-off between attempts to connect."""
STEADY_S, AGAIN_S = 5.0, 0.1
"""A session that lasted this long is made anew almost at once; less than that, and there may be something wrong."""
ERRORS_LOGGED = 20
"""Of one sync run: it can have one for each server of each VIP, over and over."""
RETRY_FIRST_S, RETRY_LONGEST_S = 1.0, 60.0
"""Back-off for an address whose operations failed."""

_T = TypeVar("_T")
log = get_logger("maglev.reconciler")


@attrs.define(eq=False)
class _Waiting:
    """A sync run that somebody waits for."""

    request: SyncRequest
    done: anyio.Event = attrs.field(factory=anyio.Event)
    outcome: SyncOutcome | None = None


@attrs.define
class Retries:
    """Schedules retries of addresses whose operations failed.

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

    def forget(self, addresses: Iterable[Address]) -> list[Address]:
        """Do not try some addresses again; returns those that were to be."""
        return [address for address in addresses if self._due.pop(address, None) is not None]

    def due(self) -> list[Address]:
        """The addresses to try again now."""
        now = self.clock_s()
        return [address for address, (_delay, at) in self._due.items() if at <= now]

    def waiting(self, address: Address) -> bool:
        """Whether an address waits for its next try."""
        return address in self._due and self._due[address][1] > self.clock_s()

    def next_s(self) -> float | None:
        """The time of the next retry, on the clock."""
        return min((at for _delay, at in self._due.values()), default=None)

    def clear(self) -> None:
        """Try everything at once."""
        self._due.clear()


class Reconciler:
    """Keeps one dataplane as the State wants it, and connects again when it is lost.

    Args:
        dataplane: What to keep.
        store: The live State.
        queue: The addresses that a step asked to be looked at.
        bus: Where events go.
        observe: Plan and tell, but write nothing.
    """

    def __init__(
        self, dataplane: Dataplane, store: StateStore, queue: SyncQueue, bus: Bus, *, observe: bool = False
    ) -> None:
        self.dataplane = dataplane
        self.observe = observe
        self.session: Session | None = None
        self.detail = "not connected yet"
        self.operations: Counter[tuple[str, str]] = Counter()
        """Operations sent so far, by (scope, kind), and under the kind `error` those that failed."""
        self._store = store
        self._queue = queue
        self._run = SyncRun(store, observe=observe)
        self._filling = Filling()
        self._bus = bus
        self._boot_id: str | None = None
        self._serving: Session | None = None
        self._counted: Counter[tuple[str, str, str]] = Counter()
        self._waiting: deque[_Waiting] = deque()
        self._retries = Retries(time.monotonic)
        self._last_periodic_s = 0.0
        self._since_s = 0.0

    def in_sync(self, address: Address) -> bool | None:
        """Whether an address was as wanted at the last look; `None` while nothing is known."""
        view = self._store.state.dataplane
        if self.session is None or not view.known:
            return None
        return not (address in view.unsynced or address in self._queue.addresses or address in view.drift)

    async def settle(self, request: SyncRequest) -> SyncOutcome:
        """Have a sync run made now and wait for it.

        Raises:
            NotConnected: There is no connection, or it was lost meanwhile. What is wanted stands, and will be done.
        """
        if self.session is None:
            self._queue.put(self._store.state.at if request.addresses is None else request.addresses)
            raise self.not_connected()
        waiting = _Waiting(request)
        self._waiting.append(waiting)
        self._queue.wake()
        await waiting.done.wait()
        if waiting.outcome is None:
            raise self.not_connected()
        return waiting.outcome

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
            raise self.not_connected()
        return await within_deadline(what, lambda: call(session))

    def api_messages(self) -> Mapping[tuple[str, str, str], int]:
        """Messages of all sessions so far, by (message, `tx` or `rx`, `ok` or `error`)."""
        return self._counted + _api_counts(self._serving)

    def findings(self) -> DataplaneFindings:
        """Faults of the dataplane that only its operator can correct; empty while not connected."""
        return _findings(self.session)

    def not_connected(self, why: str = "") -> NotConnected:
        """Say that there is no connection, and why; by default what was seen last."""
        return NotConnected(f"no connection to the dataplane {self.dataplane.name}: {why or self.detail}")

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
            if self._filling.losses > 1:
                delay = max(delay, self._filling.delay_s())
            elif steady:
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
        self._store.step(sync.dataplane_connected, time.monotonic_ns(), restarted=restarted)
        await self._run.read(session)
        self.session, self.detail, self._since_s = session, "", time.monotonic()
        self._boot_id = session.info.boot_id
        self._retries.clear()
        change = DataplaneChange.RESTARTED if restarted else DataplaneChange.CONNECTED
        self._tell(change, f"{session.info.name} {session.info.version}")
        state = self._store.state
        if restarted or not state.dataplane.addresses():
            self._store.step(sync.dataplane_empty)
            self._filling.begins()
            await self._sync(session, SyncRequest("fill"))
            self._filling.ends(time.monotonic())
        else:
            # What was removed from the configuration meanwhile is still there.
            self._queue.put((*state.at, *state.dataplane.addresses()))
        self._last_periodic_s = time.monotonic()

    def _disconnected(self) -> None:
        if self.session is not None:
            self.session = None
            if self._filling.lost(time.monotonic()):
                self.detail = f"{self.detail}; {told(self._filling.losses, self._run.writing)}"
            self._tell(DataplaneChange.LOST, self.detail)
        self._counted, self._serving = self._counted + _api_counts(self._serving), None
        self._store.step(sync.dataplane_lost)
        while self._waiting:
            self._waiting.popleft().done.set()

    def _tell(self, change: DataplaneChange, detail: str) -> None:
        lost = log.error if self._filling.losses > 1 else log.warning
        log_it = lost if change is DataplaneChange.LOST else log.info
        log_it(f"dataplane-{change}", dataplane=self.dataplane.name, detail=detail)
        self._bus.publish(DataplaneEvent(time.time(), self.dataplane.name, change, detail))

    def _next_periodic_s(self) -> float:
        return self._last_periodic_s + self._store.state.config.sync_interval_s

    async def _turn(self, session: Session) -> None:
        self._queue.clear_wake()
        if self._waiting:
            await self._serve_waiting(session)
        elif any(map(self._ready, self._queue.addresses)):
            await self._transitions(session)
        elif due := self._retries.due():
            await self._sync(session, SyncRequest("transition", tuple(due), reread=True))
        elif time.monotonic() >= self._next_periodic_s():
            self._last_periodic_s = time.monotonic()
            await self._sync(session, SyncRequest("periodic", reread=True))
        else:
            await self._rest()

    async def _rest(self) -> None:
        next_retry_s = self._retries.next_s()
        until = self._next_periodic_s() if next_retry_s is None else min(self._next_periodic_s(), next_retry_s)
        with anyio.move_on_after(max(0.0, until - time.monotonic())):
            await self._queue.wait()

    async def _serve_waiting(self, session: Session) -> None:
        waiting = self._waiting[0]
        try:
            waiting.outcome = await self._sync(session, waiting.request)
        except DataplaneError as error:
            self.detail = str(error)  # Who waits is told before this session has ended.
            raise
        finally:
            self._waiting.popleft()
            waiting.done.set()

    def _ready(self, address: Address) -> bool:
        return self._store.state.released(address) and not self._retries.waiting(address)

    async def _transitions(self, session: Session) -> None:
        ready = self._queue.take(self._ready)
        if ready:
            await self._sync(session, SyncRequest("transition", ready))

    async def _sync(self, session: Session, request: SyncRequest) -> SyncOutcome:
        # Taken off before planning: a transition in the middle of the run puts its address back on.
        wanted = None if request.addresses is None else set(request.addresses)
        released = self._store.state.released
        self._queue.take(lambda address: (wanted is None or address in wanted) and released(address))
        divisor = self._filling.divisor if request.scope == "fill" else 1
        progress = await self._run.run(session, request, lambda: self._between(session, request), divisor=divisor)
        self._report(request, progress)
        return progress.outcome()

    async def _between(self, session: Session, request: SyncRequest) -> None:
        if request.scope != "transition" and self._queue.addresses:
            await self._transitions(session)

    def _report(self, request: SyncRequest, progress: SyncProgress) -> None:
        state, scope, outcome = self._store.state, request.scope, progress.outcome()
        tried = tuple(state.at) if request.addresses is None else request.addresses
        self._retries.note(set(tried) - set(progress.held), progress.failed)
        # A reload may have had the warm-up hold back what failed before: the queue keeps it until it is released.
        if waiting := self._retries.forget(progress.held):
            self._queue.put(waiting)
        if progress.held:
            log.debug("held-back", frontends=state.names(progress.held), scope=scope)
        if scope == "transition" and not outcome.operations and not outcome.errors:
            return
        if not self.observe:
            self.operations.update({(scope, kind): count for kind, count in outcome.operations.items()})
            self.operations[scope, "error"] += len(outcome.errors)
        frontends = () if request.addresses is None else state.names(request.addresses)
        event = SyncEvent(time.time(), scope, frontends, outcome.operations, outcome.errors, progress.duration_s)
        self._bus.publish(event)
        for error in outcome.errors[:ERRORS_LOGGED]:
            log.error("sync-failed", scope=scope, error=error)
        if len(outcome.errors) > ERRORS_LOGGED:
            log.error("sync-failed", scope=scope, error=f"and {len(outcome.errors) - ERRORS_LOGGED} more")
        if outcome.operations:
            done = "observed" if self.observe else "synced"
            log.info(done, scope=scope, operations=dict(outcome.operations), errors=len(outcome.errors))


def _findings(session: object) -> DataplaneFindings:
    return session.findings if isinstance(session, TellsFindings) else DataplaneFindings()


def _api_counts(session: object) -> Counter[tuple[str, str, str]]:
    return Counter(session.api_counts) if isinstance(session, CountsMessages) else Counter()
