"""The script: what is done to the backends, act by act, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from maglev.api import (
    BackendState,
    Command,
    PauseBackend,
    ResetFrontendPoolBackendWeight,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
)
from maglev.cli.demo.servers import Health
from maglev.cli.demo.setting import PRIMARY


@attrs.frozen
class Act:
    """One act.

    Args:
        title: What happens, in a few words.
        prose: What there is to see.
        servers: Servers that are killed, hung or healed.
        states: The states that backends will have for it; others stay.
        commands: Commands that are given, predicted by previews.
        traced: Follow one flow that this backend has before.
    """

    title: str
    prose: str
    servers: Mapping[str, Health] = attrs.field(factory=dict)
    states: Mapping[str, BackendState] = attrs.field(factory=dict)
    commands: tuple[Command, ...] = ()
    traced: str = ""


def _all(health: Health) -> dict[str, Health]:
    return dict.fromkeys(PRIMARY, health)


def _states(state: BackendState) -> dict[str, BackendState]:
    return dict.fromkeys(PRIMARY, state)


ACTS = (
    Act(
        "ams-1 dies",
        "Its port is closed, so probes are refused. After three failures in a row it gets weight 0, and only its own "
        "flows, and few others, find another server.",
        {"ams-1": Health.DEAD},
        {"ams-1": BackendState.DOWN},
        traced="ams-1",
    ),
    Act(
        "ams-1 comes back",
        "Two passes in a row bring it up, and every flow goes where it went before: the table depends on who serves, "
        "not on what has happened.",
        {"ams-1": Health.WELL},
        {"ams-1": BackendState.UP},
    ),
    Act(
        "the whole primary pool hangs",
        "Amsterdam still takes connections and says nothing, so probes time out. Once the last of the three is down, "
        "the fallback pool serves.",
        _all(Health.HUNG),
        _states(BackendState.DOWN),
    ),
    Act(
        "the primary pool answers again",
        "As soon as one of its servers is up, the primary pool is active again and Frankfurt stands by.",
        _all(Health.WELL),
        _states(BackendState.UP),
    ),
    Act(
        "ams-2 is drained",
        "An operator sets its weight in `web` to 0. It stays up, established flows stay with it, and `api` goes on "
        "using it. The prediction is the controller's own preview of the command.",
        commands=(SetFrontendPoolBackendWeight("web", "primary", "ams-2", 0),),
    ),
    Act(
        "ams-3 is paused",
        "No more probes and no new flows, in both frontends, until an operator resumes it.",
        commands=(PauseBackend("ams-3"),),
    ),
    Act(
        "everything is put back",
        "The weight is the file's again. ams-3 is probed from `unknown`, and gets its weight with the first pass.",
        commands=(ResetFrontendPoolBackendWeight("web", "primary", "ams-2"), ResumeBackend("ams-3")),
    ),
)
