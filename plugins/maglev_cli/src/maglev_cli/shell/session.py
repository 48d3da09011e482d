"""The shell: reads a line, runs it, tells what came of it, and goes on, whatever becomes of maglevd."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prompt_toolkit import PromptSession

from maglev_cli.grammar import split
from maglev_cli.names import Names
from maglev_cli.options import Invocation
from maglev_cli.render import Output
from maglev_cli.run import parsed, perform
from maglev_cli.shell.history import open_history
from maglev_cli.shell.keys import PROMPT, key_bindings
from maglev_cli.views.model import line
from maglev_grpc.client import Client, ClientError, connect

PATIENCE_S = 0.6
"""How long a question is asked again while maglevd is away: a restart is over sooner than most notice."""


async def shell(invocation: Invocation) -> int:
    """Run commands from the terminal until the user leaves.

    Args:
        invocation: What was asked for.

    Returns:
        The exit status: 0, or 2 if the options make no sense.
    """
    output = invocation.output
    try:
        async with connect(invocation.server, invocation.security, patience_s=PATIENCE_S) as client:
            await _greet(client, output)
            await _read_all(client, output)
    except ValueError as error:  # of `connect`: a server's name or a file that makes no sense
        output.error(str(error))
        return 2
    return 0


async def _greet(client: Client, output: Output) -> None:
    try:
        info = await client.info()
    except ClientError as error:
        output.error(str(error))
        return
    output.show((line(f"maglevd {info.version} at {client.target}. ? shows what can follow, TAB completes."),))


async def _read_all(client: Client, output: Output) -> None:
    history = await asyncio.to_thread(open_history)
    prompt: PromptSession[str] = PromptSession(
        PROMPT, history=history, key_bindings=key_bindings(Names(client), output), enable_open_in_editor=False
    )
    while True:
        try:
            text = await prompt.prompt_async()
        except KeyboardInterrupt:  # Ctrl-C clears the line
            continue
        except EOFError:  # Ctrl-D leaves
            return
        written = split(text)
        if written.is_open:
            output.error("a quote is not closed")
        elif written.all and not await _run(client, written.all, output):
            return


async def _run(client: Client, tokens: Any, output: Output) -> bool:
    """Run one line; returns whether to go on."""
    command = parsed(output, tokens)
    if command is None:
        return True
    if command.action == "quit":
        return False
    if command.action == "watch":  # minds Ctrl-C itself
        await perform(client, command, output)
        return True
    task = asyncio.ensure_future(perform(client, command, output))
    with _interrupted_by(task):
        await asyncio.wait((task,))
    if task.cancelled():
        output.error("interrupted; a command that changes something may have been carried out nevertheless")
    else:
        await task
    return True


@contextmanager
def _interrupted_by(task: asyncio.Future[Any]) -> Iterator[None]:
    """Let Ctrl-C end one command, and not the shell."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
