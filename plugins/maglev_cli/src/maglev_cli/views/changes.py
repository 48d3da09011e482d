"""What commands did, what they would do, and what is wrong with a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maglev.api import CommandResult, FrontendPreview, Preview, Problem, Shares
from maglev_cli.views import words
from maglev_cli.views.model import Block, Cell, Table, Tone, View, columns, facts, line, row


def result(found: CommandResult) -> View:
    """What a command did, but for its errors."""
    messages = tuple(map(line, found.messages))
    if found.errors:
        return messages
    return (line("changed", Tone.GOOD) if found.changed else line("nothing to change"), *messages)


def preview(found: Preview, addresses: Mapping[str, object]) -> View:
    """What a command would do.

    Args:
        found: It.
        addresses: The servers' addresses by backend.
    """
    blocks: list[Block] = []
    for each in found.frontends:
        blocks += _frontend(each, addresses)
    if not found.frontends:
        blocks.append(line("nothing would change"))
    blocks += (line(message) for message in found.messages)
    return tuple(blocks)


def _frontend(found: FrontendPreview, addresses: Mapping[str, object]) -> list[Block]:
    servers = sorted({*found.before.buckets, *found.after.buckets}, key=lambda server: (server.version, int(server)))
    totals = (sum(found.before.buckets.values()), sum(found.after.buckets.values()))
    rows = tuple(_server(found, server, _name(found, server, addresses), totals) for server in servers)
    titles = columns("server", "backend", "weight", "table weight", "buckets", "share of new flows")
    told: list[tuple[str, object]] = [
        ("frontend", Cell(found.frontend, Tone.TITLE)),
        ("new flows that move", Cell(words.share(found.moved), Tone.ODD if found.moved else Tone.GOOD)),
        ("of them avoidable", words.share(found.moved_avoidable)),
        *(("would flush", Cell(str(server), Tone.BAD)) for server in found.flushed),
        *(("would write", operation) for operation in found.operations),
    ]
    return [facts(told), Table(titles, rows, "no servers")]


def _name(found: FrontendPreview, server: object, addresses: Mapping[str, object]) -> str:
    known = [*dict.fromkeys([*found.before.weights, *found.after.weights])]
    return next((name for name in known if addresses.get(name) == server), "")


def _server(found: FrontendPreview, server: object, name: str, totals: tuple[int, int]) -> tuple[Cell, ...]:
    both = (found.before, found.after)
    return row(
        server,
        name,
        _change([_at(shares.weights, name) for shares in both]),
        _change([_at(shares.table_weights, server) for shares in both]),
        _change([_at(shares.buckets, server) for shares in both]),
        _change([_share(shares, server, total) for shares, total in zip(both, totals, strict=True)]),
    )


def _at(values: Mapping[Any, int], key: object) -> str:
    return str(values[key]) if key in values else "-"


def _share(shares: Shares, server: object, total: int) -> str:
    buckets: Mapping[Any, int] = shares.buckets
    return words.share(buckets[server] / total) if total and server in buckets else "-"


def _change(both: Sequence[str]) -> Cell:
    before, after = both
    return Cell(before) if before == after else Cell(f"{before} → {after}", Tone.ODD)


def problems(found: Sequence[Problem]) -> View:
    """What is wrong with a configuration, as `maglevd check` says it."""
    if not found:
        return (line("the configuration is valid: a reload would take it", Tone.GOOD),)
    return tuple(line(str(problem), Tone.ODD if problem.severity == "warning" else Tone.BAD) for problem in found)
