"""The memory dataplane and its sessions, and what a test can do to them."""

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
class Silence:
    """A time in which no reply comes.

    Args:
        deaf: Whether operations that are sent meanwhile are not even done.
        over: Set when replies come again.
    """

    deaf: bool
    over: anyio.Event


class MemoryStore(Contents):
    """A memory dataplane itself. It outlives sessions and daemons, as a real dataplane outlives its controllers.

    For a test it is also the hand that pulls plugs: `lose`, `stop`, `restart` and `hang` do to every session what a
    dataplane can do to its controllers, `faults` refuses operations, `journal` tells what was written. Not for use from
    several threads.

    Args:
        flow_hash: How flows are hashed to buckets.
        clock_s: Seconds since the epoch.
        journal_length: How many operations `journal` keeps.
        deadline_s: How long a session waits for a reply, in seconds, before it holds the dataplane for lost.
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
        self.silence: Silence | None = None
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
            await session.answered("connecting")
            yield session
        finally:
            self._sessions.discard(session)
            session.end(LostReason(LostKind.CLOSED, "closed by this side"))

    def lose(self, kind: LostKind = LostKind.CLOSED, detail: str = "closed by the dataplane") -> None:
        """Break all connections; a new one can be made at once."""
        for session in tuple(self._sessions):
            session.end(LostReason(kind, detail))

    def stop(self, detail: str = "it is stopped") -> None:
        """Break all connections, and let none be made until `start`; what is held stays."""
        self._stopped = detail
        self.lose(detail=detail)

    def start(self) -> None:
        """Let connections be made again."""
        self._stopped = ""

    def restart(self) -> None:
        """Break all connections, and hold nothing, as a dataplane that was started again."""
        self.lose(detail="it was restarted")
        self.clear()
        self.start()

    def hang(self, *, deaf: bool = False) -> None:
        """Give no more replies, until `resume`.

        Args:
            deaf: Not to do what is asked either.
        """
        self.silence = Silence(deaf, anyio.Event())

    def resume(self) -> None:
        """Reply again, also to what was asked meanwhile and still waits."""
        if self.silence:
            self.silence.over.set()
        self.silence = None


class MemorySession:
    """A session as `maglev.api.Session` has it."""

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
            capabilities=frozenset({"flows", "counters"}),
            boot_time_s=self._store.boot_time_s,
            connected_at_s=self._store.clock_s(),
        )

    async def read(self, *, details: bool = False) -> DataplaneState:
        await self.answered("reading")
        conf = self._store.conf
        vips = await self._store.traffic.with_details(self._store.vips, flows=details)
        if self._reason:
            raise self._error("reading")
        return DataplaneState(vips, conf)

    async def apply(self, phase: Sequence[Operation]) -> Sequence[OperationResult]:
        if self._reason:
            return [NotSent()] * len(phase)
        silence = self._store.silence
        if silence and silence.deaf and not await self._heard(silence):
            return [Unknown(self._why())] * len(phase)
        results = await self._write(phase)
        if silence and not await self._heard(silence):
            return [Unknown(self._why())] * len(phase)
        return results

    async def counters(self) -> Sequence[VipCounters]:
        await self.answered("reading counters")
        return self._store.traffic.counters()

    async def lost(self) -> LostReason:
        await self._gone.wait()
        return self._reason or LostReason(LostKind.CLOSED, "")

    async def answered(self, step: str) -> None:
        """Wait until the dataplane answers.

        Args:
            step: What it was asked for, for the message.

        Raises:
            DataplaneError: It is lost, or did not answer within the deadline.
        """
        await checkpoint()
        if self._store.silence:
            await self._heard(self._store.silence)
        if self._reason:
            raise self._error(step)

    def end(self, reason: LostReason) -> None:
        """Break this connection; what waits on it wakes up."""
        if self._reason is None:
            self._reason = reason
            self._gone.set()
            for scope in self._waiting:
                scope.cancel()

    async def _heard(self, silence: Silence) -> bool:
        """Wait for the end of a silence; one that outlasts the deadline ends the session."""
        with anyio.move_on_after(self._store.deadline_s) as scope:
            self._waiting.add(scope)
            await silence.over.wait()
        self._waiting.discard(scope)
        if not silence.over.is_set():
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
                result = Unknown(self._why())
            results.append(result)
            if position % _OPERATIONS_PER_SLICE == 0:
                await checkpoint()
        return results

    def _why(self) -> str:
        return self._reason.detail if self._reason else ""

    def _error(self, step: str) -> DataplaneError:
        return DataplaneError(f"memory dataplane: {step}: {self._why()}")
