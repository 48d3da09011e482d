"""What commands did, what they would do, and what is wrong with a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from maglev.api import (
    BackendPreview,
    BackendState,
    CommandResult,
    FrontendPreview,
    FrontendState,
    Preview,
    Problem,
    Shares,
)
from maglev_cli.views import formatting
from maglev_cli.views.model import Block, Cell, Style, Table, View, columns, fields, row, text_line


def result(found: CommandResult) -> View:
    """What a command did, but for its errors."""
    messages = tuple(map(text_line, found.messages))
    if found.errors:
        return messages
    return (text_line("changed", Style.OK) if found.changed else text_line("nothing to change"), *messages)


def preview(found: Preview, addresses: Mapping[str, object]) -> View:
    """What a command would do; `addresses` are those of the backends."""
    blocks: list[Block] = [_backend(each) for each in found.backends]
    for each in found.frontends:
        blocks += _frontend(each, addresses)
    of_frontends = Counter(operation for each in found.frontends for operation in each.operations)
    others = (Counter(found.operations) - of_frontends).elements()
    blocks += (text_line(f"would write, for no frontend: {operation}", Style.WARNING) for operation in others)
    if not blocks:
        blocks.append(text_line("nothing would change"))
    return (*blocks, *map(text_line, found.messages))


def _backend(found: BackendPreview) -> Block:
    return text_line(f"{found.backend}: {_state(found.before)} → {_state(found.after)}", Style.WARNING)


def _state(state: BackendState | FrontendState | None) -> str:
    return "none" if state is None else state.value


def _frontend(found: FrontendPreview, addresses: Mapping[str, object]) -> list[Block]:
    before, after = found.before, found.after
    servers = sorted({*before.buckets, *after.buckets}, key=lambda server: (server.version, int(server)))
    totals = (sum(before.buckets.values()), sum(after.buckets.values()))
    rows = tuple(_server(found, server, _name(found, server, addresses), totals) for server in servers)
    titles = columns("server", "backend", "weight", "table weight", "buckets", "share of new flows")
    changes = {
        "state": (_state(before.state), _state(after.state)),
        "active pool": (before.active_pool or "none", after.active_pool or "none"),
    }
    told: list[tuple[str, object]] = [
        ("frontend", Cell(found.frontend, Style.BOLD)),
        *((name, _change(both)) for name, both in changes.items() if both[0] != both[1]),
        ("new flows that move", Cell(formatting.share(found.moved), Style.WARNING if found.moved else Style.OK)),
        ("of them avoidable", formatting.share(found.moved_avoidable)),
        *(("would flush", Cell(str(server), Style.ERROR)) for server in found.flushed),
        *(("would write", operation) for operation in found.operations),
    ]
    return [fields(told), Table(titles, rows, "no servers")]


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
    return formatting.share(buckets[server] / total) if total and server in buckets else "-"


def _change(both: Sequence[str]) -> Cell:
    before, after = both
    return Cell(before) if before == after else Cell(f"{before} → {after}", Style.WARNING)


def problems(found: Sequence[Problem]) -> View:
    """What is wrong with a configuration, as `maglevd check` says it."""
    if not found:
        return (text_line("the configuration is valid: a reload would take it", Style.OK),)
    styles = {"warning": Style.WARNING}
    return tuple(text_line(str(problem), styles.get(problem.severity, Style.ERROR)) for problem in found)
