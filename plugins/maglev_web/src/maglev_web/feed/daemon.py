"""Keeps up with one daemon, and publishes what changes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import anyio

from maglev.api import CommandError, DataplaneError, EventFilter
from maglev.logs import get_logger
from maglev_grpc.client import Client, ClientError, Disconnected
from maglev_grpc.convert import json_bytes, short_names
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed import logs
from maglev_web.feed.broker import Broker
from maglev_web.feed.counters import DataplaneMessages, VipTraffic
from maglev_web.feed.messages import JSON, json_object
from maglev_web.feed.on_demand import OnDemandStream
from maglev_web.feed.probes import AT_MOST, Probes
from maglev_web.feed.refresh import Refresher
from maglev_web.feed.state import State
from maglev_web.feed.status import Status

log = get_logger("maglev.web")

INFO_EVERY_S = 2.0
INFO_WITHIN_S = 2.5
"""A daemon that takes longer to answer `GetInfo` is shown as not answering."""
COUNTERS_EVERY_S = 2.0
PROBES_EVERY_S = 1.0
SETTLE_S = 0.05
"""Wait this long after a change, so that changes close together are sent together."""
EVENTS_KEPT = 200
_AGAIN_S = 1.0
_STATES = short_names(pb.FrontendState.DESCRIPTOR)


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
        self.state = State()
        self.status = Status(since_s=time.time())
        self._broker = broker
        self._log_broker = log_broker
        self._probes = Probes(client, self.state, lambda: self.status.connected)
        self._logs = OnDemandStream(client, self._wanted_logs, self._take_record)
        self._traffic = VipTraffic()
        self._messages = DataplaneMessages()
        self._events: deque[bytes] = deque(maxlen=EVENTS_KEPT)
        # What was sent last, by its kind.
        self._sent = {"status": b"null", "counters": b"[]", "activity": b"null"}
        self._changed = anyio.Event()
        self._refresher = Refresher(client, self.state)

    async def run(self) -> None:
        """Keep up, until cancelled. Nothing that the daemon does or says ends this."""
        async with anyio.create_task_group() as tasks:
            for reading in (self._watch, self._poll_info, self._poll_counters, self._refresh):
                tasks.start_soon(self._guarded, reading)
            for work in (self._probes.run, self._logs.run, self._publish, self._publish_probes):
                tasks.start_soon(self._guarded, work)

    def follow(self, frontends: Iterable[str]) -> bytes:
        """Follow the probes of these frontends' backends for a while, and tell what is known of them, as JSON.

        Args:
            frontends: Their names, the most important first; those that do not exist are let pass.
        """
        known = [self.state.frontends[name] for name in frontends if name in self.state.frontends]
        return json_bytes(self._probes.follow([member.backend for frontend in known for member in frontend.members]))

    def whole(self) -> bytes:
        """Everything, as JSON."""
        parts = {
            "name": json_bytes(self.name),
            "status": json_bytes(self.status.plain()),
            "counters": self._sent["counters"],
            "activity": self._sent["activity"],
            "followed": json_bytes(AT_MOST),
            "probes": json_bytes(self._probes.history.kept()),
            "events": b"[" + b",".join(self._events) + b"]",
            "state": self.state.whole(),
        }
        return json_object(parts.items())

    async def refresh(self) -> None:
        """Read everything at once, as after a command."""
        self._refresher.want_all()
        await self._refresher.refresh()
        self._changed.set()

    # --- what comes -----------------------------------------------------------------------------------------------

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it again whenever it ends, for whatever reason."""
        while True:
            try:
                await work()
            except (ClientError, CommandError, DataplaneError) as error:
                log.debug("call failed", server=self.name, error=str(error))
            except Exception:
                # What a daemon of another version says must not take the others' pages down.
                log.exception("a feed failed and is started again", server=self.name)
            await anyio.sleep(_AGAIN_S)

    async def _watch(self) -> None:
        async with aclosing(self.client.watch_messages()) as messages:
            async for message in messages:
                if isinstance(message, Disconnected):
                    self._set_status(connected=False, answering=False, why=message.why)
                    continue
                if message.HasField("snapshot"):
                    self._take_snapshot(message.snapshot)
                for event in message.events:
                    if event.WhichOneof("event"):  # else it is of a newer daemon's
                        self._take_event(event)
                self._changed.set()

    def _take_snapshot(self, snapshot: pb.Snapshot) -> None:
        self.state.replace(snapshot)
        self._probes.history.forget(self.state.backends)
        # Counters of another start give no rates.
        self._traffic, self._messages = VipTraffic(), DataplaneMessages()
        self._set_status(connected=True, answering=True)

    def _take_event(self, event: pb.Event) -> None:
        self.state.patch(event)
        self._refresher.note(event)
        if event.lost:
            self._refresher.want_all()
        text = JSON.text(event)
        self._events.append(text)
        self._send("event", text)

    def _wanted_logs(self) -> EventFilter | None:
        read = self._log_broker is not None and self._log_broker.readers
        return logs.WANTED if self.status.connected and read else None

    def _take_record(self, event: pb.Event) -> None:
        if event.HasField("log") and self._log_broker is not None:
            self._log_broker.publish(self._message("event", json_bytes(logs.record(event))))

    async def _poll_info(self) -> None:
        while True:
            before = self.status.info
            try:
                # Not anyio's: gRPC raises a cancellation of its own, which anyio would take for somebody else's.
                async with asyncio.timeout(INFO_WITHIN_S):
                    info: pb.Info = await self.client.read("GetInfo", pb.GetInfoRequest())
            except TimeoutError:
                self._set_status(connected=self.status.connected, answering=False, why="it does not answer")
            except ClientError as error:
                self._set_status(connected=self.status.connected, answering=False, why=str(error))
            else:
                self.status = self.status.with_info(info)
                if self.status.connected:
                    self._set_status(connected=True, answering=True)
                if before is not None and before.config_loaded_at_s != info.config_loaded_at_s:
                    self._refresher.want_all()
                self._changed.set()
            await anyio.sleep(INFO_EVERY_S)

    async def _poll_counters(self) -> None:
        while True:
            await anyio.sleep(COUNTERS_EVERY_S)
            if self.status.connected and self._broker.readers:
                plane: pb.Dataplane = await self.client.read("GetDataplaneInfo", pb.GetDataplaneInfoRequest())
                messages = self._messages.read(plane.api_messages, time.monotonic())
                self._send_if_new("activity", json_bytes(messages))
                answer = await self.client.read("GetDataplaneCounters", pb.GetDataplaneCountersRequest())
                traffic = self._traffic.read(answer.counters, time.monotonic())
                self._send_if_new("counters", json_bytes(traffic))

    async def _refresh(self) -> None:
        while True:
            await self._refresher.due()
            if self.status.connected:
                await self._refresher.refresh()
                self._changed.set()

    # --- what goes ------------------------------------------------------------------------------------------------

    def _set_status(self, *, connected: bool, answering: bool, why: str = "") -> None:
        now_s = time.time()
        self.status = self.status.changed(now_s, connected=connected, answering=answering, why=why)
        self._changed.set()

    async def _publish(self) -> None:
        while True:
            await self._changed.wait()
            self._changed = anyio.Event()
            self._send_if_new("status", json_bytes(self.status.plain()))
            changes = self.state.take()
            if changes:
                self._send("state", changes)
            await anyio.sleep(SETTLE_S)

    async def _publish_probes(self) -> None:
        while True:
            await anyio.sleep(PROBES_EVERY_S)
            self._probes.review()
            self._logs.review()
            fresh = self._probes.history.take()
            if fresh and self._broker.readers:
                self._send("probes", json_bytes(fresh))

    def _send_if_new(self, kind: str, data: bytes) -> None:
        if data != self._sent[kind]:
            self._sent[kind] = data
            self._send(kind, data)

    def _send(self, kind: str, data: bytes) -> None:
        self._broker.publish(self._message(kind, data))

    def _message(self, kind: str, data: bytes) -> bytes:
        return json_object({"maglevd": json_bytes(self.name), "kind": json_bytes(kind), "data": data}.items())


def summary(daemon: Daemon) -> dict[str, Any]:
    """Summarise one daemon for the list of daemons."""
    states = [_STATES[frontend.state] for frontend in daemon.state.frontends.values()]
    return {
        "name": daemon.name,
        "status": daemon.status.plain(),
        "frontends": {state: states.count(state) for state in sorted(set(states))},
    }
