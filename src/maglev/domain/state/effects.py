"""Effects: what a step asks the world to do, as values. The runtime carries them out, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev.api import BackendEvent, FrontendEvent, WeightEvent
from maglev.domain.model import ProbeSpec

Address = IPv4Address | IPv6Address


StateEvent = BackendEvent | FrontendEvent | WeightEvent
"""What a step can make happen."""


@attrs.frozen
class StartProbe:
    """Probe a backend from now on.

    Args:
        backend: Its name.
        probe: How to probe it.
        within_ns: The first probe starts at a random moment within this time, in nanoseconds.
    """

    backend: str
    probe: ProbeSpec
    within_ns: int


@attrs.frozen
class StopProbe:
    """Probe a backend no more."""

    backend: str


@attrs.frozen
class SwapProbe:
    """Probe a backend in another way, from when its next probe is due."""

    backend: str
    probe: ProbeSpec


ProbeEffect = StartProbe | StopProbe | SwapProbe


@attrs.frozen
class Note:
    """A log record.

    Args:
        level: `debug`, `info` or `warning`.
        message: Its short name.
        fields: What else it says.
    """

    level: str
    message: str
    fields: dict[str, Any]


@attrs.frozen
class Effects:
    """The effects of one step.

    Args:
        events: What happened, in order.
        sync: VIP addresses that the dataplane may have to follow on.
        probes: Probes to start, stop or swap, in order.
        notes: Log records that are no events, in order.
        messages: What whoever gave the command should know.
        changed: Whether a command changed anything.
        awaiting: Backends whose weight now follows from their first probe.
    """

    events: tuple[StateEvent, ...] = ()
    sync: tuple[Address, ...] = ()
    probes: tuple[ProbeEffect, ...] = ()
    notes: tuple[Note, ...] = ()
    messages: tuple[str, ...] = ()
    changed: bool = False
    awaiting: tuple[str, ...] = ()


NOTHING = Effects()


@attrs.define
class Collector:
    """Collects the effects of one step while it runs.

    Args:
        at_s: When the step is taken, in seconds since the epoch.
    """

    at_s: float
    events: list[StateEvent] = attrs.field(factory=list)
    addresses: dict[Address, None] = attrs.field(factory=dict)
    probes: list[ProbeEffect] = attrs.field(factory=list)
    notes: list[Note] = attrs.field(factory=list)
    messages: list[str] = attrs.field(factory=list)
    changed: bool = False
    awaiting: list[str] = attrs.field(factory=list)

    def sync(self, addresses: Iterable[Address]) -> None:
        """Have some addresses looked at."""
        self.addresses.update(dict.fromkeys(addresses))

    def note(self, level: str, message: str, **fields: Any) -> None:
        """Write a log record."""
        self.notes.append(Note(level, message, fields))

    def effects(self) -> Effects:
        """The same as a value; most verdicts only count, and ask for nothing."""
        if not (self.events or self.addresses or self.probes or self.notes or self.messages or self.changed):
            return NOTHING
        return Effects(
            tuple(self.events),
            tuple(self.addresses),
            tuple(self.probes),
            tuple(self.notes),
            tuple(self.messages),
            self.changed,
            tuple(self.awaiting),
        )
