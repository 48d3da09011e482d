"""Sets the demonstration up, plays it, and clears it away."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio
import attrs
import click

from maglev.api import EventFilter, EventKind
from maglev.cli.daemon import SIGNALS, serve
from maglev.cli.demo import companions
from maglev.cli.demo.acts import ACTS
from maglev.cli.demo.companions import Companion
from maglev.cli.demo.play import play
from maglev.cli.demo.screen import Screen
from maglev.cli.demo.servers import Server, free_port
from maglev.cli.demo.setting import SERVERS, configuration
from maglev.cli.demo.stage import Stage
from maglev.cli.options import Invocation
from maglev.dataplanes.memory import MemoryDataplane
from maglev.runtime import LiveControl, Settings, open_controller
from maglev.runtime.logging import configure
from maglev.runtime.notify import Notifier

_PAUSE_S = 2.5
"""Between acts, for reading; `--once` is in a hurry."""
_EVENTS = frozenset(
    {EventKind.BACKEND, EventKind.FRONTEND, EventKind.WEIGHT, EventKind.SYNC, EventKind.PROBE, EventKind.DATAPLANE}
)


def run(invocation: Invocation, *, once: bool) -> int:
    """Play the demonstration.

    Args:
        invocation: For the plugins and their options, and for how to log.
        once: Run to the end of the script and return.

    Returns:
        The exit status: 1 if something did not go as predicted, or the script was interrupted.
    """
    if "http" not in invocation.plugins.checkers:
        click.echo("maglevd: the demo probes over HTTP, which needs: pip install 'maglevd[http]'", err=True)
        return 1
    # The screen tells what happens; a log between its lines is for what went wrong.
    configure("error" if invocation.log_level == "info" else invocation.log_level, invocation.log_format)
    with tempfile.TemporaryDirectory(prefix="maglevd-demo-") as folder:
        port = free_port(list(SERVERS.values()))
        config = Path(folder) / "maglev.yaml"
        config.write_text(configuration(port), encoding="utf-8")
        guests = [] if once else companions.find(invocation.plugins, Path(folder))
        demo = _Demo(
            attrs.evolve(
                invocation,
                config=config,
                state_dir=None,
                observe=False,
                overrides=companions.merged(invocation.overrides, guests),
            ),
            port,
            once,
            guests,
        )
        return anyio.run(demo.run)


@attrs.define
class _Demo:
    invocation: Invocation
    port: int
    once: bool
    guests: Sequence[Companion] = ()
    right: bool = True
    finished: bool = False

    async def run(self) -> int:
        servers = {name: Server(name, address, self.port) for name, address in SERVERS.items()}
        dataplane = MemoryDataplane()
        settings = Settings(
            source=self.invocation.config,
            plugins=self.invocation.plugins,
            dataplane=dataplane,
            overrides=self.invocation.overrides,
        )
        with anyio.open_signal_receiver(*SIGNALS) as signals:
            async with anyio.create_task_group() as tasks:
                for server in servers.values():
                    tasks.start_soon(server.run)
                async with open_controller(settings) as controller, anyio.create_task_group() as playing:
                    # Each ends the other: a signal the play, the end of the script the daemon.
                    play_scope, daemon_scope = anyio.CancelScope(), anyio.CancelScope()
                    playing.start_soon(self._play, controller, dataplane, servers, play_scope, daemon_scope)
                    with daemon_scope:
                        await serve(controller, self.invocation, signals, Notifier(), play_scope.cancel)
                tasks.cancel_scope.cancel()
        return 0 if self.right and (self.finished or not self.once) else 1

    async def _play(
        self,
        controller: LiveControl,
        dataplane: MemoryDataplane,
        servers: dict[str, Server],
        scope: anyio.CancelScope,
        daemon: anyio.CancelScope,
    ) -> None:
        with scope:
            async with (
                controller.subscribe(EventFilter(_EVENTS), buffer=4096) as subscription,
                companions.running(self.guests) as told,
            ):
                stage = Stage(controller, dataplane, servers, Screen(), subscription.events)
                for line in told:
                    stage.screen.print(line)
                await self._script(stage)
                self.finished = True
                if not self.once:
                    await play(stage, self.invocation.config, controller.config.exporters, told)
            daemon.cancel()

    async def _script(self, stage: Stage) -> None:
        parts = len(ACTS) + 1
        stage.screen.title(f"1/{parts}  four servers start")
        stage.screen.say(
            "Real HTTP servers on loopback, probed by maglevd; two VIPs in a dataplane in memory that builds the very "
            "tables that VPP builds. Each act is predicted before it happens: pool, state, and every bucket."
        )
        self.right = await stage.overture()
        for number, act in enumerate(ACTS, 2):
            await self._pause(stage)
            stage.screen.title(f"{number}/{parts}  {act.title}")
            self.right = await stage.act(act) and self.right
        stage.screen.title("everything went as predicted" if self.right else "not everything went as predicted")

    async def _pause(self, stage: Stage) -> None:
        if not self.once:
            await anyio.sleep(_PAUSE_S)
