"""Runs the steps: predicts, acts, prints the events, and compares."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

import anyio
import attrs

from maglev.api import Actor, BackendState, Control, EventStream, Flow
from maglev.cli.demo.predictions import Comparison, Prediction, compare, predict_command, predict_states, tables
from maglev.cli.demo.scenario import Step
from maglev.cli.demo.screen import Screen
from maglev.cli.demo.servers import Server
from maglev.cli.demo.timing import DetectionTimer, detection_bound_s
from maglev.config import Config
from maglev.dataplanes.memory import MemoryDataplane
from maglev.domain.table import Table

_ACTOR = Actor("demo", "library")

_SETTLES_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.1
_STAYS_S = 0.4
"""How long what was predicted must last to count as reached."""
_CLIENT = IPv4Address("198.51.100.7")
_CLIENT_PORTS = range(40000, 41000)


@attrs.define
class Runner:
    """Runs steps on a controller.

    Args:
        servers: The backends' servers, by backend.
        screen: Where to print.
        events: All events, those of probes included.
    """

    control: Control
    config: Config
    dataplane: MemoryDataplane
    servers: Mapping[str, Server]
    screen: Screen
    events: EventStream
    timer: DetectionTimer = attrs.field(factory=DetectionTimer)

    async def start(self) -> bool:
        """Wait until all servers are up; returns whether that went as predicted."""
        up = dict.fromkeys(self.servers, BackendState.UP)
        return await self._finish(predict_states(self.config, up), up, None)

    async def run(self, step: Step) -> bool:
        """Run one step; returns whether everything went as predicted."""
        self.screen.text(step.text)
        self.screen.time_from_now()
        self.timer.clear()
        before = await tables(self.control, self.dataplane)
        flow = await self._flow_of(step.traced) if step.traced else None
        if_down = (await self.control.trace_flow("web", flow)).backend_if_down if flow else ""
        predictions, states = await self._begin(step, before)
        right = await self._finish(predictions, states, before)
        if flow is not None:
            right = await self._check_flow(step.traced, flow, if_down) and right
        return right

    async def print_events(self, within_s: float) -> bool:
        """Print the next events, waiting for some seconds at most; returns whether there were any to print."""
        printed = False
        with anyio.move_on_after(within_s):
            for delivery in await self.events.batch():
                self.timer.add(delivery.event)
                printed = self.screen.event(delivery.event) or printed
        return printed

    async def print_state(self, comparisons: Mapping[str, Comparison] | None = None) -> None:
        """Print all frontends as they are now."""
        self.screen.state(self.control.snapshot(), await self.control.read_dataplane(), comparisons)

    async def _begin(
        self, step: Step, before: Mapping[str, Table]
    ) -> tuple[dict[str, Prediction], dict[str, BackendState]]:
        """Predict, then act."""
        if step.commands:
            return await self._command(step, before), {}
        states = {name: backend.state for name, backend in self.control.snapshot().backends.items()}
        states.update(step.states)
        predictions = predict_states(self.config, states)
        for name, mode in step.servers.items():
            self.servers[name].change(mode)
        return predictions, states

    async def _command(self, step: Step, before: Mapping[str, Table]) -> dict[str, Prediction]:
        predictions: dict[str, Prediction] = {}
        for command in step.commands:
            preview = await self.control.preview(command)
            now = {name: one.table for name, one in predictions.items()} or before
            predictions = predict_command(self.control, preview, now)
            await self.control.command(command, _ACTOR)
        return predictions

    async def _finish(
        self,
        predictions: Mapping[str, Prediction],
        states: Mapping[str, BackendState],
        before: Mapping[str, Table] | None,
    ) -> bool:
        """Wait for what was predicted, then print it beside what there is."""
        await self._settle(predictions, states)
        compared = await compare(self.control, self.dataplane, predictions, before)
        snapshot = self.control.snapshot()
        for backend, took_s in self.timer.detected_s.items():
            check = snapshot.backends[backend].healthcheck
            if check is not None:
                self.screen.detection(backend, took_s, detection_bound_s(snapshot.healthchecks[check]))
        await self.print_state(compared)
        return not any(one.differences for one in compared.values())

    async def _settle(self, predictions: Mapping[str, Prediction], states: Mapping[str, BackendState]) -> None:
        lasted_s = 0.0
        with anyio.move_on_after(_SETTLES_WITHIN_S):
            while lasted_s < _STAYS_S:
                await self.print_events(_LOOK_EVERY_S)
                await anyio.sleep(_LOOK_EVERY_S)
                lasted_s = lasted_s + _LOOK_EVERY_S if await self._reached(predictions, states) else 0.0

    async def _reached(self, predictions: Mapping[str, Prediction], states: Mapping[str, BackendState]) -> bool:
        if (await tables(self.control, self.dataplane)).keys() != predictions.keys():
            return False
        compared = await compare(self.control, self.dataplane, predictions)
        backends = self.control.snapshot().backends
        return not any(one.differences for one in compared.values()) and all(
            backends[name].state is state for name, state in states.items()
        )

    async def _flow_of(self, backend: str) -> Flow | None:
        """Find a client's flow to the frontend `web` that a backend gets."""
        for port in _CLIENT_PORTS:
            flow = Flow(_CLIENT, port)
            if (await self.control.trace_flow("web", flow)).backend == backend:
                return flow
        return None

    async def _check_flow(self, backend: str, flow: Flow, if_down: str) -> bool:
        address = await self.dataplane.server_for(self.control.snapshot().frontends["web"].vip, flow)
        now = next((name for name, server in self.servers.items() if server.address == address), "nowhere")
        result = "[green]✓[/]" if now == if_down else "[bold red]✗[/]"
        self.screen.lines("")
        self.screen.text(
            f"A client's flow from {flow.source} port {flow.source_port} to web went to {backend}. Predicted for "
            f"{backend} down: {if_down}. Now it goes to: {now} {result}"
        )
        return now == if_down
