"""The demonstration after its script: it stays up, and a small HTTP port takes orders from `curl`."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import attrs
from anyio.abc import SocketStream
from rich.console import Console

from maglev.api import (
    Command,
    CommandError,
    DisableBackend,
    EnableBackend,
    PauseBackend,
    ResetBackend,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
)
from maglev.cli.demo.http import Answer, answer_one
from maglev.cli.demo.screen import Screen
from maglev.cli.demo.servers import Health
from maglev.cli.demo.stage import PLAYER, Stage

_QUIET_S = 0.7
"""After this time without events the tables are shown again."""

_HEALTHS = {"kill": Health.DEAD, "hang": Health.HUNG, "heal": Health.WELL}
_COMMANDS: Mapping[str, Callable[[str], Command]] = {
    "pause": PauseBackend,
    "resume": ResumeBackend,
    "disable": DisableBackend,
    "enable": EnableBackend,
    "reset": ResetBackend,
}


async def play(stage: Stage, config: Path, exporters: Mapping[str, Any], companions: Sequence[str] = ()) -> None:
    """Take orders and narrate, until cancelled.

    Args:
        stage: The demonstration.
        config: Its configuration file.
        exporters: The options of the exporters that serve, by name.
        companions: What runs beside it, in words.
    """
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - a method of the same name as Django's
    stage.screen.title("your turn")
    stage.screen.time_of_day()
    stage.screen.print(_instructions(stage, port, config, exporters))
    for line in companions:
        stage.screen.print(line)

    async def take(stream: SocketStream) -> None:
        await answer_one(stream, lambda path: order(stage, path))

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, take)
        while True:
            await _narrate(stage)


async def _narrate(stage: Stage) -> None:
    told = await stage.narrate(_QUIET_S)
    while await stage.narrate(_QUIET_S):
        told = True
    if told:
        await stage.show()


async def order(stage: Stage, path: str) -> Answer:
    """Carry out an order.

    Args:
        stage: The demonstration.
        path: The path of the request: `/kill/ams-1`, `/weight/web/primary/ams-2/50`, `/`.

    Returns:
        Status and text.
    """
    match path.strip("/").split("/"):
        case [""]:
            return 200, await _state(stage)
        case [("kill" | "hang" | "heal") as what, name] if name in stage.servers:
            stage.servers[name].become(_HEALTHS[what])
            return 200, f"{name}: {_HEALTHS[what].value}\n"
        case [what, name] if what in _COMMANDS:
            return await _command(stage, _COMMANDS[what](name))
        case ["weight", frontend, pool, name, weight] if weight.isdecimal():
            return await _command(stage, SetFrontendPoolBackendWeight(frontend, pool, name, int(weight)))
        case _:
            return 404, f"no such order: {path}; backends are {', '.join(stage.servers)}\n"


async def _command(stage: Stage, command: Command) -> Answer:
    try:
        result = await stage.controller.command(command, PLAYER)
    except CommandError as error:
        return 409, f"refused: {error}\n"
    done = "done" if result.changed else "nothing to change"
    return 200, "".join(f"{line}\n" for line in (done, *result.messages, *result.errors))


async def _state(stage: Stage) -> str:
    text = io.StringIO()
    await attrs.evolve(stage, screen=Screen(Console(file=text, highlight=False, width=80))).show()
    return text.getvalue()


def _instructions(stage: Stage, port: int, config: Path, exporters: Mapping[str, Any]) -> str:
    here = f"curl 127.0.0.1:{port}"
    server = next(iter(stage.servers.values()))
    names = ", ".join(f"{one.name} {one.address}" for one in stage.servers.values())
    lines = [
        "It stays up until you press Ctrl-C. From another terminal:",
        "",
        f"  {here}/kill/ams-1       or hang, heal: what the server does",
        f"  {here}/pause/ams-2      or resume, disable, enable, reset: commands",
        f"  {here}/weight/web/primary/ams-3/100",
        f"  {here}/                 what is",
        "",
        f"Servers, on port {server.port}:",
        f"  {names}",
        f"Configuration: {config}",
        f"  change it, then: kill -HUP {os.getpid()}",
        f"Exporters: {_exporters(exporters)}",
    ]
    return "\n".join(lines)


def _exporters(exporters: Mapping[str, Any]) -> str:
    """Name the exporters that serve, with the address where they have one."""
    named = [
        f"{name} on {addr}" if (addr := getattr(options, "addr", "")) else name for name, options in exporters.items()
    ]
    return ", ".join(named) or "none is installed"
