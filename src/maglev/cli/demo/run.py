"""Sets the demonstration up, runs its steps, and stays until it is interrupted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path

import anyio
import attrs
import click

from maglev.api import Control, EventFilter, EventKind
from maglev.cli.daemon import SIGNALS, serve
from maglev.cli.demo import companions
from maglev.cli.demo.instructions import instructions
from maglev.cli.demo.runner import Runner
from maglev.cli.demo.scenario import SERVERS, STEPS, configuration
from maglev.cli.demo.screen import Screen
from maglev.cli.demo.servers import Server, free_port
from maglev.cli.options import Invocation
from maglev.config import Config, ConfigError, FlagValue, FlagValues, load
from maglev.dataplanes.memory import MemoryDataplane
from maglev.logs import logging_to_standard_error
from maglev.runtime import Settings, open_controller
from maglev.runtime.notify import Notifier

_PAUSE_S = 2.5
"""Between steps, for reading; not with `--once`."""
_QUIET_S = 0.7
"""After this time without events the tables are printed again."""
_EVENTS = frozenset(
    {EventKind.BACKEND, EventKind.FRONTEND, EventKind.WEIGHT, EventKind.SYNC, EventKind.PROBE, EventKind.DATAPLANE}
)


def run(invocation: Invocation, *, once: bool) -> int:
    """Run the demonstration.

    Args:
        invocation: For the plugins and their options, and for how to log.
        once: Return after the last step.

    Returns:
        The exit status: 1 if something did not go as predicted, or the steps were interrupted.
    """
    if "http" not in invocation.plugins.checkers:
        click.echo("maglevd: the demo probes over HTTP, which needs: pip install 'maglevd[http]'", err=True)
        return 1
    # The screen tells what happens; a log between its lines is for what went wrong.
    level = "error" if invocation.log_level == "info" else invocation.log_level
    with tempfile.TemporaryDirectory(prefix="maglevd-demo-") as folder:
        port = free_port(list(SERVERS.values()))
        file = Path(folder) / "maglev.yaml"
        file.write_text(configuration(port), encoding="utf-8")
        flag_values = own_addresses(invocation, Path(folder) / "grpc.sock")
        try:
            config = load(file, invocation.plugins, flag_values=flag_values).config
        except ConfigError as error:
            click.echo(str(error), err=True)
            return error.status
        invocation = attrs.evolve(invocation, config=file, state_dir=None, observe=False, flag_values=flag_values)
        with logging_to_standard_error(level, invocation.log_format, audit=os.devnull):
            return anyio.run(_Demo(invocation, config, port, once).run)


def own_addresses(invocation: Invocation, socket: Path) -> FlagValues:
    """Let exporters listen on free ports of loopback, and the API on a socket, unless options say otherwise.

    On their usual ports there may be another maglevd, or a Prometheus.
    """
    made = dict(invocation.flag_values)
    for name, exporter in invocation.plugins.exporters.items():
        own = {"socket": str(socket)} if name == "grpc" else {}
        if any(field.name == "addr" for field in attrs.fields(exporter.Options)):
            own["addr"] = f"127.0.0.1:{free_port([IPv4Address('127.0.0.1')])}"
        values = {option: FlagValue(value, "the demo") for option, value in own.items()}
        made["exporter", name] = {**values, **made.get(("exporter", name), {})}
    return made


@attrs.define
class _Demo:
    invocation: Invocation
    config: Config
    port: int
    once: bool
    right: bool = True
    finished: bool = False

    async def run(self) -> int:
        servers = {name: Server(name, address, self.port) for name, address in SERVERS.items()}
        dataplane = MemoryDataplane()
        settings = Settings(
            source=self.invocation.config,
            plugins=self.invocation.plugins,
            dataplane=dataplane,
            flag_values=self.invocation.flag_values,
        )
        with anyio.open_signal_receiver(*SIGNALS) as signals:
            async with anyio.create_task_group() as tasks:
                for server in servers.values():
                    tasks.start_soon(server.run)
                async with open_controller(settings) as controller, anyio.create_task_group() as running:
                    # Each ends the other: a signal the steps, the end of the steps the daemon.
                    steps, daemon = anyio.CancelScope(), anyio.CancelScope()
                    running.start_soon(self._show, controller, dataplane, servers, steps, daemon)
                    with daemon:
                        await serve(controller, self.invocation, signals, Notifier(), steps.cancel)
                tasks.cancel_scope.cancel()
        return 0 if self.right and (self.finished or not self.once) else 1

    async def _show(
        self,
        control: Control,
        dataplane: MemoryDataplane,
        servers: Mapping[str, Server],
        scope: anyio.CancelScope,
        daemon: anyio.CancelScope,
    ) -> None:
        with scope:
            found = [] if self.once else companions.find(self.invocation.plugins)
            folder, socket = self.invocation.config.parent, getattr(self.config.exporters.get("grpc"), "socket", "")
            async with (
                control.subscribe(EventFilter(_EVENTS), buffer=4096) as subscription,
                companions.running(found, folder, socket) as told,
            ):
                runner = Runner(control, self.config, dataplane, servers, Screen(), subscription.events)
                for line in told:
                    runner.screen.lines(line)
                await self._run_steps(runner)
                self.finished = True
                if not self.once:
                    await self._stay(runner, told)
            daemon.cancel()

    async def _run_steps(self, runner: Runner) -> None:
        count = len(STEPS) + 1
        runner.screen.title(f"1/{count}  four servers start")
        runner.screen.text(
            "Real HTTP servers on loopback, probed by maglevd; two VIPs in a dataplane in memory that builds the very "
            "tables that VPP builds. Each step is predicted before it happens: pool, state, and every bucket."
        )
        self.right = await runner.start()
        for number, step in enumerate(STEPS, 2):
            if not self.once:
                await anyio.sleep(_PAUSE_S)
            runner.screen.title(f"{number}/{count}  {step.title}")
            self.right = await runner.run(step) and self.right
        runner.screen.title("everything went as predicted" if self.right else "not everything went as predicted")

    async def _stay(self, runner: Runner, told: Sequence[str]) -> None:
        runner.screen.title("your turn")
        runner.screen.time_of_day()
        runner.screen.lines("\n".join([*instructions(self.config, self.invocation.config, self.port), *told]))
        while True:
            printed = await runner.print_events(_QUIET_S)
            while await runner.print_events(_QUIET_S):
                printed = True
            if printed:
                await runner.print_state()
