"""Plays acts: predicts, does, narrates, compares."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

import anyio
import attrs

from maglev.api import Actor, BackendState, EventStream, Flow
from maglev.cli.demo.acts import Act
from maglev.cli.demo.forecast import Expected, Found, compare, expect_preview, expect_states, tables
from maglev.cli.demo.screen import Screen
from maglev.cli.demo.servers import Server
from maglev.cli.demo.timing import Stopwatch, detection_bound_s
from maglev.dataplanes.memory import MemoryDataplane
from maglev.domain.table import Table
from maglev.runtime import LiveControl

PLAYER = Actor("demo", "library")

_SETTLES_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.1
_STAYS_S = 0.4
"""How long what was predicted must last to count as reached."""
_CLIENT = IPv4Address("198.51.100.7")
_CLIENT_PORTS = range(40000, 41000)


@attrs.define
class Stage:
    """Where acts are played.

    Args:
        controller: The running controller.
        dataplane: Its dataplane.
        servers: The backends' servers, by backend.
        screen: Where it is shown.
        events: All events, those of probes included.
    """

    controller: LiveControl
    dataplane: MemoryDataplane
    servers: Mapping[str, Server]
    screen: Screen
    events: EventStream
    stopwatch: Stopwatch = attrs.field(factory=Stopwatch)

    async def overture(self) -> bool:
        """Wait until all servers are up; returns whether that went as predicted."""
        up = dict.fromkeys(self.servers, BackendState.UP)
        expected = expect_states(self.controller.config, up)
        return await self._finish(expected, up, None)

    async def act(self, act: Act) -> bool:
        """Play one act; returns whether everything went as predicted."""
        self.screen.say(act.prose)
        self.screen.clock()
        self.stopwatch.forget()
        before = await tables(self.controller, self.dataplane)
        flow = await self._flow_of(act.traced) if act.traced else None
        if_down = await self._if_down(flow)
        expected, states = await self._begin(act, before)
        right = await self._finish(expected, states, before)
        return await self._tell_flow(act, flow, if_down) and right

    async def narrate(self, within_s: float) -> bool:
        """Tell what happens, for some seconds at most; returns whether anything did."""
        told = False
        with anyio.move_on_after(within_s):
            for delivery in await self.events.batch():
                self.stopwatch.see(delivery.event)
                told = self.screen.tell(delivery.event) or told
        return told

    async def show(self, found: Mapping[str, Found] | None = None) -> None:
        """Show all frontends as they are now."""
        self.screen.state(self.controller.snapshot(), await self.controller.read_dataplane(), found)

    # --- an act's parts -------------------------------------------------------------------------------------------

    async def _begin(
        self, act: Act, before: Mapping[str, Table]
    ) -> tuple[dict[str, Expected], dict[str, BackendState]]:
        """Predict, then do."""
        if act.commands:
            return await self._command(act, before), {}
        states = {name: backend.state for name, backend in self.controller.snapshot().backends.items()}
        states.update(act.states)
        expected = expect_states(self.controller.config, states)
        for name, health in act.servers.items():
            self.servers[name].become(health)
        return expected, states

    async def _command(self, act: Act, before: Mapping[str, Table]) -> dict[str, Expected]:
        expected: dict[str, Expected] = {}
        for command in act.commands:
            preview = await self.controller.preview(command)
            now = {name: one.table for name, one in expected.items()} or before
            expected = expect_preview(self.controller, preview, now)
            await self.controller.command(command, PLAYER)
        return expected

    async def _finish(
        self, expected: Mapping[str, Expected], states: Mapping[str, BackendState], before: Mapping[str, Table] | None
    ) -> bool:
        """Wait for what was predicted, then show what there is beside it."""
        await self._settle(expected, states)
        found = await compare(self.controller, self.dataplane, expected, before)
        for backend, took_s in self.stopwatch.detected_s.items():
            check = self.controller.snapshot().backends[backend].healthcheck
            if check is not None:
                bound_s = detection_bound_s(self.controller.snapshot().healthchecks[check])
                self.screen.detection(backend, took_s, bound_s)
        await self.show(found)
        return not any(one.wrong for one in found.values())

    async def _settle(self, expected: Mapping[str, Expected], states: Mapping[str, BackendState]) -> None:
        lasted_s = 0.0
        with anyio.move_on_after(_SETTLES_WITHIN_S):
            while lasted_s < _STAYS_S:
                await self.narrate(_LOOK_EVERY_S)
                await anyio.sleep(_LOOK_EVERY_S)
                lasted_s = lasted_s + _LOOK_EVERY_S if await self._reached(expected, states) else 0.0

    async def _reached(self, expected: Mapping[str, Expected], states: Mapping[str, BackendState]) -> bool:
        now = await tables(self.controller, self.dataplane)
        if now.keys() != expected.keys():
            return False
        found = await compare(self.controller, self.dataplane, expected)
        backends = self.controller.snapshot().backends
        return not any(one.wrong for one in found.values()) and all(
            backends[name].state is state for name, state in states.items()
        )

    # --- one flow -------------------------------------------------------------------------------------------------

    async def _flow_of(self, backend: str) -> Flow | None:
        """Find a client's flow to the frontend `web` that a backend gets."""
        for port in _CLIENT_PORTS:
            flow = Flow(_CLIENT, port)
            if (await self.controller.trace_flow("web", flow)).backend == backend:
                return flow
        return None

    async def _if_down(self, flow: Flow | None) -> str:
        return (await self.controller.trace_flow("web", flow)).backend_if_down if flow is not None else ""

    async def _tell_flow(self, act: Act, flow: Flow | None, if_down: str) -> bool:
        if flow is None:
            return True
        server = await self.dataplane.server_for(self.controller.snapshot().frontends["web"].vip, flow)
        went = next((name for name, one in self.servers.items() if one.address == server), "nowhere")
        mark = "[green]✓[/]" if went == if_down else "[bold red]✗[/]"
        self.screen.print("")
        self.screen.say(
            f"A client's flow from {flow.source} port {flow.source_port} to web went to {act.traced}. Predicted for "
            f"{act.traced} down: {if_down}. Now it goes to: {went} {mark}"
        )
        return went == if_down
