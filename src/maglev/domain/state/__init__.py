"""The State and its steps: pure functions for verdicts, commands, reloads and looks at the dataplane."""

from maglev.domain.state.commands import command, known
from maglev.domain.state.effects import Effects, ProbeEffect, StartProbe, StopProbe, SwapProbe
from maglev.domain.state.reload import take_config
from maglev.domain.state.state import State
from maglev.domain.state.steps import (
    Change,
    assume_down,
    next_probe_ns,
    step,
    verdict,
    void_while_dataplane_lost,
)

__all__ = [
    "Change",
    "Effects",
    "ProbeEffect",
    "StartProbe",
    "State",
    "StopProbe",
    "SwapProbe",
    "assume_down",
    "command",
    "known",
    "next_probe_ns",
    "step",
    "take_config",
    "verdict",
    "void_while_dataplane_lost",
]
