"""One daemon: a connection that is watched, refreshed and kept alive, and a mirror of what it says."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import anyio
import structlog

from maglev import api
from maglev_grpc.client import Client, ClientError, Connected, Disconnected, Watched
from maglev_web.feed import logs, wire
from maglev_web.feed.activity import Activity
from maglev_web.feed.broker import Broker
from maglev_web.feed.mirror import Mirror
from maglev_web.feed.probes import AT_MOST, Probes
from maglev_web.feed.rates import Rates
from maglev_web.feed.refresh import Refresher
from maglev_web.feed.status import Status
from maglev_web.feed.tap import Tap

log = structlog.get_logger(__name__)

INFO_EVERY_S = 2.0
INFO_WITHIN_S = 2.5
"""A daemon that takes longer to say how it is is shown as not answering."""
COUNTERS_EVERY_S = 2.0
BEATS_EVERY_S = 1.0
SETTLE_S = 0.05
"""Changes that come together travel together."""
EVENTS_KEPT = 200
_AGAIN_S = 1.0


class Daemon:
    """One maglevd.

    Args:
        name: What the page calls it: its address as the operator wrote it.
        client: A client of it.
        broker: Where changes go.
        log_broker: Where log records go; they are asked for while it has readers.
    """

    def __init__(self, name: str, client: Client, broker: Broker, log_broker: Broker | None = None) -> None:
        self.name = name
        self.client = client
        self.mirror = Mirror()
        self.status = Status(since_s=time.time())
        self._broker = broker
        self._log_broker = log_broker
        self._probes = Probes(client, self.mirror, lambda: self.status.connected)
        self._logs = Tap(client, self._wanted_logs, self._take_record)
        self._rates = Rates()
        self._activity = Activity()
        self._events: deque[bytes] = deque(maxlen=EVENTS_KEPT)
        self._counters = b"{}"
        self._active = b"null"
        self._status_sent = b""
        self._dirty = anyio.Event()
        self._refresher = Refresher(client, self.mirror)

    async def run(self) -> None:
        """Keep up, until cancelled. Nothing that the daemon does or says ends this."""
        async with anyio.create_task_group() as tasks:
            for work in (self._watch, self._probes.run, self._logs.run, self._ask, self._count, self._refresh):
                tasks.start_soon(self._guarded, work)
            tasks.start_soon(self._publish)
            tasks.start_soon(self._publish_beats)

    def look_at(self, frontends: Iterable[str]) -> bytes:
        """Follow the probes of these frontends' backends for a while, and tell what is known of them, as JSON.

        Args:
            frontends: Their names, the most important first; those that do not exist are let pass.
        """
        known = [self.mirror.frontends[name] for name in frontends if name in self.mirror.frontends]
        names = [member.backend for frontend in known for member in frontend.members]
        return wire.encode(self._probes.look_at(names))

    def state(self) -> bytes:
        """Everything, as JSON."""
        parts = (
            b'"name":' + wire.encode(self.name),
            b'"status":' + wire.encode(self.status.wire()),
            b'"counters":' + self._counters,
            b'"activity":' + self._active,
            b'"followed":' + wire.encode(AT_MOST),
            b'"beats":' + wire.encode(self._probes.beats.kept()),
            b'"events":[' + b",".join(self._events) + b"]",
            b'"state":' + self.mirror.whole(),
        )
        return b"{" + b",".join(parts) + b"}"

    async def refresh(self) -> None:
        """Read everything at once, as after a command."""
        self._refresher.want_all()
        await self._refresher.refresh()
        self._dirty.set()

    # --- what comes -----------------------------------------------------------------------------------------------

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it again whenever it ends, and whyever it does."""
        while True:
            try:
                await work()
            except (ClientError, api.CommandError, api.DataplaneError) as error:
                log.debug("call failed", server=self.name, error=str(error))
            except Exception:
                # What a daemon of another version says must not take the others' pages down.
                log.exception("a feed failed and is started again", server=self.name)
            await anyio.sleep(_AGAIN_S)

    async def _watch(self) -> None:
        async with aclosing(self.client.watch()) as items:
            async for item in items:
                match item:
                    case Connected(snapshot):
                        self.mirror.replace(snapshot)
                        self._probes.beats.forget(self.mirror.backends)
                        self._rates.forget()
                        self._activity.forget()
                        self._see(connected=True, answering=True)
                    case Watched(delivery, initial):
                        if not initial:
                            self._take(delivery)
                    case Disconnected(why):
                        self._see(connected=False, answering=False, why=why)
                self._dirty.set()

    def _take(self, delivery: api.Delivery) -> None:
        event = delivery.event
        self.mirror.patch(event)
        self._refresher.note(event)
        if delivery.lost:
            self._refresher.want_all()
        text = wire.encode({"n": delivery.sequence, "lost": delivery.lost, **wire.event(event)})
        self._events.append(text)
        self._send("event", text)

    def _wanted_logs(self) -> api.EventFilter | None:
        read = self._log_broker is not None and self._log_broker.readers
        return logs.WANTED if self.status.connected and read else None

    def _take_record(self, delivery: api.Delivery) -> None:
        if isinstance(delivery.event, api.LogEvent) and self._log_broker is not None:
            text = wire.encode({"n": delivery.sequence, "lost": delivery.lost, **logs.record(delivery.event)})
            self._log_broker.publish(self._message("event", text))

    async def _ask(self) -> None:
        while True:
            before = self.status.info
            try:
                # Not anyio's: gRPC raises a cancellation of its own, which anyio would take for somebody else's.
                async with asyncio.timeout(INFO_WITHIN_S):
                    info = await self.client.info()
            except TimeoutError:
                self._see(connected=self.status.connected, answering=False, why="it does not answer")
            except ClientError as error:
                self._see(connected=self.status.connected, answering=False, why=str(error))
            else:
                self.status = self.status.told(info)
                if self.status.connected:
                    self._see(connected=True, answering=True)
                if before is not None and before.config_loaded_at_s != info.config_loaded_at_s:
                    self._refresher.want_all()
                self._dirty.set()
            await anyio.sleep(INFO_EVERY_S)

    async def _count(self) -> None:
        while True:
            await anyio.sleep(COUNTERS_EVERY_S)
            if self.status.connected and self._broker.readers:
                told = (await self.client.dataplane()).api_messages
                active = wire.encode(self._activity.read(told, time.monotonic()))
                if active != self._active:
                    self._active = active
                    self._send("activity", active)
                counted = await self.client.counters()
                counters = wire.encode(self._rates.read(counted, time.monotonic()))
                if counters != self._counters:
                    self._counters = counters
                    self._send("counters", counters)

    async def _refresh(self) -> None:
        while True:
            await self._refresher.due()
            if self.status.connected:
                await self._refresher.refresh()
                self._dirty.set()

    # --- what goes ------------------------------------------------------------------------------------------------

    def _see(self, *, connected: bool, answering: bool, why: str = "") -> None:
        now_s = time.time()
        self.status = self.status.changed(now_s, connected=connected, answering=answering, why=why)
        self._dirty.set()

    async def _publish(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty = anyio.Event()
            status = wire.encode(self.status.wire())
            if status != self._status_sent:
                self._status_sent = status
                self._send("status", status)
            changes = self.mirror.take()
            if changes:
                self._send("state", changes)
            await anyio.sleep(SETTLE_S)

    async def _publish_beats(self) -> None:
        while True:
            await anyio.sleep(BEATS_EVERY_S)
            self._probes.review()
            self._logs.review()
            fresh = self._probes.beats.take()
            if fresh and self._broker.readers:
                self._send("beats", wire.encode(fresh))

    def _send(self, kind: str, data: bytes) -> None:
        self._broker.publish(self._message(kind, data))

    def _message(self, kind: str, data: bytes) -> bytes:
        return b'{"maglevd":' + wire.encode(self.name) + b',"kind":' + wire.encode(kind) + b',"data":' + data + b"}"


def summary(daemon: Daemon) -> dict[str, Any]:
    """What the list of daemons says of one."""
    states = [frontend.state.value for frontend in daemon.mirror.frontends.values()]
    return {
        "name": daemon.name,
        "status": daemon.status.wire(),
        "frontends": {state: states.count(state) for state in sorted(set(states))},
    }
