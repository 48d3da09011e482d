"""Keeps one daemon's state: its messages, the JSON made of them, and what of it has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from maglev_grpc.convert import json_bytes
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed.messages import JSON, json_object

HISTORY = 50
"""Transitions of a backend that the page gets, the newest."""

M = TypeVar("M", pb.Frontend, pb.Backend, pb.HealthCheck)


class _Table(Generic[M]):
    """Messages by name, and which of them changed since they were last taken. JSON is made when it is asked for."""

    def __init__(self) -> None:
        self.messages: dict[str, M] = {}
        self._texts: dict[str, bytes] = {}
        self._changed: dict[str, None] = {}

    def put(self, message: M) -> None:
        if self.messages.get(message.name) != message:
            self.messages[message.name] = message
            self.touch(message.name)

    def touch(self, name: str) -> None:
        self._texts.pop(name, None)
        self._changed[name] = None

    def replace(self, messages: Iterable[M]) -> None:
        now = {message.name: message for message in messages}
        for name in self.messages.keys() - now.keys():
            self.touch(name)
        for message in now.values():
            self.put(message)
        self.messages = now  # in the order of the file

    def take(self) -> bytes:
        """The JSON of what has changed, by name, `null` for what is gone; empty if nothing has."""
        changed, self._changed = self._changed, {}
        return json_object((name, self._text(name)) for name in changed) if changed else b""

    def whole(self) -> bytes:
        return json_object((name, self._text(name)) for name in self.messages)

    def _text(self, name: str) -> bytes:
        text = self._texts.get(name)
        if text is None:
            message = self.messages.get(name)
            if message is None:
                return b"null"
            text = self._texts[name] = JSON.text(message)
        return text


class State:
    """One daemon's state. Empty until the first snapshot. Messages that it is given are its own from then on."""

    def __init__(self) -> None:
        self._frontends = _Table[pb.Frontend]()
        self._backends = _Table[pb.Backend]()
        self._healthchecks = _Table[pb.HealthCheck]()
        self._singles: dict[str, bytes] = {"dataplane": b"null", "vips": b"null", "order": b"[]"}
        self._singles_taken = self._singles

    @property
    def frontends(self) -> Mapping[str, pb.Frontend]:
        """The frontends by name, in the order of the file."""
        return self._frontends.messages

    @property
    def backends(self) -> Mapping[str, pb.Backend]:
        """The backends by name, in the order of the file."""
        return self._backends.messages

    def replace(self, snapshot: pb.Snapshot) -> None:
        """Take a whole snapshot."""
        self._frontends.replace(snapshot.frontends)
        self._backends.replace(map(_shown, snapshot.backends))
        self._healthchecks.replace(snapshot.healthchecks)
        dataplane = snapshot.dataplane
        vips = len(dataplane.state.vips) if dataplane.HasField("state") else None
        self._singles = {
            "dataplane": JSON.text(dataplane),
            "vips": json_bytes(vips),
            "order": json_bytes(list(self.frontends)),
        }

    def put_frontend(self, frontend: pb.Frontend) -> None:
        """Take one frontend, if it is known."""
        if frontend.name in self.frontends:
            self._frontends.put(frontend)

    def put_backend(self, backend: pb.Backend) -> None:
        """Take one backend, if it is known."""
        if backend.name in self.backends:
            self._backends.put(_shown(backend))

    def patch(self, event: pb.Event) -> None:
        """Do at once what an event says; what else it entails comes with the next reading."""
        match event.WhichOneof("event"):
            case "backend":
                self._patch_backend(event.backend)
            case "frontend" if event.frontend.frontend in self.frontends:
                self._patch_frontend(event.frontend)
            case "weight" if event.weight.frontend in self.frontends:
                self._patch_weight(event.weight)
            case _:
                pass

    def take(self) -> bytes:
        """The JSON of all that has changed since the last time; empty if nothing has."""
        parts = [(name, text) for name, table in self._tables() if (text := table.take())]
        parts += [(name, text) for name, text in self._singles.items() if self._singles_taken.get(name) != text]
        self._singles_taken = self._singles
        return json_object(parts) if parts else b""

    def whole(self) -> bytes:
        """The JSON of everything."""
        return json_object([*((name, table.whole()) for name, table in self._tables()), *self._singles.items()])

    def _tables(self) -> tuple[tuple[str, _Table[pb.Frontend] | _Table[pb.Backend] | _Table[pb.HealthCheck]], ...]:
        return ("frontends", self._frontends), ("backends", self._backends), ("healthchecks", self._healthchecks)

    def _patch_backend(self, event: pb.BackendEvent) -> None:
        backend, change = self.backends.get(event.backend), event.transition
        if backend is None or change.to_state in (change.from_state, pb.BACKEND_STATE_REMOVED):
            return
        backend.state = change.to_state
        if change not in backend.history:
            backend.history.append(change)
        if change.HasField("result"):
            backend.last_result.CopyFrom(change.result)
        _shown(backend)
        self._backends.touch(event.backend)
        for name in event.frontends:
            if name in self.frontends:
                for member in self.frontends[name].members:
                    if member.backend == event.backend:
                        member.state = change.to_state
                self._frontends.touch(name)

    def _patch_frontend(self, event: pb.FrontendEvent) -> None:
        frontend = self.frontends[event.frontend]
        frontend.state, frontend.active_pool = event.to_state, event.active_pool
        frontend.why = event.why or frontend.why
        self._frontends.touch(event.frontend)

    def _patch_weight(self, event: pb.WeightEvent) -> None:
        for member in self.frontends[event.frontend].members:
            if (member.pool, member.backend) == (event.pool, event.backend):
                member.weight, member.effective_weight, member.reason = event.weight, event.effective, event.reason
        self._frontends.touch(event.frontend)


def _shown(backend: pb.Backend) -> pb.Backend:
    """Remove what is not shown, so that a backend of which only that is different counts as the same."""
    backend.ClearField("probes")
    backend.ClearField("last_result_at_s")
    if backend.HasField("last_result"):
        backend.last_result.ClearField("duration_ns")
    del backend.history[:-HISTORY]
    return backend
