"""The State: everything that changes and decides. Steps change it; a preview takes them on a fork of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev.api import Transition, VipKey
from maglev.domain import warmup
from maglev.domain.frontend import Assessment
from maglev.domain.health import Health
from maglev.domain.model import BackendStatus, Frontend, ResolvedConfig
from maglev.domain.overrides import OperatorOverrides
from maglev.domain.state.dataplane_view import DataplaneView

Address = IPv4Address | IPv6Address


@attrs.define(eq=False)
class State:
    """Everything that verdicts, commands, reloads and the dataplane change, by name where nothing else is said.

    All values in its collections are immutable, so a fork copies the collections alone: 10 000 backends take half a
    millisecond. Only the steps of this package change it.

    Args:
        warm: The warm-up after the start of the process.
        dataplane_carries_probes: Whether probes in a network namespace travel through the dataplane.
    """

    warm: warmup.WarmUp
    dataplane_carries_probes: bool = False
    config: ResolvedConfig = attrs.field(factory=ResolvedConfig)
    overrides: OperatorOverrides = attrs.field(factory=OperatorOverrides)
    health: dict[str, Health] = attrs.field(factory=dict)
    """The health of each backend."""
    statuses: dict[str, BackendStatus] = attrs.field(factory=dict)
    """What is known of each backend, for decisions and for people."""
    history: dict[str, tuple[Transition, ...]] = attrs.field(factory=dict)
    """The newest transitions of each backend, newest last."""
    users: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """The frontends that use each backend."""
    frontends: dict[str, Frontend] = attrs.field(factory=dict)
    """The frontends with operators' weights applied."""
    at: Mapping[Address, tuple[str, ...]] = attrs.field(factory=dict)
    """The frontends of each VIP address."""
    assessments: dict[str, Assessment] = attrs.field(factory=dict)
    assessed_with: dict[str, frozenset[Address]] = attrs.field(factory=dict)
    """Which servers the dataplane gave weight to when each frontend was last assessed."""
    last_weights: dict[str, Mapping[Address, int]] = attrs.field(factory=dict)
    """The last weights of each frontend that were not all 0 and free to go to the dataplane."""
    dataplane: DataplaneView = attrs.field(factory=DataplaneView)

    def fork(self) -> State:
        """Return a state that starts as this one and changes on its own."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in attrs.fields(State)}
        copies: dict[str, Any] = {n: v.copy() if isinstance(v, dict) else v for n, v in values.items()}
        return State(**{**copies, "dataplane": self.dataplane.fork()})

    def adopt(self, other: State) -> None:
        """Become what another state is; that one is not to be used any more."""
        for field in attrs.fields(State):
            setattr(self, field.name, getattr(other, field.name))

    # --- what follows from it -------------------------------------------------------------------------------------

    def specs_at(self, address: Address) -> list[Frontend]:
        """The frontends of one address."""
        return [self.frontends[name] for name in self.at.get(address, ())]

    def names(self, addresses: Collection[Address]) -> tuple[str, ...]:
        """The frontends of some addresses."""
        return tuple(name for address in addresses for name in self.at.get(address, ()))

    def size(self, address: Address) -> int:
        """Return how many servers, wanted or found, all VIPs of an address have together."""
        wanted = sum(len(self.assessments[name].members) for name in self.at.get(address, ()))
        return max(wanted, self.dataplane.size(address))

    def released(self, address: Address) -> bool:
        """Whether the warm-up is over for all frontends of an address, which are planned together."""
        return all(warmup.may_write(self.warm, name) for name in self.at.get(address, ())) and (
            address in self.at or self.warm.over
        )

    def weight_step(self, spec: Frontend, *, recreate: bool = False) -> int:
        """The weight step that a frontend's VIP stands on, or is to; with `recreate` the file's own."""
        view = self.dataplane
        anew = recreate or view.vip(spec.vip) is None or spec.vip in view.rebuild
        return spec.step if anew else view.steps.get(spec.vip, spec.step)

    def carried(self, vip: VipKey, name: str, server: Address) -> bool:
        """Whether the dataplane gives a server weight, or is to have while it is not known."""
        if self.dataplane.known:
            return server in self.dataplane.carrying(vip)
        assessment = self.assessments.get(name)
        return assessment is not None and assessment.weights.get(server, 0) > 0
