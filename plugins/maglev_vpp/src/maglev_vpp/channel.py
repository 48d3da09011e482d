"""One connection to VPP's binary API: calls out, replies in, and an end that nobody misses.

Calls are pipelined: each has a context, by which its reply is found. VPP answers in order, but drops what it cannot
make sense of without a word, so each call has a deadline, and a VPP that says nothing at all while something is asked
of it is lost. A reply that comes too late, a message that nobody asked for and one of an unknown number are
forgotten but for a line in the log at DEBUG.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from maglev.api import DataplaneError, LostKind, LostReason
from maglev_vpp.calls import Call, Pending
from maglev_vpp.messages import SOCKCLNT_CREATE_REPLY_ID
from maglev_vpp.speech import Speech
from maglev_vpp.timings import Timings
from maglev_vpp.wire import LONG_START, RETVAL, RETVAL_AT, START, Splitter, WireError

log = logging.getLogger("maglev.vpp")

WINDOW = 512
"""Calls in flight: enough to keep VPP busy, few enough that their replies cost a few milliseconds of one turn."""
TICKS_A_DEADLINE = 20


class Channel(Speech, asyncio.Protocol):
    """The connection. Made by `opening.open_channel`.

    Args:
        timings: Deadlines.
        path: The socket, for messages to people.
    """

    def __init__(self, timings: Timings, path: str) -> None:
        super().__init__()
        self.timings = timings
        self.path = path
        self.traffic: Counter[tuple[str, str, str]] = Counter()
        """Messages by (name, `tx` or `rx`, `ok` or `error`)."""
        self.reason: LostReason | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._splitter = Splitter()
        self._pending = Pending()
        self._room = asyncio.Event()
        self._paused = False
        self._lost = asyncio.Event()
        self._closed = asyncio.Event()
        self._heard_s = self._pinged_s = self._loop.time()
        self._ticker: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------------------------------------ calls

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Send one request and wait for its reply.

        Args:
            name: The message; its reply is named after it.
            fields: Its fields; the rest is zero.

        Returns:
            The reply, as vpp_papi's tuple with named fields; addresses are bytes.

        Raises:
            DataplaneError: No reply within the deadline, none that can be read, or the connection is gone.
        """
        return self.read(f"{name}_reply", await self.send(name, fields).answer())

    async def dump(self, name: str, details: str, /, **fields: Any) -> list[bytes]:
        """Send a request for many rows and wait for all of them.

        VPP marks no end: a control_ping goes out behind the request, and its reply comes behind the last row.

        Raises:
            DataplaneError: As `call`.
        """
        context = self._pending.context()
        deadline_s = self._loop.time() + self.timings.dump_s
        dump = Call(name, -1, self._loop.create_future(), self._loop.time(), deadline_s, self.id_of(details))
        if self.reason is None:
            self._pending.add(context, dump)
        try:
            self._write(self.encode(name, context, fields))
            self.traffic[name, "tx", "ok"] += 1
            end = self.send("control_ping", {})
            end.deadline_s = deadline_s
            await end.answer()
        finally:
            self._pending.remove(context)
        self.traffic[details, "rx", "ok"] += len(dump.rows)
        return dump.rows

    def send(self, name: str, fields: Mapping[str, Any]) -> Call:
        """Send one request and return at once. Whoever sends many waits for `room` in between."""
        return self.send_all([(name, fields)])[0]

    def send_all(self, requests: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Call]:
        """Send some requests in one go; as `send`."""
        now = self._loop.time()
        calls, frames = [], []
        for name, fields in requests:
            call = Call(name, self.id_of(f"{name}_reply"), self._loop.create_future(), now, now + self.timings.call_s)
            calls.append(call)
            if self.reason is not None:
                call.settle(self._gone())
                continue
            context = self._pending.context()
            frames.append(self.encode(name, context, fields))
            self._pending.add(context, call)
            self.traffic[name, "tx", "ok"] += 1
        self._write(b"".join(frames))
        return calls

    def check(self) -> None:
        """Raise DataplaneError if the connection is gone."""
        if self.reason is not None:
            raise self._gone()

    async def room(self) -> None:
        """Wait until more may be sent: not too much is in flight, and VPP takes what was written."""
        while self.reason is None and (self._paused or len(self._pending) >= WINDOW):
            self._room.clear()
            await self._room.wait()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and self.reason is None and data:
            self._transport.write(data)

    # ------------------------------------------------------------------------------------------- what comes in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        # Not checked: uvloop's transports keep the contract without being of the class.
        self._transport = cast("asyncio.Transport", transport)
        self._tick()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._heard_s = self._loop.time()
        try:
            for message in self._splitter.feed(data):
                self._message(message)
        except WireError as error:
            self.lose(LostKind.PROTOCOL, f"VPP's API at {self.path} sent {error}")
        if len(self._pending) < WINDOW // 2 and not self._paused:
            self._room.set()

    def _message(self, message: bytes) -> None:
        number, context = START.unpack_from(message) if len(message) >= START.size else (-1, 0)
        if number == SOCKCLNT_CREATE_REPLY_ID and len(message) >= LONG_START.size:
            context = LONG_START.unpack_from(message)[2]
        call = self._pending.take(number, context, message)
        if call is not None and number == call.reply_id:
            self._finish(call, message)
        elif call is None and number == self.ids.get("memclnt_keepalive"):
            self._keep_alive(message)
        elif call is None:
            log.debug("VPP sent message %d, which nobody waits for", number)

    def _finish(self, call: Call, message: bytes) -> None:
        good = len(message) < RETVAL_AT + RETVAL.size or RETVAL.unpack_from(message, RETVAL_AT)[0] >= 0
        self.traffic[f"{call.name}_reply", "rx", "ok" if good else "error"] += 1
        call.settle(message)

    def _keep_alive(self, message: bytes) -> None:
        try:
            asked = self.read("memclnt_keepalive", message)
        except DataplaneError as error:
            log.debug("a keepalive of VPP cannot be answered: %s", error)
            return
        self._write(self.encode("memclnt_keepalive_reply", asked.context, {}))

    def pause_writing(self) -> None:
        """VPP does not take what was written."""
        self._paused = True

    def resume_writing(self) -> None:
        """VPP takes more."""
        self._paused = False
        self._room.set()

    # --------------------------------------------------------------------------------------------- time passes

    def _tick(self) -> None:
        now = self._loop.time()
        self._expire(now)
        if self.reason is not None:
            return
        if "control_ping" in self.ids and now - self._pinged_s >= self.timings.ping_every_s:
            self._pinged_s = now
            self.send("control_ping", {})
        self._ticker = self._loop.call_later(self.timings.call_s / TICKS_A_DEADLINE, self._tick)

    def _expire(self, now: float) -> None:
        since_s = self._pending.silent_since_s(self._heard_s)
        if since_s is not None and now - since_s > self.timings.call_s:
            self.lose(LostKind.SILENT, f"VPP's API at {self.path} has not answered for {self.timings.call_s:g} s")
            return
        for call in self._pending.overdue(now):
            self.traffic[f"{call.name}_reply", "rx", "error"] += 1
            call.settle(DataplaneError(f"VPP did not answer {call.name} in time"))

    # ------------------------------------------------------------------------------------------------- the end

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self.lose(LostKind.CLOSED, f"VPP closed its API at {self.path}" + (f": {exc}" if exc else ""))
        self._closed.set()

    def lose(self, kind: LostKind, detail: str) -> None:
        """Give the connection up: everything that waits fails at once. Only the first reason counts."""
        if self.reason is not None:
            return
        self.reason = LostReason(kind, detail)
        if self._ticker is not None:
            self._ticker.cancel()
        self._pending.fail(self._gone())
        self._room.set()
        self._lost.set()
        if self._transport is not None:
            self._transport.abort()

    def _gone(self) -> DataplaneError:
        return DataplaneError(self.reason.detail if self.reason else "not connected to VPP")

    async def lost(self) -> LostReason:
        """Wait until the connection is gone, and tell why."""
        await self._lost.wait()
        if self.reason is None:
            raise AssertionError("lost without a reason")
        return self.reason

    async def close(self) -> None:
        """Say good-bye, and close the socket; VPP keeps what it was told."""
        if self.reason is None and "sockclnt_delete" in self.ids:
            self._write(self.encode("sockclnt_delete", self._pending.context(), {"index": self.client_index}))
        self.lose(LostKind.CLOSED, "closed by maglevd")
        if self._transport is not None:
            await self._closed.wait()
