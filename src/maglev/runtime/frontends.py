"""All frontends: what each comes to, what its VIP should look like, and what the warm-up still holds back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from time import monotonic_ns, time

import anyio.lowlevel

from maglev.api import (
    BackendState,
    DataplaneConf,
    Event,
    FrontendEvent,
    Transition,
    VipKey,
    WeightEvent,
)
from maglev.domain import warmup
from maglev.domain.desired import DesiredVip, desired_vip
from maglev.domain.frontend import Assessment, Effective, assess, flush_due
from maglev.domain.model import BackendStatus, Frontend
from maglev.runtime.ledger import Ledger
from maglev.runtime.logging import get_logger

Address = IPv4Address | IPv6Address

_MEMBERS_A_SLICE = 1000
"""To look at one takes about 2.5 µs, and the loop is to turn every few milliseconds."""

log = get_logger("maglev.frontends")


class Frontends:
    """Owns every frontend's changing state; implements what the reconciler asks (`passes.Wanted`).

    Args:
        ledger: What the dataplane holds.
        statuses: What is known of the backends, by name.
        publish: Where events go.
        warm: The warm-up.
    """

    def __init__(
        self,
        ledger: Ledger,
        statuses: Callable[[], Mapping[str, BackendStatus]],
        publish: Callable[[Event], None],
        warm: warmup.WarmUp,
    ) -> None:
        self.specs: dict[str, Frontend] = {}
        self.assessments: dict[str, Assessment] = {}
        self.warm = warm
        self.mark: Callable[[Iterable[Address]], None] = lambda _addresses: None
        """Tells the reconciler that some addresses need a look."""
        self._ledger = ledger
        self._statuses = statuses
        self._publish = publish
        self._conf = DataplaneConf()
        self._last: dict[str, Mapping[Address, int]] = {}
        self._carrying: dict[str, frozenset[Address]] = {}
        """What the dataplane gave weight to when each frontend was last looked at."""
        self._at: dict[Address, tuple[str, ...]] = {}

    # --- what the reconciler asks ---------------------------------------------------------------------------------

    def addresses(self) -> Collection[Address]:
        """All configured VIP addresses."""
        return self._at.keys()

    def at(self, address: Address) -> tuple[str, ...]:
        """The frontends of one address."""
        return self._at.get(address, ())

    def names(self, addresses: Collection[Address]) -> tuple[str, ...]:
        """The frontends of some addresses."""
        return tuple(name for address in addresses for name in self.at(address))

    def desired(self, address: Address, *, recreate: bool = False) -> Mapping[VipKey, DesiredVip]:
        """What one address should look like now; with `recreate` on the file's own weight steps."""
        wanted = {}
        for name in self.at(address):
            spec = self.specs[name]
            step = self.step(spec, recreate=recreate)
            due = self._ledger.flushes(spec.vip)
            vip = desired_vip(spec, self.assessments[name], self._ledger.vip(spec.vip), due, step=step)
            # Inferred once: weights that change later look like another step.
            self._ledger.steps[spec.vip] = vip.step
            wanted[spec.vip] = vip
        return wanted

    def size(self, address: Address) -> int:
        """How many servers one address should have, those of all its VIPs together."""
        return sum(len(self.assessments[name].members) for name in self.at(address))

    def step(self, spec: Frontend, *, recreate: bool = False) -> int | None:
        """The weight step that a frontend's VIP stands on, or is to; `None` if it is yet to be inferred."""
        anew = recreate or self._ledger.vip(spec.vip) is None or spec.vip in self._ledger.rebuild
        return spec.step if anew else self._ledger.steps.get(spec.vip)

    def last(self, name: str) -> Mapping[Address, int] | None:
        """The last weights of a frontend that were not all 0 and free to go to the dataplane."""
        return self._last.get(name)

    def conf(self) -> DataplaneConf:
        """What should hold for the whole dataplane."""
        return self._conf

    def released(self, address: Address) -> bool:
        """Whether the warm-up is over for all frontends of an address, which are planned together."""
        return all(warmup.may_write(self.warm, name) for name in self.at(address)) and (
            address in self._at or self.warm.over
        )

    def release_all(self) -> None:
        """The dataplane is empty or restarted: there is nothing to protect, so nothing is held back any more."""
        self._step(warmup.fill(self.warm, self.specs, "the dataplane is empty or was restarted"))

    async def dataplane_changed(self) -> None:
        """What the dataplane holds may have changed: look at those frontends anew that it matters to, in slices."""
        members = 0
        for name in tuple(self.specs):
            spec = self.specs.get(name)
            # Of the dataplane an assessment knows only who carries weight there.
            if spec is None or self._carrying.get(name) == self._ledger.carrying(spec.vip):
                continue
            self._reassess(name, self._statuses(), "")
            members += len(self.assessments[name].members)
            if members >= _MEMBERS_A_SLICE:
                members = 0
                await anyio.lowlevel.checkpoint()

    # --- warm-up --------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Release what the warm-up no longer holds back."""
        if self.warm.over:
            return
        statuses = self._statuses()
        unknown = {
            name: [
                member.backend
                for pool in frontend.pools
                for member in pool.members
                if statuses[member.backend].state is BackendState.UNKNOWN
            ]
            for name, frontend in self.specs.items()
        }
        self._step(warmup.advance(self.warm, monotonic_ns(), unknown))

    def reconfigure_warm_up(self, *, min_ns: int, max_ns: int) -> None:
        """Take other delays, in nanoseconds, from a reload; the clock goes on."""
        self.warm = warmup.reconfigured(self.warm, min_ns=min_ns, max_ns=max_ns)

    def _step(self, step: warmup.Step) -> None:
        self.warm = step.warm
        for held in step.held:
            log.debug("held-back", frontend=held.frontend, why=held.why)
        if step.released:
            log.info("released", frontends=len(step.released), warm=self.warm.over)
            for name in step.released:
                self._remember(name)
            self.mark({self.specs[name].vip.address for name in step.released if name in self.specs})

    # --- transitions and configuration ----------------------------------------------------------------------------

    def backend_moved(self, backend: str, frontends: Iterable[str], transition: Transition) -> None:
        """A backend changed state: note flushes, look at its frontends anew, and have the dataplane follow."""
        statuses = self._statuses()
        touched = [name for name in frontends if name in self.specs]
        for name in touched:
            self._note_flush(self.specs[name], backend, transition)
            self._reassess(name, statuses, "")
        self.mark({self.specs[name].vip.address for name in touched})

    def configure(self, specs: Mapping[str, Frontend], conf: DataplaneConf) -> None:
        """Take over resolved frontends; what a reload changed for good is noted to be made anew.

        Args:
            specs: All frontends by name.
            conf: What should hold for the whole dataplane.
        """
        old, self.specs = self.specs, dict(specs)
        by_address: defaultdict[Address, list[str]] = defaultdict(list)
        for name, spec in specs.items():
            by_address[spec.vip.address].append(name)
        self._at = {address: tuple(names) for address, names in by_address.items()}
        self._note_rebuilds(old)
        if old and conf.sticky_buckets_per_core != self._conf.sticky_buckets_per_core:
            self._ledger.rebuild_conf = True
        self._conf = conf
        self._ledger.owned.update(spec.vip for spec in specs.values())
        for gone in old.keys() - specs.keys():
            self.assessments.pop(gone, None)
            self._last.pop(gone, None)
            self._carrying.pop(gone, None)
        statuses = self._statuses()
        for name in specs:
            self._reassess(name, statuses, "reload" if old else "start")
        self.mark({spec.vip.address for spec in (*old.values(), *specs.values())})

    def members_left(self, new: Mapping[str, Frontend], last_state: Mapping[str, BackendState]) -> None:
        """Note the flushes of servers that are about to leave their frontends, as their last state says.

        Args:
            new: The frontends that are about to be configured.
            last_state: What each backend was, before the configuration took it away.
        """
        for name, spec in self.specs.items():
            after = new.get(name)
            kept = {m.address for p in after.pools for m in p.members} if after and after.vip == spec.vip else set()
            for member in (m for pool in spec.pools for m in pool.members if m.address not in kept):
                was = last_state[member.backend]
                self._ledger.unflush(spec.vip, member.address)
                if flush_due(spec, was, BackendState.REMOVED, carried=self._carried(spec, member.address)):
                    self._ledger.flush(spec.vip, member.address)

    # --- within ---------------------------------------------------------------------------------------------------

    def _note_rebuilds(self, old: Mapping[str, Frontend]) -> None:
        before = {spec.vip: spec for spec in old.values()}
        for spec in self.specs.values():
            was = before.get(spec.vip)
            if was is not None and (was.attributes, was.step) != (spec.attributes, spec.step):
                self._ledger.rebuild.add(spec.vip)

    def _note_flush(self, spec: Frontend, backend: str, transition: Transition) -> None:
        addresses = {m.address for pool in spec.pools for m in pool.members if m.backend == backend}
        for address in addresses:
            self._ledger.unflush(spec.vip, address)
            carried = self._carried(spec, address)
            if flush_due(spec, transition.from_state, transition.to_state, carried=carried):
                self._ledger.flush(spec.vip, address)

    def _carried(self, spec: Frontend, address: Address) -> bool:
        if self._ledger.known:
            return address in self._ledger.carrying(spec.vip)
        assessment = self.assessments.get(spec.name)
        return assessment is not None and assessment.weights.get(address, 0) > 0

    def _reassess(self, name: str, statuses: Mapping[str, BackendStatus], why: str) -> None:
        spec, before = self.specs[name], self.assessments.get(name)
        carrying = self._ledger.carrying(spec.vip)
        self._carrying[name] = carrying
        after = assess(spec, statuses, carrying, self._last.get(name), before)
        if after == before:
            return
        self.assessments[name] = after
        self._remember(name)
        if before is not None and (before.state, before.active_pool) != (after.state, after.active_pool):
            log.info("frontend", frontend=name, **{"from": str(before.state)}, to=str(after.state), why=after.why)
            self._publish(FrontendEvent(time(), name, before.state, after.state, after.active_pool, after.why))
        self._tell_weights(name, before, after)

    def _remember(self, name: str) -> None:
        after = self.assessments.get(name)
        if after and not after.holding and any(after.weights.values()) and warmup.may_write(self.warm, name):
            self._last[name] = after.weights

    def _tell_weights(self, name: str, before: Assessment | None, after: Assessment) -> None:
        if before is None:
            return
        old = {(member.pool, member.backend): member for member in before.members}
        for member in after.members:
            was = old.get((member.pool, member.backend))
            if was is not member and (was.weight if was else 0) != member.weight:
                self._tell_weight(name, member, was.weight if was else 0)

    def _tell_weight(self, name: str, member: Effective, previous: int) -> None:
        pool, backend, weight, reason = member.pool, member.backend, member.weight, member.reason
        log.info(
            "weight", frontend=name, pool=pool, backend=backend, weight=weight, previous=previous, reason=reason
        )  # fmt: skip
        wanted = next(
            m.weight for p in self.specs[name].pools if p.name == pool for m in p.members if m.backend == backend
        )
        self._publish(WeightEvent(time(), name, pool, backend, wanted, weight, previous, reason))
