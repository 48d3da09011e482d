"""Random configurations and starting points for the laws of planning, and a dataplane that refuses what VPP refuses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address

import attrs
from hypothesis import strategies as st

from maglev.api import (
    Encap,
    IPProtocol,
    Ok,
    Operation,
    OperationResult,
    ServerState,
    VipAttributes,
    VipKey,
    VipState,
)
from maglev.dataplanes.memory import MemoryStore
from maglev.domain.desired import DesiredServer, DesiredVip
from maglev.domain.plan import Plan
from maglev.domain.table import Address

Vips = Mapping[VipKey, VipState]

VIP = IPv4Address("192.0.2.1")
WEB, TLS, DNS = (
    VipKey(VIP, IPProtocol.TCP, 80),
    VipKey(VIP, IPProtocol.TCP, 443),
    VipKey(VIP, IPProtocol.UDP, 53),
)
ALL_PORTS = VipKey(VIP, IPProtocol.ANY, 0)
KEYS = (ALL_PORTS, WEB, TLS, DNS)

S1, S2, S3 = (IPv4Address("198.51.100.1") + index for index in range(3))
T1, T2, T3 = (IPv6Address("2001:db8::1") + index for index in range(3))

GRE4 = VipAttributes(Encap.GRE4, 16)
GRE6 = VipAttributes(Encap.GRE6, 16)

_WEIGHTS = st.integers(min_value=0, max_value=3)


@attrs.frozen
class Case:
    """One address before planning, and what is allowed."""

    desired: Mapping[VipKey, DesiredVip]
    actual: Vips
    recreate: frozenset[VipKey] = frozenset()
    owned: frozenset[VipKey] = frozenset()
    prune: bool = False


def found(attributes: VipAttributes, **servers: int) -> VipState:
    """Return a VIP as found; servers are named as in this module."""
    return VipState(attributes, {_SERVERS[name]: ServerState(weight) for name, weight in servers.items()})


def wanted(attributes: VipAttributes, **servers: int) -> DesiredVip:
    """Return a VIP as wanted; servers are named as in this module."""
    return DesiredVip(attributes, 10, {_SERVERS[name]: DesiredServer(weight) for name, weight in servers.items()})


_SERVERS: Mapping[str, Address] = {"s1": S1, "s2": S2, "s3": S3, "t1": T1, "t2": T2, "t3": T3}


def _servers_of(encap: Encap) -> tuple[Address, ...]:
    return (T1, T2, T3) if encap is Encap.GRE6 else (S1, S2, S3)


_PORTS = (WEB, TLS, DNS)


def _some(keys: Collection[VipKey]) -> st.SearchStrategy[frozenset[VipKey]]:
    """Draw all or any, since what is interesting often takes several at once."""
    return st.just(frozenset(keys)) | st.frozensets(st.sampled_from(tuple(keys)))


def _key_sets() -> st.SearchStrategy[frozenset[VipKey]]:
    """Draw VIPs that a dataplane takes side by side."""
    return st.just(frozenset({ALL_PORTS})) | _some(_PORTS) | _some(_PORTS)


def _attributes(encap: Encap) -> st.SearchStrategy[VipAttributes]:
    return st.builds(VipAttributes, st.just(encap), st.sampled_from((16, 64)), st.booleans())


@st.composite
def _desired_vip(draw: st.DrawFn, encap: Encap) -> DesiredVip:
    server = st.sampled_from(_servers_of(encap))
    return DesiredVip(
        draw(_attributes(encap)),
        step=10,
        servers=draw(st.dictionaries(server, st.builds(DesiredServer, _WEIGHTS, st.booleans()))),
        flushed=draw(st.frozensets(server)),
    )


@st.composite
def _desired(draw: st.DrawFn) -> dict[VipKey, DesiredVip]:
    encap = draw(st.sampled_from((Encap.GRE4, Encap.GRE6)))
    return {key: draw(_desired_vip(encap)) for key in sorted(draw(_key_sets()))}


@st.composite
def _contradictory(draw: st.DrawFn) -> dict[VipKey, DesiredVip]:
    """Draw what no valid configuration wants: any VIPs, any encapsulations."""
    encap = st.sampled_from((Encap.GRE4, Encap.GRE6))
    return {key: draw(_desired_vip(draw(encap))) for key in sorted(draw(_some(KEYS)))}


@st.composite
def _actual(draw: st.DrawFn) -> dict[VipKey, VipState]:
    encap = draw(st.sampled_from(Encap))
    servers = st.dictionaries(st.sampled_from(_servers_of(encap)), st.builds(ServerState, _WEIGHTS))
    return {key: VipState(draw(_attributes(encap)), draw(servers)) for key in sorted(draw(_key_sets()))}


@st.composite
def _near(draw: st.DrawFn, desired: Mapping[VipKey, DesiredVip]) -> dict[VipKey, VipState]:
    """Draw what is found where most is as wanted."""
    near = {}
    for key in sorted(desired):
        attributes = desired[key].attributes
        servers = {server: ServerState(state.weight) for server, state in desired[key].servers.items()}
        server = st.sampled_from(_servers_of(attributes.encap))
        near[key] = VipState(
            draw(st.just(attributes) | _attributes(attributes.encap)),
            servers | draw(st.dictionaries(server, st.builds(ServerState, _WEIGHTS))),
        )
    return near


@st.composite
def cases(draw: st.DrawFn, *, contradictory: bool = False) -> Case:
    """Draw any case: any VIPs there, any wanted, any allowance."""
    desired = draw(_contradictory() if contradictory else _desired())
    actual = draw(_actual() if contradictory else _actual() | _near(desired))
    return Case(desired, actual, draw(_some(KEYS)), draw(_some(KEYS)), draw(st.booleans()))


def store_of(actual: Vips) -> MemoryStore:
    """Return a memory dataplane that holds these VIPs."""
    store = MemoryStore()
    for key, vip in actual.items():
        store.add_foreign_vip(key, vip)
    return store


def bare(vips: Vips) -> dict[VipKey, tuple[VipAttributes, dict[Address, int]]]:
    """Return what planning is about: attributes and weights."""
    return {
        key: (vip.attributes, {server: state.weight for server, state in vip.servers.items()})
        for key, vip in vips.items()
    }


def as_wanted(desired: Mapping[VipKey, DesiredVip]) -> dict[VipKey, tuple[VipAttributes, dict[Address, int]]]:
    """Return the same of what is wanted."""
    return {
        key: (vip.attributes, {server: state.weight for server, state in vip.servers.items()})
        for key, vip in desired.items()
    }


def settled(desired: Mapping[VipKey, DesiredVip]) -> dict[VipKey, DesiredVip]:
    """Return what is wanted once all flushes were done."""
    return {
        key: attrs.evolve(
            vip,
            servers={server: attrs.evolve(state, flush=False) for server, state in vip.servers.items()},
            flushed=frozenset(),
        )
        for key, vip in desired.items()
    }


def carry_out(store: MemoryStore, phases: Iterable[Collection[Operation]]) -> list[OperationResult]:
    """Send phase after phase as a reconciler does: the next only when all of one succeeded."""
    results: list[OperationResult] = []
    for phase in phases:
        results += [store.write(operation) for operation in phase]
        if any(result != Ok() for result in results):
            break
    return results


def states_on_the_way(case: Case, plan: Plan) -> list[Vips]:
    """Return what is held before the plan and after each single operation of it."""
    store = store_of(case.actual)
    states = [store.vips]
    for operation in plan.operations:
        assert store.write(operation) == Ok()
        states.append(store.vips)
    return states
