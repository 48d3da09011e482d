"""Predicts what a command would do: carries it out on a fork of the State, and compares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from operator import itemgetter

import attrs
from anyio.lowlevel import checkpoint

from maglev.api import (
    BackendPreview,
    Code,
    Command,
    DeleteServer,
    FrontendPreview,
    NotConnected,
    Operation,
    Preview,
    ProbeResult,
    SetConf,
    SetWeight,
    Shares,
    SyncDataplane,
    VipAttributes,
    VipKey,
)
from maglev.domain.describe import describe
from maglev.domain.disruption import disruption
from maglev.domain.state import State, verdict
from maglev.domain.state.sync import SyncRequest, desired
from maglev.domain.table import MAX_WEIGHT, Table, bucket_counts
from maglev.runtime.commands import carry_out
from maglev.runtime.configuration import Configuration
from maglev.runtime.execution import Predicted
from maglev.runtime.reconciler import Reconciler
from maglev.runtime.state_store import StateStore
from maglev.runtime.tables import Tables

Address = IPv4Address | IPv6Address

EXACT = 32
"""Frontends whose two tables are built and compared: some 35 ms each, where a reload of thousands takes seconds."""

_A_TURN = 50
"""Frontends compared in one turn of the event loop, some 50 µs each."""

_ASSUMED = ProbeResult(Code.L7OK, "assumed")


class Previews:
    """Predicts commands.

    Args:
        store: The live State.
        configuration: The configuration in force.
        reconciler: The dataplane.
        tables: Where tables come from.
    """

    def __init__(self, store: StateStore, configuration: Configuration, reconciler: Reconciler, tables: Tables) -> None:
        self._store = store
        self._configuration = configuration
        self._reconciler = reconciler
        self._tables = tables

    async def preview(self, command: Command) -> Preview:
        """Tell what a command would do, without doing it.

        Raises:
            CommandError: The command would be refused.
        """
        predicted = Predicted(self._store.state, self._configuration, self._reconciler)
        if isinstance(command, SyncDataplane) or not predicted.state.dataplane.known:
            await predicted.read()
        before = predicted.state.fork()
        result = await carry_out(command, predicted, self._configuration)
        await _assume_passes(predicted)
        after = predicted.state
        frontends: list[FrontendPreview] = []
        written = _by_vip(predicted.written)
        for count, name in enumerate(_changed(before, after)):
            if count % _A_TURN == 0:
                await checkpoint()
            preview = await self._frontend(name, before, after, written, exact=len(frontends) < EXACT)
            if preview is not None:
                frontends.append(preview)
        more = len(frontends) - EXACT
        bounded = [f"of {more} more frontends, `moved` is the least that must move"] if more > 0 else []
        return Preview(
            frontends=tuple(frontends),
            messages=(*result.messages, *result.errors, *bounded),
            backends=tuple(_backends(before, after)),
            operations=tuple(map(describe, predicted.written)),
        )

    async def _frontend(
        self,
        name: str,
        before: State,
        after: State,
        written: Mapping[VipKey | None, Sequence[Numbered]],
        *,
        exact: bool,
    ) -> FrontendPreview | None:
        was, then = _Side.of(before, name), _Side.of(after, name)
        vips = dict.fromkeys(side.vip for side in (was, then) if side.vip is not None)
        # In the order in which they are sent, where a frontend moves from one VIP to another too.
        numbered = sorted((each for vip in vips for each in written.get(vip, ())), key=itemgetter(0))
        operations = [operation for _number, operation in numbered]
        if was == then and not operations:
            return None
        moved, avoidable = await self._moved(was, then, exact=exact)
        return FrontendPreview(
            frontend=name,
            before=was.shares(),
            after=then.shares(),
            moved=moved,
            moved_avoidable=avoidable,
            operations=tuple(map(describe, operations)),
            flushed=tuple(o.server for o in operations if isinstance(o, SetWeight | DeleteServer) and o.flush),
        )

    async def _moved(self, was: _Side, then: _Side, *, exact: bool) -> tuple[float, float]:
        """The share of new flows that change server, and what of it need not have."""
        if was.table == then.table and was.vip == then.vip:
            return 0.0, 0.0
        if not any(was.weights.values()) and not any(then.weights.values()):
            return 0.0, 0.0
        if was.vip != then.vip or not any(was.weights.values()) or not any(then.weights.values()):
            # No flow keeps its server: the VIP is another one, or had no server, or has none any more.
            return 1.0, 0.0
        if was.sticky != then.sticky:
            # Flows are hashed in another way: where one goes is independent of where it went.
            before, after = was.buckets(), then.buckets()
            return 1.0 - sum(n * after.get(a, 0) for a, n in before.items()) / (was.length * then.length), 0.0
        if not exact:
            before, after = was.buckets(), then.buckets()
            kept = sum(min(n / was.length, after.get(a, 0) / then.length) for a, n in before.items())
            return 1.0 - kept, 0.0
        moved = disruption(await self._table(was), await self._table(then))
        return moved.moved, moved.moved_avoidable

    async def _table(self, side: _Side) -> Table:
        return await self._tables.get(side.weights, side.length)


async def _assume_passes(predicted: Predicted) -> None:
    """Predict as if first probes passed; the command's messages say so."""
    addresses: dict[Address, None] = {}
    for name in predicted.awaiting:
        effects, _kept = await predicted.change(verdict, name, _ASSUMED, passed=True)
        addresses.update(dict.fromkeys(effects.sync))
    if addresses:
        try:
            await predicted.settle(SyncRequest("transition", tuple(addresses)))
        except NotConnected:
            return  # What is wanted has changed all the same; the command has said why nothing is written.


