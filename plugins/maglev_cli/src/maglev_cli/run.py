"""Runs commands: that of the command line, or those of a pipe. Also runs one line for the shell."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Sequence
from typing import Any

from maglev_cli.forms import FORMS
from maglev_cli.grammar import Parsed, Split, Token, WrongCommand, parse, split, tokens_of
from maglev_cli.help import commands_view, next_view
from maglev_cli.options import Invocation
from maglev_cli.render import Output
from maglev_cli.status import ERROR, OK, WRONG
from maglev_cli.views.model import View

Line = Parsed | View
"""What a line asks for: a command, or help, which is there at once."""


def read_words(words: Sequence[str]) -> Line:
    """Read the words of a command line; a `?` of its own at the end asks what can stand there.

    Raises:
        WrongCommand: They mean nothing.
    """
    tokens = tokens_of(words)
    if tokens[-1] == Token("?"):
        return next_view(Split(tokens[:-1], Token("")))
    return _read(tokens)


def read_line(text: str) -> Line | None:
    """Read a line of a pipe or of the shell; a `?` at its end asks what can stand there, or begins like the word there.

    Returns:
        `None` for a line that is empty or a comment.

    Raises:
        WrongCommand: It means nothing.
    """
    written = split(text)
    if not written.all or text.lstrip().startswith("#"):
        return None
    if written.is_open:
        raise WrongCommand("a quote is not closed", len(written.tokens))
    *before, last = written.all
    if last.text.endswith("?") and not last.is_quoted:
        return next_view(Split(tuple(before), Token(last.text[:-1])))
    return _read(written.all)


def _read(tokens: Sequence[Token]) -> Line:
    line = parse(FORMS, tokens)
    return commands_view() if line.action == "help" else line


def run_words(invocation: Invocation) -> int:
    """Run the command of the command line; returns the exit status."""
    try:
        line = read_words(invocation.words)
    except WrongCommand as wrong:
        invocation.output.error(str(wrong))
        return WRONG
    return _run_all(invocation, [line])


def run_lines(invocation: Invocation, lines: Iterable[str]) -> int:
    """Run a command from each line until one fails; returns the exit status."""
    read: list[Line] = []
    number = 0
    try:
        for number, text in enumerate(lines, 1):  # noqa: B007  (said below)
            line = read_line(text.rstrip("\r\n"))
            if line is not None:
                read.append(line)
    except WrongCommand as wrong:
        invocation.output.error(f"line {number}: {wrong}")
        return WRONG
    except OSError as error:
        invocation.output.error(f"standard input: {error.strerror}")
        return ERROR
    return _run_all(invocation, read)


def _run_all(invocation: Invocation, lines: Sequence[Line]) -> int:
    if all(not isinstance(line, Parsed) or line.action == "quit" for line in lines):  # nothing to ask maglevd
        for line in lines:
            if isinstance(line, Parsed):
                break
            invocation.output.show(line)
        return OK
    return asyncio.run(_ask_all(invocation, lines))


async def _ask_all(invocation: Invocation, lines: Iterable[Line]) -> int:
    from maglev_grpc.client import connect  # noqa: PLC0415  (a wrong command needs no gRPC)

    try:
        async with connect(invocation.server, invocation.security) as client:
            for line in lines:
                if isinstance(line, Parsed) and line.action == "quit":
                    return OK
                if status := await run_line(client, line, invocation.output):
                    return status
    except ValueError as error:  # of `connect`: a server's name or a file that makes no sense
        invocation.output.error(str(error))
        return WRONG
    return OK


async def run_line(client: Any, line: Line, output: Output) -> int:
    """Run one command, and write its answer; returns the exit status: `OK` or `ERROR`."""
    if not isinstance(line, Parsed):
        output.show(line)
        return OK
    from maglev.api import CommandError, DataplaneError  # noqa: PLC0415  (as above)
    from maglev_cli.actions import answer  # noqa: PLC0415
    from maglev_grpc.client import ClientError  # noqa: PLC0415

    try:
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
