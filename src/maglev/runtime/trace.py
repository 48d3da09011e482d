"""Tells where a flow goes: the same tables and hashes that the dataplane has, run here."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from maglev.api import BadArgument, Flow, FlowTrace, IPProtocol
from maglev.domain.applied import applied_all
from maglev.domain.flow import flow_hash
from maglev.domain.model import Frontend
from maglev.domain.state import State, assume_down, known, step
from maglev.domain.state.sync import SyncRequest, desired, plan
from maglev.runtime.reconciler import Reconciler
from maglev.runtime.state_store import StateStore
from maglev.runtime.tables import Tables

Address = IPv4Address | IPv6Address


class Traces:
    """Traces flows.

    Args:
        store: The live State.
        reconciler: The dataplane.
        tables: Where tables come from.
    """

    def __init__(self, store: StateStore, reconciler: Reconciler, tables: Tables) -> None:
        self._store = store
        self._reconciler = reconciler
        self._tables = tables

    async def trace(self, name: str, flow: Flow) -> FlowTrace:
        """Tell which server a new flow of a frontend gets, and which it would get if that one went down.

        Raises:
            UnknownName: There is no such frontend.
            BadArgument: The source is of another address family than the VIP, or the port is not the VIP's.
        """
        state = self._store.state
        known("frontend", name, state.frontends)
        spec = state.frontends[name]
        protocol, port = _protocol_and_port(spec, flow)
        held, session = state.dataplane.known_vip(spec.vip), self._reconciler.session
        attributes = held.attributes if held else spec.attributes
        kind = session.info.flow_hash if session is not None else "crc32c"
        hashed = flow_hash(
            flow.source, spec.vip.address, flow.source_port, port, protocol, sticky=bool(attributes.sticky), kind=kind
        )
        bucket = hashed & (attributes.table_length - 1)
        weights, servers = _weights(state, spec), {m.address: m.backend for p in spec.pools for m in p.members}
        fork = state.fork()
        server = (await self._tables.get(weights, attributes.table_length))[bucket]
        if_down = None
        if server is not None:
            then = _weights_if_down(fork, spec, server)
            if_down = (await self._tables.get(then, attributes.table_length))[bucket]
        return FlowTrace(
            frontend=name,
            bucket=bucket,
            server=server,
            backend=servers.get(server, "") if server else "",
            if_down=if_down,
            backend_if_down=servers.get(if_down, "") if if_down else "",
            flow_hash=kind,
            from_dataplane=held is not None,
        )


def _weights(state: State, spec: Frontend) -> Mapping[Address, int]:
    if state.dataplane.known:
        held = state.dataplane.vip(spec.vip)
        return {address: server.weight for address, server in held.servers.items()} if held else {}
    wanted = desired(state, spec.vip.address)[spec.vip]
    return {address: server.weight for address, server in wanted.servers.items()}


def _weights_if_down(fork: State, spec: Frontend, server: Address) -> Mapping[Address, int]:
    """The weights of a frontend once a server of it has gone down and the dataplane has followed."""
    for backend in {m.backend for pool in spec.pools for m in pool.members if m.address == server}:
        step(fork, 0.0, assume_down, backend)
    if not fork.dataplane.known:
        return _weights(fork, spec)
    operations = plan(fork, spec.vip.address, SyncRequest("transition", (spec.vip.address,))).operations
    then = applied_all(fork.dataplane.at(spec.vip.address), operations).get(spec.vip)
    return {address: server.weight for address, server in then.servers.items()} if then else {}


def _protocol_and_port(spec: Frontend, flow: Flow) -> tuple[int, int]:
    """The number of a flow's protocol, and its destination port."""
    if flow.source.version != spec.vip.address.version:
        raise BadArgument(f"source {flow.source}: frontend {spec.name} is IPv{spec.vip.address.version}")
    if spec.vip.port and flow.destination_port not in (None, spec.vip.port):
        raise BadArgument(f"destination port {flow.destination_port}: frontend {spec.name} has port {spec.vip.port}")
    protocol = flow.protocol or (spec.vip.protocol if spec.vip.protocol is not IPProtocol.ANY else IPProtocol.TCP)
    port = flow.destination_port if flow.destination_port is not None else spec.vip.port
    return protocol.number, port