@attrs.frozen
class _Side:
    """One frontend, before or after.

    Args:
        vip: What names its VIP; `None` if there is no such frontend.
        state: Its own state and active pool, and effective weight by backend.
        weights: Weight in the table by server, as the dataplane holds it, or else as wanted.
        length: Buckets of its table.
        sticky: Whether only addresses are hashed.
    """

    vip: VipKey | None
    own: Shares
    weights: Mapping[Address, int]
    length: int
    sticky: bool

    @classmethod
    def of(cls, state: State, name: str) -> _Side:
        spec, assessment = state.frontends.get(name), state.assessments.get(name)
        if spec is None or assessment is None:
            return cls(None, Shares({}, {}, {}), {}, 0, sticky=False)
        effective: dict[str, int] = {}
        for member in assessment.members:
            effective[member.backend] = max(member.weight, effective.get(member.backend, 0))
        weights, attributes = _table_weights(state, spec.vip)
        own = Shares(effective, {}, {}, assessment.state, assessment.active_pool)
        made = attributes or spec.attributes
        return cls(spec.vip, own, weights, made.table_length, bool(made.sticky))

    @property
    def table(self) -> tuple[Mapping[Address, int], int, bool]:
        """The servers that the table is built from."""
        return self.weights, self.length, self.sticky

    def buckets(self) -> Mapping[Address, int]:
        """Buckets by server, those of weight 0 included."""
        return bucket_counts(self.weights, self.length) if self.weights else {}

    def shares(self) -> Shares:
        """The same as a preview shows it."""
        return attrs.evolve(self.own, table_weights=self.weights, buckets=self.buckets())


def _table_weights(state: State, vip: VipKey) -> tuple[dict[Address, int], VipAttributes | None]:
    if state.dataplane.known:
        held = state.dataplane.vip(vip)
        # A weight above 100, which only somebody else can have written, counts as 100.
        return (
            ({a: min(s.weight, MAX_WEIGHT) for a, s in held.servers.items()}, held.attributes) if held else ({}, None)
        )
    wanted = desired(state, vip.address)[vip]
    return {address: server.weight for address, server in wanted.servers.items()}, wanted.attributes


def _changed(before: State, after: State) -> Iterator[str]:
    """The frontends that may differ: what did not change is the same object."""
    for name in {**after.frontends, **before.frontends}:
        old, new = before.frontends.get(name), after.frontends.get(name)
        same = (
            old is not None
            and old is new
            and before.assessments[name] is after.assessments[name]
            and before.dataplane.vip(old.vip) is after.dataplane.vip(old.vip)
        )
        if not same:
            yield name


def _backends(before: State, after: State) -> Iterator[BackendPreview]:
    for name in {**after.health, **before.health}:
        old, new = before.health.get(name), after.health.get(name)
        was, then = old.state if old else None, new.state if new else None
        if was is not then:
            yield BackendPreview(name, was, then)


Numbered = tuple[int, Operation]


def _by_vip(operations: Sequence[Operation]) -> Mapping[VipKey | None, Sequence[Numbered]]:
    by_vip: defaultdict[VipKey | None, list[Numbered]] = defaultdict(list)
    for number, operation in enumerate(operations):
        by_vip[None if isinstance(operation, SetConf) else operation.vip].append((number, operation))
    return by_vip
