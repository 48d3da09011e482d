"""Running commands: one of the command line, those of a pipe, or those of a shell."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from maglev_cli.command import WRONG
from maglev_cli.grammar import Parsed, Token, WrongCommand, parse, split, tokens_of
from maglev_cli.help import commands_view, follow_view
from maglev_cli.options import Invocation
from maglev_cli.render import Output
from maglev_cli.tree import ROOT


def run(invocation: Invocation) -> int:
    """Run what was asked for.

    Args:
        invocation: What was asked for.

    Returns:
        The exit status.
    """
    if invocation.words:
        return _one(invocation)
    if sys.stdin.isatty():
        from maglev_cli.shell import shell  # noqa: PLC0415  (prompt_toolkit takes longer than a command)

        gc.enable()
        return asyncio.run(shell(invocation))
    return asyncio.run(_lines(invocation, sys.stdin))


def _one(invocation: Invocation) -> int:
    output, words = invocation.output, invocation.words
    if words[-1] == "?":
        return _help(output, words[:-1])
    line = parsed(output, tokens_of(words))
    if line is None:
        return WRONG
    if line.action in ("help", "quit"):  # needs no maglevd
        if line.action == "help":
            output.show(commands_view())
        return 0
    return asyncio.run(_connected(invocation, [line]))


def _help(output: Output, words: Sequence[str]) -> int:
    try:
        output.show(follow_view(ROOT, tokens_of(words)))
    except WrongCommand as wrong:
        output.error(str(wrong))
        return WRONG
    return 0


def parsed(output: Output, tokens: Sequence[Token]) -> Parsed | None:
    """Read a line; what is wrong with it is told, and gives `None`."""
    try:
        return parse(ROOT, tokens)
    except WrongCommand as wrong:
        output.error(str(wrong))
        return None


async def _lines(invocation: Invocation, lines: Iterable[str]) -> int:
    """Run a command from each line until one fails; empty lines and comments are left out."""
    wanted: list[Parsed] = []
    for number, text in enumerate(lines, 1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            wanted.append(parse(ROOT, split(text).all))
        except WrongCommand as wrong:
            # Nothing is run of a script that cannot be read to its end.
            invocation.output.error(f"line {number}: {wrong}")
            return WRONG
    return await _connected(invocation, wanted) if wanted else 0


async def _connected(invocation: Invocation, lines: Iterable[Parsed]) -> int:
    from maglev_grpc.client import connect  # noqa: PLC0415  (a wrong command needs no gRPC)

    try:
        async with connect(invocation.server, invocation.security) as client:
            for line in lines:
                if line.action == "quit":
                    return 0
                if status := await perform(client, line, invocation.output):
                    return status
    except ValueError as error:  # of `connect`: a server's name or a file that makes no sense
        invocation.output.error(str(error))
        return WRONG
    return 0


async def perform(client: Any, line: Parsed, output: Output) -> int:
    """Run one command, and tell what comes of it.

    Args:
        client: The `maglev_grpc.client.Client` to ask.
        line: The command.
        output: Where answers and errors go.

    Returns:
        The exit status: 0, or 1 for an error.
    """
    from maglev.api import CommandError, DataplaneError  # noqa: PLC0415  (as above)
    from maglev_cli.actions import perform as ask  # noqa: PLC0415
    from maglev_grpc.client import ClientError  # noqa: PLC0415

    try:
        if line.action == "help":
            output.show(commands_view())
            return 0
        if line.action == "watch":
            from maglev_cli.actions.watch import watch  # noqa: PLC0415

            gc.enable()
            await watch(client, line, output.event)
            return 0
        answer = await ask(client, line)
    except (CommandError, DataplaneError, ClientError) as error:
        output.error(str(error))
        return 1
    output.answer(answer.message, answer.view)
    for error_ in answer.errors:
        output.error(error_)
    return 1 if answer.errors else 0
