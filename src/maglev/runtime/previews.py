"""What a command would do, and where a flow would go: the same pure functions that decide, run on other values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv6Address

import attrs

from maglev.api import (
    BackendState,
    BadArgument,
    DeleteServer,
    Flow,
    FlowHash,
    FlowTrace,
    FrontendPreview,
    IPProtocol,
    SetWeight,
    Shares,
    VipKey,
    VipState,
)
from maglev.domain.applied import applied_all
from maglev.domain.desired import DesiredVip, desired_vip
from maglev.domain.disruption import disruption
from maglev.domain.flow import FiveTuple, bucket_of
from maglev.domain.frontend import Assessment, assess, flush_due
from maglev.domain.model import BackendStatus, Frontend
from maglev.domain.plan import Plan, plan_address
from maglev.domain.table import Table
from maglev.runtime.describe import describe
from maglev.runtime.frontends import Frontends
from maglev.runtime.ledger import Ledger
from maglev.runtime.tables import Tables

Address = IPv4Address | IPv6Address


@attrs.frozen
class Hypothesis:
    """A world a little different from the real one.

    Args:
        specs: All frontends by name.
        statuses: What would be known of the backends.
        recreate: Whether VIPs may be made anew.
        prune: Whether VIPs that were never configured are removed.
        rebuild: VIPs that may be made anew although `recreate` is not set.
    """

    specs: Mapping[str, Frontend]
    statuses: Mapping[str, BackendStatus]
    recreate: bool = False
    prune: bool = False
    rebuild: frozenset[VipKey] = frozenset()


class Previews:
    """Answers what would happen.

    Args:
        frontends: The frontends as they are.
        ledger: What the dataplane holds.
        tables: Where tables come from.
    """

    def __init__(self, frontends: Frontends, ledger: Ledger, tables: Tables) -> None:
        self._frontends = frontends
        self._ledger = ledger
        self._tables = tables

    async def frontend(
        self, name: str, hypothesis: Hypothesis, statuses: Mapping[str, BackendStatus]
    ) -> FrontendPreview | None:
        """Tell what would become of one frontend.

        Args:
            name: The frontend, of the real world or the hypothetical one.
            hypothesis: The other world.
            statuses: What is known of the backends really.

        Returns:
            The preview; `None` if nothing at all would change.
        """
        real, other = self._frontends.specs.get(name), hypothesis.specs.get(name)
        before = self._weights_now(real)
        after, plan, then = self._weights_then(name, other, hypothesis, statuses)
        spec = other or real
        if spec is None:
            raise KeyError(name)
        tables = [await self._table(weights, spec.attributes.table_length) for weights in (before, after)]
        moved = disruption(*tables)
        now = self._frontends.assessments.get(name)
        preview = FrontendPreview(
            frontend=name,
            before=Shares(_by_backend(now), before, _buckets(tables[0], before)),
            after=Shares(_by_backend(then), after, _buckets(tables[1], after)),
            moved=moved.moved,
            moved_avoidable=moved.moved_avoidable,
            operations=tuple(describe(operation) for operation in plan.operations),
            flushed=_flushed(plan, spec.vip),
        )
        same = preview.before == preview.after and not preview.operations
        return None if same else preview

    async def trace(self, name: str, flow: Flow, kind: FlowHash, statuses: Mapping[str, BackendStatus]) -> FlowTrace:
        """Tell which server a new flow of a frontend gets, and which it would get if that one went down.

        Raises:
            BadArgument: The source is of another address family than the VIP.
        """
        spec = self._frontends.specs[name]
        if flow.source.version != spec.vip.address.version:
            raise BadArgument(f"source {flow.source}: frontend {name} is IPv{spec.vip.address.version}")
        five = _five_tuple(spec, flow)
        held = self._ledger.vip(spec.vip) if self._ledger.known else None
        length = held.attributes.table_length if held else spec.attributes.table_length
        sticky = held.attributes.sticky if held else spec.attributes.sticky
        bucket = bucket_of(five, length, sticky=sticky, kind=kind)
        server = (await self._table(self._weights_now(spec), length))[bucket]
        if_down = await self._if_down(spec, server, statuses, bucket, length)
        names = {member.address: member.backend for pool in spec.pools for member in pool.members}
        return FlowTrace(
            frontend=name,
            bucket=bucket,
            server=server,
            backend=_name_of(names, server),
            if_down=if_down,
            backend_if_down=_name_of(names, if_down),
            flow_hash=kind,
            from_dataplane=held is not None,
        )

    async def _if_down(
        self,
        spec: Frontend,
        server: Address | None,
        statuses: Mapping[str, BackendStatus],
        bucket: int,
        length: int,
    ) -> Address | None:
        if server is None:
            return None
        down = {
            member.backend: BackendStatus(BackendState.DOWN, "hypothetical")
            for pool in spec.pools
            for member in pool.members
            if member.address == server
        }
        hypothesis = Hypothesis(self._frontends.specs, {**statuses, **down})
        after, _plan, _assessment = self._weights_then(spec.name, spec, hypothesis, statuses)
        return (await self._table(after, length))[bucket]

    async def _table(self, weights: Mapping[Address, int], length: int) -> Table:
        return await self._tables.get(weights, length)

    def _weights_now(self, spec: Frontend | None) -> dict[Address, int]:
        if spec is None:
            return {}
        if self._ledger.known:
            held = self._ledger.vip(spec.vip)
            return {address: server.weight for address, server in held.servers.items()} if held else {}
        return _table_weights(self._desired(spec, self._frontends.assessments[spec.name], recreate=False))

    def _weights_then(
        self,
        name: str,
        spec: Frontend | None,
        hypothesis: Hypothesis,
        statuses: Mapping[str, BackendStatus],
    ) -> tuple[dict[Address, int], Plan, Assessment | None]:
        address = (spec or self._frontends.specs[name]).vip.address
        desired: dict[VipKey, DesiredVip] = {}
        assessments: dict[str, Assessment] = {}
        for other in hypothesis.specs.values():
            if other.vip.address == address:
                assessments[other.name], desired[other.vip] = self._want(other, hypothesis, statuses)
        actual = self._ledger.at(address) if self._ledger.known else {}
        plan = plan_address(
            address,
            desired,
            actual,
            recreate={*desired} if hypothesis.recreate else {*self._ledger.rebuild, *hypothesis.rebuild},
            owned=self._ledger.owned,
            prune=hypothesis.prune,
        )
        then: Mapping[VipKey, VipState] = applied_all(actual, plan.operations)
        if spec is None or spec.vip not in then:
            return {}, plan, assessments.get(name)
        return {a: s.weight for a, s in then[spec.vip].servers.items()}, plan, assessments.get(name)

    def _want(
        self, spec: Frontend, hypothesis: Hypothesis, statuses: Mapping[str, BackendStatus]
    ) -> tuple[Assessment, DesiredVip]:
        carrying = self._ledger.carrying(spec.vip)
        assessment = assess(spec, hypothesis.statuses, carrying, self._frontends.last(spec.name))
        flushes = set(self._ledger.flushes(spec.vip))
        for member in (member for pool in spec.pools for member in pool.members):
            was, would = statuses.get(member.backend), hypothesis.statuses.get(member.backend)
            carried = member.address in carrying
            if was and would and flush_due(spec, was.state, would.state, carried=carried):
                flushes.add(member.address)
        return assessment, self._desired(spec, assessment, recreate=hypothesis.recreate, flushes=flushes)

    def _desired(
        self, spec: Frontend, assessment: Assessment, *, recreate: bool, flushes: Collection[Address] = ()
    ) -> DesiredVip:
        step = self._frontends.step(spec, recreate=recreate)
        return desired_vip(spec, assessment, self._ledger.vip(spec.vip), flushes, step=step)


def _buckets(table: Table, weights: Mapping[Address, int]) -> dict[Address, int]:
    """Buckets by server, those of weight 0 included; the table itself knows only who has weight."""
    counts = table.counts()
    return {address: counts.get(address, 0) for address in weights}


def _table_weights(vip: DesiredVip) -> dict[Address, int]:
    return {address: server.weight for address, server in vip.servers.items()}


def _by_backend(assessment: Assessment | None) -> dict[str, int]:
    weights: dict[str, int] = {}
    for member in assessment.members if assessment else ():
        weights[member.backend] = max(member.weight, weights.get(member.backend, 0))
    return weights


def _flushed(plan: Plan, vip: VipKey) -> tuple[Address, ...]:
    return tuple(
        operation.server
        for operation in plan.operations
        if isinstance(operation, SetWeight | DeleteServer) and operation.flush and operation.vip == vip
    )


def _name_of(names: Mapping[Address, str], server: Address | None) -> str:
    return "" if server is None else names.get(server, "")


def _five_tuple(spec: Frontend, flow: Flow) -> FiveTuple:
    protocol = flow.protocol or (spec.vip.protocol if spec.vip.protocol is not IPProtocol.ANY else IPProtocol.TCP)
    if spec.vip.port and flow.destination_port not in (None, spec.vip.port):
        raise BadArgument(f"destination port {flow.destination_port}: frontend {spec.name} has port {spec.vip.port}")
    port = flow.destination_port if flow.destination_port is not None else spec.vip.port
    return FiveTuple(flow.source, spec.vip.address, flow.source_port, port, protocol.number)
