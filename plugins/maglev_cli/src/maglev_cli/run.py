"""Runs commands: that of the command line, or those of a pipe. Also runs one line for the shell."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from typing import Any

from maglev_cli.forms import FORMS
from maglev_cli.grammar import Parsed, Split, Token, WrongCommand, parse, split, tokens_of
from maglev_cli.help import commands_view, next_view
from maglev_cli.options import Invocation
from maglev_cli.render import Output
from maglev_cli.status import ERROR, OK, WRONG


def run_words(invocation: Invocation) -> int:
    """Run the command of the command line; returns the exit status."""
    output, words = invocation.output, invocation.words
    try:
        if words[-1] == "?":
            output.show(next_view(Split(tokens_of(words[:-1]), Token(""))))
            return OK
        line = parse(FORMS, tokens_of(words))
    except WrongCommand as wrong:
        output.error(str(wrong))
        return WRONG
    if line.action == "help":  # needs no maglevd
        output.show(commands_view())
    return OK if line.action in ("help", "quit") else asyncio.run(_run_all(invocation, [line]))


def run_lines(invocation: Invocation, lines: Iterable[str]) -> int:
    """Run a command from each line until one fails; returns the exit status."""
    parsed: list[Parsed] = []
    for number, text in enumerate(lines, 1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            parsed.append(parse(FORMS, split(text).all))
        except WrongCommand as wrong:
            invocation.output.error(f"line {number}: {wrong}")
            return WRONG
    return asyncio.run(_run_all(invocation, parsed)) if parsed else OK


async def _run_all(invocation: Invocation, lines: Iterable[Parsed]) -> int:
    from maglev_grpc.client import connect  # noqa: PLC0415  (a wrong command needs no gRPC)

    try:
        async with connect(invocation.server, invocation.security) as client:
            for line in lines:
                if line.action == "quit":
                    return OK
                if status := await run_line(client, line, invocation.output):
                    return status
    except ValueError as error:  # of `connect`: a server's name or a file that makes no sense
        invocation.output.error(str(error))
        return WRONG
    return OK


async def run_line(client: Any, line: Parsed, output: Output) -> int:
    """Run one command, and write its answer; returns the exit status: `OK` or `ERROR`."""
    from maglev.api import CommandError, DataplaneError  # noqa: PLC0415  (as above)
    from maglev_cli.actions import answer  # noqa: PLC0415
    from maglev_grpc.client import ClientError  # noqa: PLC0415

    try:
        if line.action == "help":
            output.show(commands_view())
            return OK
        if line.action == "watch":
            from maglev_cli.watch import watch  # noqa: PLC0415

            gc.enable()
            await watch(client, line, output.json)
            return OK
        found = await answer(client, line)
    except (CommandError, DataplaneError, ClientError) as error:
        output.error(str(error))
        return ERROR
    output.answer(found.message, found.view)
    for error_ in found.errors:
        output.error(error_)
    return ERROR if found.errors else OK
