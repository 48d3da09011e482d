"""The State and its steps: pure functions for verdicts, commands, reloads and looks at the dataplane."""

from maglev.domain.state.commands import known
from maglev.domain.state.effects import Effects, Note, ProbeEffect, StartProbe, StopProbe, SwapProbe
from maglev.domain.state.reload import TakeConfig
from maglev.domain.state.state import State
from maglev.domain.state.steps import (
    AssumeDown,
    Verdict,
    next_probe_ns,
    step,
    void_while_dataplane_lost,
)

__all__ = [
    "AssumeDown",
    "Effects",
    "Note",
    "ProbeEffect",
    "StartProbe",
    "State",
    "StopProbe",
    "SwapProbe",
    "TakeConfig",
    "Verdict",
    "known",
    "next_probe_ns",
    "step",
    "void_while_dataplane_lost",
]
