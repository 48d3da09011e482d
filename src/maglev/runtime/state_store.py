"""Holds the live State, and hands the effects of each step out: the one place where they are carried out.

Events go on the bus and into the log, addresses to the reconciler's queue, probe effects to the probe jobs' queue.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import ParamSpec, Protocol

import anyio
import attrs

from maglev.api import BackendEvent, Checker, FrontendEvent, WeightEvent
from maglev.domain.state import Change, Effects, ProbeEffect, State, step
from maglev.domain.state.effects import NOTHING
from maglev.runtime.bus import Bus
from maglev.runtime.logging import get_logger

Address = IPv4Address | IPv6Address
P = ParamSpec("P")

log = get_logger("maglev.state")


class SyncQueue:
    """The VIP addresses that the dataplane may have to follow on, until the reconciler takes them."""

    def __init__(self) -> None:
        self.addresses: dict[Address, None] = {}
        self._wake = anyio.Event()

    def put(self, addresses: Iterable[Address]) -> None:
        """Have some addresses looked at soon."""
        self.addresses.update(dict.fromkeys(addresses))
        self.wake()

    def take(self, wanted: Callable[[Address], bool]) -> tuple[Address, ...]:
        """Take those that are wanted off the queue."""
        taken = tuple(filter(wanted, self.addresses))
        for address in taken:
            del self.addresses[address]
        return taken

    def wake(self) -> None:
        """Wake who waits."""
        self._wake.set()

    def clear_wake(self) -> None:
        """Let `wait` wait for the next change."""
        if self._wake.is_set():
            self._wake = anyio.Event()

    async def wait(self) -> None:
        """Wait until something was put, or somebody called `wake`, since `clear_wake`."""
        await self._wake.wait()


@attrs.frozen
class CloseChecker:
    """Close a checker that no backend uses any more."""

    checker: Checker


class ProbeQueue:
    """Probes to start, stop or swap, and checkers to close, until the probe jobs take them."""

    def __init__(self) -> None:
        self._effects: deque[ProbeEffect | CloseChecker] = deque()
        self._wake = anyio.Event()

    def put(self, effects: Iterable[ProbeEffect | CloseChecker]) -> None:
        """Have some effects carried out soon, in their order."""
        self._effects.extend(effects)
        self._wake.set()

    def close(self, checkers: Iterable[Checker]) -> None:
        """Have checkers closed once the effects before have been carried out."""
        self.put(map(CloseChecker, checkers))

    def take(self) -> Iterable[ProbeEffect | CloseChecker]:
        """Take all off the queue, in their order."""
        while self._effects:
            yield self._effects.popleft()

    async def wait(self) -> None:
        """Wait until something is there."""
        if not self._effects:
            self._wake = anyio.Event()
            await self._wake.wait()


class Store(Protocol):
    """The store through which steps are taken: that of the live State, or of a fork."""

    state: State

    def step(self, change: Change[P], *arguments: P.args, **options: P.kwargs) -> Effects:
        """Take one step; as `maglev.domain.state.step`."""
        ...


class StateStore:
    """Holds the live State.

    Args:
        state: The State.
        bus: Where events go.
        syncs: Where addresses go.
        probes: Where probe effects go.
    """

    def __init__(self, state: State, bus: Bus, syncs: SyncQueue, probes: ProbeQueue) -> None:
        self.state = state
        self._bus = bus
        self._syncs = syncs
        self._probes = probes

    def step(self, change: Change[P], *arguments: P.args, **options: P.kwargs) -> Effects:
        """Take one step and carry out its effects; as `maglev.domain.state.step`."""
        effects = step(self.state, time.time(), change, *arguments, **options)
        self._carry_out(effects)
        return effects

    def adopt(self, fork: State, effects: Effects) -> None:
        """Take over what a step made of a fork of the State, and carry out its effects.

        Args:
            fork: Made of this State since the last await; not to be used any more.
            effects: What the step on it returned.
        """
        self.state.adopt(fork)
        self._carry_out(effects)

    def _carry_out(self, effects: Effects) -> None:
        if effects is NOTHING:
            return
        for event in effects.events:
            _log_event(event)
            self._bus.publish(event)
        for note in effects.notes:
            log.log(_LEVELS[note.level], note.message, **note.fields)
        if effects.probes:
            self._probes.put(effects.probes)
        if effects.sync:
            self._syncs.put(effects.sync)


@attrs.define
class ForkStore:
    """Holds a fork of a State. Nothing is carried out."""

    state: State

    def step(self, change: Change[P], *arguments: P.args, **options: P.kwargs) -> Effects:
        """Take one step; as `maglev.domain.state.step`."""
        return step(self.state, time.time(), change, *arguments, **options)


_LEVELS = {"debug": 10, "info": 20, "warning": 30}


def _log_event(event: BackendEvent | FrontendEvent | WeightEvent) -> None:
    match event:
        case BackendEvent(transition=moved):
            why = str(moved.result) if moved.result is not None else moved.why
            states = {"from": str(moved.from_state), "to": str(moved.to_state)}
            log.info("backend", backend=event.backend, **states, why=why)
        case FrontendEvent():
            states = {"from": str(event.from_state), "to": str(event.to_state)}
            log.info("frontend", frontend=event.frontend, **states, why=event.why)
        case WeightEvent():
            log.info(
                "weight",
                frontend=event.frontend,
                pool=event.pool,
                backend=event.backend,
                weight=event.effective,
                previous=event.previous,
                reason=event.reason,
            )
