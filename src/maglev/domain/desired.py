"""Computes the VIP that a frontend wants in the dataplane: its attributes, its servers and their table weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from maglev.api import VipAttributes, VipState
from maglev.domain.frontend import Assessment
from maglev.domain.model import Frontend
from maglev.domain.table import Address
from maglev.domain.weights import infer_step, table_weight


@attrs.frozen
class DesiredServer:
    """One server of a VIP, as wanted.

    Args:
        weight: Its weight in the table, 0 to 100.
        flush: Whether its established flows are to leave it, once.
    """

    weight: int
    flush: bool = False


@attrs.frozen
class DesiredVip:
    """One VIP, as wanted.

    Args:
        attributes: What it is to be made with.
        step: The step that the weights below stand on: `wanted_step`, or what was found in the dataplane.
        servers: All its servers by address, those of weight 0 too.
        wanted_step: The step that the file asks for; another `step` is drift, put right by `recreate`.
        flushed: Addresses that are no longer among the servers and take their established flows with them.
    """

    attributes: VipAttributes
    step: int
    servers: Mapping[Address, DesiredServer]
    wanted_step: int = attrs.field(default=attrs.Factory(lambda self: self.step, takes_self=True))
    flushed: frozenset[Address] = frozenset()


def desired_vip(
    frontend: Frontend,
    assessment: Assessment,
    found: VipState | None,
    flushes: Collection[Address] = (),
    *,
    step: int | None = None,
) -> DesiredVip:
    """Say what the dataplane should hold for one frontend.

    A VIP that is found with weights on another step than the file's keeps it: rescaling one server after the other
    would skew the table meanwhile, and for nothing. The step is inferred from weights, and only a first look at a VIP
    that somebody else wrote tells the truth: weights that change later look like another step. So infer it once
    (`found_step`), and hand it in as `step` from then on.

    Args:
        frontend: The frontend.
        assessment: Its effective weights, 0 to 100.
        found: Its VIP in the dataplane; `None` if there is none, or if it is made anew.
        flushes: Servers of this frontend whose established flows are due to be flushed, removed servers included. One
            that has weight (`when-none-up: hold`) is not flushed, and its flush stays due: there is nowhere to go.
        step: The step that the VIP is known to stand on, 1 to 100 (the file's own after `recreate`); `None` to infer
            it from what is found.

    Raises:
        ValueError: A weight or the step is out of range.
    """
    if step is None:
        step = found_step(frontend, assessment, found) or frontend.step
    servers = {
        server: DesiredServer(table_weight(weight, step).value, flush=not weight and server in flushes)
        for server, weight in assessment.weights.items()
    }
    return DesiredVip(
        attributes=frontend.attributes,
        step=step,
        servers=servers,
        wanted_step=frontend.step,
        flushed=frozenset(flushes).difference(servers),
    )


def found_step(frontend: Frontend, assessment: Assessment, found: VipState | None) -> int | None:
    """Infer the weight step that a VIP (`None`: there is none) stands on in the dataplane; `None` if nothing tells."""
    if found is None:
        return None
    table_weights = {server: state.weight for server, state in found.servers.items()}
    return infer_step(table_weights, assessment.weights, expected=frontend.step)
