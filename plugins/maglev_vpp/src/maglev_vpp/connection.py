"""Keeps one connection to VPP's binary API: sends requests, matches replies, and detects that VPP is gone.

Calls are pipelined. A reply is matched to its call by the context. VPP answers in order, but silently drops requests
that it cannot parse: so each call has a deadline, and a VPP that owes a reply and sends nothing at all is lost. Late,
unexpected and unknown messages are logged at DEBUG and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, cast

from maglev.api import DataplaneError, LostKind, LostReason
from maglev_vpp.calls import Call
from maglev_vpp.codec import REPLY_START, REQUEST_START, Codec, FramingError, Splitter, retval_of
from maglev_vpp.messages import SOCKCLNT_CREATE_REPLY_ID
from maglev_vpp.options import Timings

log = logging.getLogger("maglev.vpp")

MAX_IN_FLIGHT = 512
"""Calls in flight: enough to keep VPP busy; decoding their replies takes a few milliseconds."""
CHECKS_PER_DEADLINE = 20


class ApiConnection(asyncio.Protocol):
    """One connection. Made by `handshake.open_api`. The path of the socket is for error messages."""

    def __init__(self, codec: Codec, timings: Timings, path: str) -> None:
        self.codec = codec
        self.timings = timings
        self.path = path
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """Messages by (name, `tx` or `rx`, `ok` or `error`)."""
        self.lost_reason: LostReason | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._splitter = Splitter()
        self._calls: dict[int, Call] = {}
        """The calls in flight by context, in the order in which they were sent."""
        self._contexts = count(1)
        self._may_send = asyncio.Event()
        self._write_paused = False
        self._lost: asyncio.Future[LostReason] = self._loop.create_future()
        self._closed = asyncio.Event()
        self._received_s = self._pinged_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    # ---------------------------------------------------------------------------------------------- requests

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Send one request and wait for its reply. Fields that are left out are zero.

        Returns:
            The reply, as vpp_papi's named tuple; addresses are bytes.

        Raises:
            DataplaneError: No reply within the deadline, one that cannot be decoded, or the connection is lost.
        """
        return self.codec.decode(f"{name}_reply", await self.send(name, fields).reply())

    async def dump(self, name: str, details: str, /, **fields: Any) -> list[bytes]:
        """Send a request for many rows and wait for all of them; raises as `call`.

        VPP does not mark the last row. A control_ping is sent behind the request: its reply follows the last row.
        """
        now = self._loop.time()
        dump = Call(name, -1, self._loop.create_future(), now, now + self.timings.dump_s, self.codec.numbers[details])
        context, message = self._start(dump, fields)
        try:
            self._write(message)
            end = self.send("control_ping", {})
            end.deadline_s = dump.deadline_s
            await end.reply()
        finally:
            self._calls.pop(context, None)
        self.counts[details, "rx", "ok"] += len(dump.rows)
        return dump.rows

    def send(self, name: str, fields: Mapping[str, Any]) -> Call:
        """Send one request and return at once. Callers that send many await `until_writable` in between."""
        return self.send_all([(name, fields)])[0]

    def send_all(self, requests: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Call]:
        """Send several requests in one write; otherwise as `send`."""
        now = self._loop.time()
        calls, frames = [], []
        for name, fields in requests:
            number = self.codec.numbers[f"{name}_reply"]
            call = Call(name, number, self._loop.create_future(), now, now + self.timings.call_s)
            calls.append(call)
            frames.append(self._start(call, fields)[1])
        self._write(b"".join(frames))
        return calls

    def _start(self, call: Call, fields: Mapping[str, Any]) -> tuple[int, bytes]:
        """Let a call wait for its reply; returns its context, and what to write."""
        if self.lost_reason is not None:
            call.finish(DataplaneError(self.lost_reason.detail))
            return 0, b""
        context = self._new_context()
        message = self.codec.encode(call.name, context, fields)
        self._calls[context] = call
        self.counts[call.name, "tx", "ok"] += 1
        return context, message

    async def until_writable(self) -> None:
        """Wait until few enough calls are in flight and VPP reads what was written."""
        while self.lost_reason is None and (self._write_paused or len(self._calls) >= MAX_IN_FLIGHT):
            self._may_send.clear()
            await self._may_send.wait()

    def _new_context(self) -> int:
        return next(self._contexts) & 0xFFFFFFFF

    def _write(self, data: bytes) -> None:
        if self._transport is not None and self.lost_reason is None and data:
            self._transport.write(data)

    # ------------------------------------------------------------------------------------- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer."""
        # A cast, no check: uvloop's transports have all methods but are not of the class.
        self._transport = cast("asyncio.Transport", transport)
        self._on_timer()

    def data_received(self, data: bytes) -> None:
        """Handle the messages that are complete."""
        self._received_s = self._loop.time()
        try:
            for message in self._splitter.feed(data):
                self._on_message(message)
        except FramingError as error:
            self.lose(LostKind.PROTOCOL, f"VPP's API at {self.path} sent {error}")
        if len(self._calls) < MAX_IN_FLIGHT // 2 and not self._write_paused:
            self._may_send.set()

    def _on_message(self, message: bytes) -> None:
        number, context = REPLY_START.unpack_from(message) if len(message) >= REPLY_START.size else (-1, 0)
        if number == SOCKCLNT_CREATE_REPLY_ID and len(message) >= REQUEST_START.size:
            context = REQUEST_START.unpack_from(message)[2]
        call = self._calls.get(context)
        if call is not None and number == call.details_number:
            call.rows.append(message)
        elif call is not None and number == call.reply_number:
            del self._calls[context]
            ok = (retval_of(message) or 0) >= 0
            self.counts[f"{call.name}_reply", "rx", "ok" if ok else "error"] += 1
            call.finish(message)
        elif number == self.codec.numbers.get("memclnt_keepalive"):
            self._answer_keepalive(message)
        else:
            log.debug("VPP sent message %d, which no call waits for", number)

    def _answer_keepalive(self, message: bytes) -> None:
        try:
            request = self.codec.decode("memclnt_keepalive", message)
        except DataplaneError as error:
            log.debug("a keepalive of VPP cannot be answered: %s", error)
            return
        self._write(self.codec.encode("memclnt_keepalive_reply", request.context, {}))

    def pause_writing(self) -> None:
        """Stop sending: VPP does not read what was written."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Send again."""
        self._write_paused = False
        self._may_send.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all calls: the socket is closed."""
        self.lose(LostKind.CLOSED, f"VPP closed its API at {self.path}" + (f": {exc}" if exc else ""))
        self._closed.set()

    # ----------------------------------------------------------------------------------------------- deadlines

    def _on_timer(self) -> None:
        now = self._loop.time()
        self._expire(now)
        if self.lost_reason is not None:
            return
        if "control_ping" in self.codec.numbers and now - self._pinged_s >= self.timings.ping_every_s:
            self._pinged_s = now
            self.send("control_ping", {})
        self._timer = self._loop.call_later(self.timings.call_s / CHECKS_PER_DEADLINE, self._on_timer)

    def _expire(self, now: float) -> None:
        oldest = next(iter(self._calls.values()), None)
        if oldest is not None and now - max(oldest.sent_s, self._received_s) > self.timings.call_s:
            self.lose(LostKind.SILENT, f"VPP's API at {self.path} has not answered for {self.timings.call_s:g} s")
            return
        for context, call in [(context, call) for context, call in self._calls.items() if call.deadline_s < now]:
            del self._calls[context]
            self.counts[f"{call.name}_reply", "rx", "error"] += 1
            call.finish(DataplaneError(f"VPP did not answer {call.name} in time"))

    # ----------------------------------------------------------------------------------------- end of connection

    def lose(self, kind: LostKind, detail: str) -> None:
        """Give the connection up: all calls fail at once. Only the first reason counts."""
        if self.lost_reason is not None:
            return
        self.lost_reason = LostReason(kind, detail)
        if self._timer is not None:
            self._timer.cancel()
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.finish(DataplaneError(detail))
        self._may_send.set()
        self._lost.set_result(self.lost_reason)
        if self._transport is not None:
            self._transport.abort()

    def check(self) -> None:
        """Raise DataplaneError if the connection is lost."""
        if self.lost_reason is not None:
            raise DataplaneError(self.lost_reason.detail)

    async def lost(self) -> LostReason:
        """Wait until the connection is lost; returns why."""
        return await asyncio.shield(self._lost)

    async def close(self) -> None:
        """Deregister and close the socket. VPP keeps its configuration."""
        if self.lost_reason is None and "sockclnt_delete" in self.codec.numbers:
            fields = {"index": self.codec.client_index}
            self._write(self.codec.encode("sockclnt_delete", self._new_context(), fields))
        self.lose(LostKind.CLOSED, "closed by maglevd")
        if self._transport is not None:
            await self._closed.wait()
