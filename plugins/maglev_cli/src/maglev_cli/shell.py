"""The shell: reads a line, runs it, writes its answer, and goes on, also while maglevd is away."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from maglev_cli.editing import PROMPT, key_bindings
from maglev_cli.grammar import Parsed, WrongCommand
from maglev_cli.names import Names
from maglev_cli.options import Invocation
from maglev_cli.render import Output
from maglev_cli.run import Line, read_line, run_line
from maglev_cli.status import OK, WRONG
from maglev_cli.views.model import text_line
from maglev_cli.watch import on_interrupt
from maglev_grpc.client import Client, ClientError, connect

RETRY_FOR_S = 0.6
"""How long a query is tried again while maglevd is away: a restart takes less."""


def run_shell(invocation: Invocation) -> int:
    """Run commands until the user leaves; returns the exit status: `OK`, or `WRONG` if the options make no sense."""
    return asyncio.run(_run(invocation))


async def _run(invocation: Invocation) -> int:
    output = invocation.output
    try:
        async with connect(invocation.server, invocation.security, patience_s=RETRY_FOR_S) as client:
            await _greet(client, output)
            await _run_lines(client, output)
    except ValueError as error:  # of `connect`: a server's name or a file that makes no sense
        output.error(str(error))
        return WRONG
    return OK


async def _greet(client: Client, output: Output) -> None:
    try:
        info = await client.info()
    except ClientError as error:
        output.error(str(error))
        return
    output.show((text_line(f"maglevd {info.version} at {client.target}. ? shows what can follow, TAB completes."),))


async def _run_lines(client: Client, output: Output) -> None:
    prompt: PromptSession[str] = PromptSession(
        PROMPT,
        history=await asyncio.to_thread(_history),
        key_bindings=key_bindings(Names(client), output),
        enable_open_in_editor=False,
    )
    while True:
        try:
            line = read_line(await prompt.prompt_async())
        except KeyboardInterrupt:  # Ctrl-C clears the line
            continue
        except EOFError:  # Ctrl-D leaves
            return
        except WrongCommand as wrong:
            output.error(str(wrong))
            continue
        if isinstance(line, Parsed) and line.action == "quit":
            return
        if line is not None:
            await _run_line(client, line, output)


def _history() -> History:
    """The history in `$XDG_STATE_HOME` or `~/.local/state`, for its owner's eyes only; without it, that of this run."""
    try:
        path = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "maglevc" / "history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return InMemoryHistory()
    return FileHistory(path)


async def _run_line(client: Client, line: Line, output: Output) -> None:
    """Run one line; Ctrl-C ends it, and not the shell."""
    if isinstance(line, Parsed) and line.action == "watch":  # handles Ctrl-C itself
        await run_line(client, line, output)
        return
    task = asyncio.ensure_future(run_line(client, line, output))
    with on_interrupt(task.cancel):
        await asyncio.wait((task,))
    if task.cancelled():
        output.error("interrupted; a command that changes something may have been carried out nevertheless")
    else:
        await task
