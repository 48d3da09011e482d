"""Completion for bash, zsh and fish, by click: what the words of a command line can become."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from maglev_cli.forms import FORMS
from maglev_cli.grammar import Candidate, Split, Token, WrongCommand, candidates, next_of, tokens_of
from maglev_cli.options import Invocation


class _OneDash(ShellComplete):
    """Knows options with one dash too."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        return super().get_completions([re.sub(r"^-(?=\w\w)", "--", arg) for arg in args], incomplete)


class _Bash(_OneDash, BashComplete):
    """Puts words together that bash splits at `:` and `=`, and quotes what it would expand."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = os.environ["COMP_WORDS"].split("\n")[: int(os.environ["COMP_CWORD"]) + 1]
        joined = re.sub(r"\n?([:=]+)(\n|$)", r"\1", "\n".join(words)).split("\n")
        return joined[1:-1], joined[-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        if item.type != "plain":
            return super().format_completion(item)
        _, last = self.get_completion_args()
        done = re.sub(r"[^:=]*$", "", last)  # bash has this part already
        return super().format_completion(CompletionItem(shlex.quote(item.value.removeprefix(done))))


class _Zsh(_OneDash, ZshComplete):
    """As click has it."""


class _Fish(_OneDash, FishComplete):
    """As click has it."""


def answer(command: click.Command, variable: str, wanted: str) -> int:
    """Print what a shell asks for, as `bash_source` or `bash_complete`; returns the exit status."""
    shell, _, what = wanted.partition("_")
    made = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}[shell](command, {}, "maglevc", variable)
    click.echo(made.source() if what == "source" else made.complete())
    return 0


def candidates_of(values: Mapping[str, Any], partial: str) -> list[CompletionItem[str]]:
    """Return what the last word of a command can become; without names if maglevd does not tell them."""
    invocation = Invocation.parsed({**values, "words": values.get("words") or ()})
    line = Split(tokens_of(invocation.words), Token(partial))
    try:
        if any(argument.source for argument in next_of(FORMS, line).arguments):
            found = asyncio.run(_with_names(invocation, line))
        else:
            found = candidates(FORMS, line)
    except WrongCommand:
        return []
    return [CompletionItem(each.written if each.is_quoted else each.text, help=each.help) for each in found]


async def _with_names(invocation: Invocation, line: Split) -> tuple[Candidate, ...]:
    from maglev_cli.names import Names  # noqa: PLC0415  (words alone need no gRPC)
    from maglev_grpc.client import ClientError, connect  # noqa: PLC0415

    try:
        async with connect(invocation.server, invocation.security) as client:
            names = Names(client)
            await names.fetch(next_of(FORMS, line).arguments)
            return candidates(FORMS, line, names.known)
    except (ClientError, ValueError):
        return candidates(FORMS, line)
