"""`step`: the one way in which the State changes. Doing runs it on the live State, predicting on a fork."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from maglev.api import (
    BackendState,
    DisableBackend,
    EnableBackend,
    PauseBackend,
    ProbeResult,
    ResetBackend,
    ResetFrontendPoolBackendWeight,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
)
from maglev.domain.health import Health, interval_ns, observe
from maglev.domain.state import sync
from maglev.domain.state.backends import become
from maglev.domain.state.commands import admin_command, weight_command
from maglev.domain.state.effects import Collector, Effects
from maglev.domain.state.reload import TakeConfig, take_config
from maglev.domain.state.state import State


@attrs.frozen
class Verdict:
    """A probe passed or failed. Void results are no verdicts and never come here.

    Args:
        backend: Whose probe.
        passed: Whether it passed.
        result: How it ended.
    """

    backend: str
    passed: bool
    result: ProbeResult


@attrs.frozen
class AssumeDown:
    """Take a backend for down, as a trace does for the server that a flow has."""

    backend: str


def step(state: State, change: Any, at_s: float) -> Effects:
    """Change the State, and say what the world has to do for it.

    Args:
        state: What to change: the live State, or a fork of it.
        change: A verdict, a command on a backend or a weight, a configuration to take over, or what the dataplane did.
        at_s: When, in seconds since the epoch; written into events.

    Raises:
        CommandError: A command was refused; nothing was changed. `TakeConfig` may raise anything at any point, since it
            compares what plugins gave: take it on a fork.
    """
    out = Collector(at_s)
    _STEPS[type(change)](state, change, out)
    return out.effects()


def next_probe_ns(state: State, backend: str) -> int:
    """How long from the start of a backend's last probe to the start of its next, in nanoseconds, before jitter."""
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


_NO_INTERVAL_NS = 1_000_000_000


def _verdict(state: State, change: Verdict, out: Collector) -> None:
    rule = state.config.backends[change.backend].rule
    if rule is not None:
        new = observe(state.health[change.backend], rule, change.passed)
        become(state, change.backend, new, out, result=change.result, why="")


def _assume_down(state: State, change: AssumeDown, out: Collector) -> None:
    become(state, change.backend, Health(BackendState.DOWN, 0), out, why="assumed")


_STEPS: dict[type, Callable[[State, Any, Collector], None]] = {
    Verdict: _verdict,
    AssumeDown: _assume_down,
    PauseBackend: admin_command,
    ResumeBackend: admin_command,
    DisableBackend: admin_command,
    EnableBackend: admin_command,
    ResetBackend: admin_command,
    SetFrontendPoolBackendWeight: weight_command,
    ResetFrontendPoolBackendWeight: weight_command,
    TakeConfig: take_config,
    sync.DataplaneConnected: sync.dataplane_connected,
    sync.DataplaneRead: sync.dataplane_read,
    sync.ReassessFrontend: sync.reassess_frontend,
    sync.DataplaneLost: sync.dataplane_lost,
    sync.DataplaneEmpty: sync.dataplane_empty,
    sync.Planned: sync.planned,
    sync.Written: sync.written,
    sync.ConfPlanned: sync.conf_planned,
    sync.ConfNotWritten: sync.conf_not_written,
    sync.Acknowledged: sync.acknowledged,
    sync.Uncertain: sync.uncertain,
    sync.WarmUpTick: sync.warm_up_tick,
}
