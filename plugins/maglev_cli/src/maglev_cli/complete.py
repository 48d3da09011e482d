"""Completes the words of a one-shot command: what the last of them can become."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from click.shell_completion import CompletionItem

from maglev_cli.forms import FORMS
from maglev_cli.grammar import Candidate, Split, Token, WrongCommand, candidates, next_of, tokens_of
from maglev_cli.options import Invocation


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
