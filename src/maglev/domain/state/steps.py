"""`step`: the one way in which the State changes. Doing takes a step on the live State, predicting on a fork."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from maglev.api import BackendState, ProbeResult
from maglev.domain.health import Health, interval_ns, observe
from maglev.domain.state.backends import become
from maglev.domain.state.effects import Collector, Effects
from maglev.domain.state.state import State

_NO_INTERVAL_NS = 1_000_000_000

P = ParamSpec("P")
Change = Callable[Concatenate[State, Collector, P], None]
"""What a step does: `change(state, out, *arguments)`, one of the functions of this package."""


def step(state: State, at_s: float, change: Change[P], *arguments: P.args, **options: P.kwargs) -> Effects:
    """Change the State, and say what the world has to do for it.

    Args:
        state: What to change: the live State, or a fork of it.
        at_s: When, in seconds since the epoch; written into events.
        change: `verdict`, `command`, `take_config`, or what the dataplane did (`maglev.domain.state.sync`).
        arguments: Its arguments.
        options: Its keyword arguments.

    Raises:
        CommandError: A command was refused; nothing was changed. `take_config` may raise anything at any point, since
            it compares what plugins gave: take it on a fork.
    """
    out = Collector(at_s)
    change(state, out, *arguments, **options)
    return out.effects()


def verdict(state: State, out: Collector, backend: str, result: ProbeResult, *, passed: bool) -> None:
    """A probe passed or failed. Void results are no verdicts and never come here."""
    rule = state.config.backends[backend].rule
    if rule is not None:
        become(state, backend, observe(state.health[backend], rule, passed), out, result=result, why="")


def assume_down(state: State, out: Collector, backend: str) -> None:
    """Take a backend for down, as a trace does for the server that a flow has."""
    become(state, backend, Health(BackendState.DOWN, 0), out, why="assumed")


def next_probe_ns(state: State, backend: str) -> int:
    """Return the time from a backend's last probe to the next one, start to start, in nanoseconds, before jitter."""
    configured = state.config.backends[backend]
    if configured.rule is None or configured.intervals is None:
        return _NO_INTERVAL_NS
    return interval_ns(state.health[backend], configured.rule, configured.intervals)


def void_while_dataplane_lost(state: State, backend: str, ended_ns: int) -> bool:
    """Whether a failure proves nothing, since the probe travels through a dataplane that is, or was just now, lost.

    Args:
        state: The State.
        backend: Whose probe.
        ended_ns: When it ended, on a monotonic clock, in nanoseconds.
    """
    if not (state.dataplane_carries_probes and state.config.probes_in_netns):
        return False
    connected_ns = state.dataplane.connected_at_ns
    return connected_ns is None or ended_ns < connected_ns + next_probe_ns(state, backend)
