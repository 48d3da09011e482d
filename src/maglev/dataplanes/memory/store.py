"""The memory dataplane and its sessions, with the faults that tests need."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count

import anyio
import attrs
from anyio.lowlevel import checkpoint

from maglev.api import (
    DataplaneError,
    DataplaneInfo,
    DataplaneState,
    FlowHash,
    LostKind,
    LostReason,
    NotSent,
    Operation,
    OperationResult,
    Unknown,
    VipCounters,
)
from maglev.dataplanes.memory.contents import Contents
from maglev.dataplanes.memory.traffic import Traffic

_OPERATIONS_PER_SLICE = 200


@attrs.frozen
class Hang:
    """A time in which no replies come.

    Args:
        dropping: Whether operations sent meanwhile are dropped too.
        over: Set when replies come again.
    """

    dropping: bool
    over: anyio.Event


class MemoryStore(Contents):
    """The dataplane itself. It outlives sessions and daemons, as a real dataplane outlives its controllers.

    Tests control it: `lose`, `stop`, `restart` and `hang` interrupt all sessions, `faults` refuses operations, and
    `journal` tells what was written. Not thread-safe.

    Args:
        flow_hash: How flows are hashed to buckets.
        clock_s: Returns seconds since the epoch.
        journal_length: How many operations the journal keeps.
        deadline_s: How long a session waits for a reply, in seconds, before the dataplane counts as lost.
    """

    def __init__(
        self,
        *,
        flow_hash: FlowHash = "crc32c",
        clock_s: Callable[[], float] = time.time,
        journal_length: int = 100_000,
        deadline_s: float = 5.0,
    ) -> None:
        super().__init__(flow_hash=flow_hash, clock_s=clock_s, journal_length=journal_length)
        self.traffic = Traffic(self)
        self.deadline_s = deadline_s
        self.hanging: Hang | None = None
        self._stopped = ""
        self._numbers = count(1)
        self._sessions: set[MemorySession] = set()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MemorySession]:
        """Connect.

        Raises:
            DataplaneError: It is stopped, or does not answer.
        """
        if self._stopped:
            raise DataplaneError(f"memory dataplane: connecting: {self._stopped}")
        session = MemorySession(self, next(self._numbers))
        self._sessions.add(session)
        try:
            await session.check("connecting")
            yield session
        finally:
            self._sessions.discard(session)
            session.end(LostReason(LostKind.CLOSED, "closed by this side"))

    def lose(self, kind: LostKind = LostKind.CLOSED, detail: str = "closed by the dataplane") -> None:
        """Break all connections; new ones can be made at once."""
        for session in tuple(self._sessions):
            session.end(LostReason(kind, detail))

    def stop(self, detail: str = "it is stopped") -> None:
        """Break all connections, and refuse new ones until `start`; the state stays."""
        self._stopped = detail
        self.lose(detail=detail)

    def start(self) -> None:
        """Accept connections again."""
        self._stopped = ""

    def restart(self) -> None:
        """Break all connections and lose the state, as a restarted dataplane."""
        self.lose(detail="it was restarted")
        self.clear()
        self.start()

    def hang(self, *, dropping: bool = False) -> None:
        """Send no replies until `resume`; with `dropping`, drop the operations too."""
        self.hanging = Hang(dropping, anyio.Event())

    def resume(self) -> None:
        """Reply again, also to what still waits."""
        if self.hanging:
            self.hanging.over.set()
        self.hanging = None


class MemorySession:
    """A `maglev.api.Session`."""

    def __init__(self, store: MemoryStore, number: int) -> None:
        self._store = store
        self._number = number
        self._reason: LostReason | None = None
        self._gone = anyio.Event()
        self._waiting: set[anyio.CancelScope] = set()
        self.info = DataplaneInfo(
            name="memory",
            version="1",
            boot_id=self._store.boot_id,
            flow_hash=self._store.flow_hash,
            capabilities=frozenset({"entries", "counters"}),
            boot_time_s=self._store.boot_time_s,
            connected_at_s=self._store.clock_s(),
        )

    async def read(self, *, details: bool = False) -> DataplaneState:
        await self.check("reading")
        conf = self._store.conf
        vips = await self._store.traffic.with_details(self._store.vips, entries=details)
        if self._reason:
            raise self._error("reading")
        return DataplaneState(vips, conf)

    async def apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        if self._reason:
            return [NotSent()] * len(phase)
        hang = self._store.hanging
        if hang and hang.dropping and not await self._wait(hang):
            return [Unknown(self._detail)] * len(phase)
        results = await self._write(phase)
        if hang and not await self._wait(hang):
            return [Unknown(self._detail)] * len(phase)
        return results

    async def counters(self) -> Sequence[VipCounters]:
        await self.check("reading counters")
        return self._store.traffic.counters()

    async def lost(self) -> LostReason:
        await self._gone.wait()
        return self._reason or LostReason(LostKind.CLOSED, "")

    async def check(self, step: str) -> None:
        """Wait until the dataplane replies; `step` says in the error message what is being done.

        Raises:
            DataplaneError: It is lost, or did not reply within the deadline.
        """
        await checkpoint()
        if self._store.hanging:
            await self._wait(self._store.hanging)
        if self._reason:
            raise self._error(step)

    def end(self, reason: LostReason) -> None:
        """Break this connection; everything that waits on it fails."""
        if self._reason is None:
            self._reason = reason
            self._gone.set()
            for scope in self._waiting:
                scope.cancel()

    async def _wait(self, hang: Hang) -> bool:
        """Wait until replies come again; returns whether they came within the deadline. Otherwise the session ends."""
        with anyio.move_on_after(self._store.deadline_s) as scope:
            self._waiting.add(scope)
            await hang.over.wait()
        self._waiting.discard(scope)
        if not hang.over.is_set():
            self.end(LostReason(LostKind.SILENT, f"no answer within {self._store.deadline_s:g} s"))
        return self._reason is None

    async def _write(self, phase: Sequence[Operation]) -> list[OperationResult]:
        results: list[OperationResult] = []
        for position, operation in enumerate(phase, start=1):
            if self._reason:
                results.append(NotSent())
                continue
            result = self._store.write(operation, self._number)
            if self._store.faults.breaks_now():
                self._store.lose(detail="the connection broke")
                result = Unknown(self._detail)
            results.append(result)
            if position % _OPERATIONS_PER_SLICE == 0:
                await checkpoint()
        return results

    @property
    def _detail(self) -> str:
        return self._reason.detail if self._reason else ""

    def _error(self, step: str) -> DataplaneError:
        return DataplaneError(f"memory dataplane: {step}: {self._detail}")
