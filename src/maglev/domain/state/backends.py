"""Changes the health of backends: by a verdict, by a command, by a reload."""

from __future__ import annotations

from maglev.api import BackendEvent, BackendState, ProbeResult, Transition
from maglev.domain.health import Health
from maglev.domain.model import BackendStatus, ProbeSpec
from maglev.domain.state.effects import Collector, ProbeEffect, StartProbe, StopProbe, SwapProbe
from maglev.domain.state.frontends import backend_moved
from maglev.domain.state.state import State


def become(
    state: State, name: str, new: Health, out: Collector, *, result: ProbeResult | None = None, why: str
) -> bool:
    """Give a backend another health; its frontends follow. Returns whether its state changed.

    Args:
        state: The state to change.
        name: The backend.
        new: Its health from now on.
        out: Where the effects go.
        result: The probe result that decided it; `None` for a command or a reload.
        why: The cause where no probe decided (`pause`, `reload`).
    """
    transition = transit(state, name, new, out, result=result, why=why)
    if transition is None:
        return False
    backend_moved(state, name, transition, out)
    return True


def transit(
    state: State, name: str, new: Health, out: Collector, *, result: ProbeResult | None = None, why: str
) -> Transition | None:
    """Give a backend another health and leave its frontends as they are. Returns the transition, if it is one."""
    old, state.health[name] = state.health[name], new
    if old.state is new.state:
        return None
    transition = Transition(old.state, new.state, out.at_s, result, why)
    state.history[name] = (*state.history[name], transition)[-state.config.transition_history :]
    state.statuses[name] = BackendStatus(new.state, str(result) if result is not None else why, out.at_s)
    out.events.append(BackendEvent(out.at_s, name, state.users.get(name, ()), transition))
    return transition


def probe_now(state: State, name: str) -> ProbeSpec | None:
    """Return how to probe a backend now; `None` if it is not probed."""
    backend = state.config.backends.get(name)
    return backend.probe if backend is not None and state.health[name].probed else None


def probe_effect(name: str, before: ProbeSpec | None, after: ProbeSpec | None, within_ns: int) -> ProbeEffect | None:
    """Return the change of a backend's probe; `None` if there is none."""
    if after is None:
        return StopProbe(name) if before is not None else None
    if before is None:
        return StartProbe(name, after, within_ns)
    return SwapProbe(name, after) if before is not after else None


def awaits_probe(before: Health, after: Health) -> bool:
    """Whether a command put a backend, whose state was known, to unknown: its weight follows from its first probe."""
    return after.state is BackendState.UNKNOWN and before.state is not BackendState.UNKNOWN
