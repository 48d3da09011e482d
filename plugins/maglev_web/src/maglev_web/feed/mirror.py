"""What one daemon last said, as values, and as the JSON made of them: pure, and cheap to ask what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from maglev.api import (
    BackendEvent,
    BackendSnapshot,
    BackendState,
    Event,
    FrontendEvent,
    FrontendSnapshot,
    HealthCheckSnapshot,
    Snapshot,
    WeightEvent,
)
from maglev_web.feed import wire

T = TypeVar("T")


class _Table:
    """Values by name, each with its JSON, and which of them changed since they were last taken."""

    def __init__(self, to_json: Callable[[Any], dict[str, Any]]) -> None:
        self.values: dict[str, Any] = {}
        self.texts: dict[str, bytes] = {}
        self._to_json = to_json
        self._changed: dict[str, None] = {}

    def put(self, name: str, value: Any) -> None:
        self.values[name] = value
        text = wire.encode(self._to_json(value))
        if self.texts.get(name) != text:
            self.texts[name] = text
            self._changed[name] = None

    def replace(self, values: Mapping[str, Any]) -> None:
        for name in self.values.keys() - values.keys():
            del self.values[name], self.texts[name]
            self._changed[name] = None
        for name, value in values.items():
            self.put(name, value)
        # The order of the file.
        self.values = {name: self.values[name] for name in values}
        self.texts = {name: self.texts[name] for name in values}

    def take(self) -> bytes:
        """The JSON of what has changed, by name, `null` for what is gone; empty if nothing has."""
        changed, self._changed = self._changed, {}
        return _object((name, self.texts.get(name, b"null")) for name in changed) if changed else b""

    def whole(self) -> bytes:
        return _object(self.texts.items())


def _object(items: Iterable[tuple[str, bytes]]) -> bytes:
    return b"{" + b",".join(wire.encode(name) + b":" + text for name, text in items) + b"}"


class Mirror:
    """One daemon's state. Empty until the first snapshot."""

    def __init__(self) -> None:
        self._tables = {
            "frontends": _Table(wire.frontend),
            "backends": _Table(wire.backend),
            "checks": _Table(wire.healthcheck),
        }
        self._single: dict[str, bytes] = {"dataplane": b"null"}
        self._order_sent: tuple[str, ...] = ()
        self._single_changed: set[str] = set()

    @property
    def frontends(self) -> Mapping[str, FrontendSnapshot]:
        """The frontends by name, in the order of the file."""
        return self._tables["frontends"].values

    @property
    def backends(self) -> Mapping[str, BackendSnapshot]:
        """The backends by name, in the order of the file."""
        return self._tables["backends"].values

    @property
    def checks(self) -> Mapping[str, HealthCheckSnapshot]:
        """The health checks by name."""
        return self._tables["checks"].values

    def replace(self, snapshot: Snapshot) -> None:
        """Take a whole snapshot."""
        self._tables["frontends"].replace(snapshot.frontends)
        self._tables["backends"].replace(snapshot.backends)
        self._tables["checks"].replace(snapshot.healthchecks)
        self.put_single("dataplane", wire.dataplane(snapshot.dataplane))

    def put_frontend(self, value: FrontendSnapshot) -> None:
        """Take one frontend, if it is known."""
        if value.name in self.frontends:
            self._tables["frontends"].put(value.name, value)

    def put_backend(self, value: BackendSnapshot) -> None:
        """Take one backend, if it is known."""
        if value.name in self.backends:
            self._tables["backends"].put(value.name, value)

    def put_single(self, name: str, value: Any) -> None:
        """Take something that there is one of."""
        text = wire.encode(value)
        if self._single.get(name) != text:
            self._single[name] = text
            self._single_changed.add(name)

    def patch(self, event: Event) -> None:
        """Do at once what an event says; what else it entails comes with the next reading."""
        match event:
            case BackendEvent():
                self._patch_backend(event)
            case FrontendEvent() if event.frontend in self.frontends:
                old = self.frontends[event.frontend]
                self.put_frontend(
                    attrs.evolve(old, state=event.to_state, active_pool=event.active_pool, why=event.why or old.why)
                )
            case WeightEvent() if event.frontend in self.frontends:
                self._patch_weight(event)
            case _:
                pass

    def take(self) -> bytes:
        """The JSON of all that has changed since the last time; empty if nothing has."""
        parts = {name: text for name, table in self._tables.items() if (text := table.take())}
        parts |= {name: self._single[name] for name in sorted(self._single_changed)}
        self._single_changed.clear()
        order = tuple(self.frontends)
        if order != self._order_sent:
            self._order_sent = order
            parts["order"] = wire.encode(order)
        return _object(parts.items()) if parts else b""

    def whole(self) -> bytes:
        """The JSON of everything."""
        tables = [(name, table.whole()) for name, table in self._tables.items()]
        return _object([*tables, *self._single.items(), ("order", wire.encode(tuple(self.frontends)))])

    def _patch_backend(self, event: BackendEvent) -> None:
        old = self.backends.get(event.backend)
        change = event.transition
        if old is None or change.from_state is change.to_state or change.to_state is BackendState.REMOVED:
            return
        history = old.history if change in old.history else (*old.history, change)[-wire.HISTORY :]
        last = change.result or old.last_result
        self.put_backend(attrs.evolve(old, state=change.to_state, history=history, last_result=last))
        for name in event.frontends:
            if (frontend := self.frontends.get(name)) is not None:
                members = tuple(
                    attrs.evolve(member, state=change.to_state) if member.backend == event.backend else member
                    for member in frontend.members
                )
                self.put_frontend(attrs.evolve(frontend, members=members))

    def _patch_weight(self, event: WeightEvent) -> None:
        old = self.frontends[event.frontend]
        members = tuple(
            attrs.evolve(member, weight=event.weight, effective_weight=event.effective, reason=event.reason)
            if (member.pool, member.backend) == (event.pool, event.backend)
            else member
            for member in old.members
        )
        self.put_frontend(attrs.evolve(old, members=members))
