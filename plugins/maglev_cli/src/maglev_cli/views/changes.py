"""Views of the effects of commands, of previews, and of errors in a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address

from maglev.api import (
    BackendPreview,
    CommandResult,
    FrontendPreview,
    Preview,
    Problem,
    Shares,
)
from maglev_cli.views import formatting
from maglev_cli.views.model import Block, Cell, Style, View, cell, fields, table, text_line

_Server = IPv4Address | IPv6Address


def result(found: CommandResult) -> View:
    """View of a command's result, without its errors."""
    messages = tuple(map(text_line, found.messages))
    if found.errors:
        return messages
    return (text_line("changed", Style.OK) if found.changed else text_line("nothing to change"), *messages)


def preview(found: Preview, addresses: Mapping[str, object]) -> View:
    """View of a preview; `addresses` are those of the backends."""
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
    return text_line(f"{found.backend}: {found.before or 'none'} → {found.after or 'none'}", Style.WARNING)


def _frontend(found: FrontendPreview, addresses: Mapping[str, object]) -> list[Block]:
    before, after = found.before, found.after
    names = {addresses.get(name): name for name in reversed([*before.weights, *after.weights])}
    servers = sorted({*before.buckets, *after.buckets}, key=lambda server: (server.version, int(server)))

    def change(get: Callable[[Shares], object]) -> Cell:
        return _change(get(before), get(after))

    columns: dict[str, Callable[[_Server], object]] = {
        "server": lambda server: server,
        "backend": names.get,
        "weight": lambda server: change(lambda shares: shares.weights.get(names.get(server, ""))),
        "table weight": lambda server: change(lambda shares: shares.table_weights.get(server)),
        "buckets": lambda server: change(lambda shares: shares.buckets.get(server)),
        "share of new flows": lambda server: change(lambda shares: _share(shares, server)),
    }
    changes = {"state": (before.state, after.state), "active pool": (before.active_pool, after.active_pool)}
    pairs: list[tuple[str, object]] = [
        ("frontend", Cell(found.frontend, Style.BOLD)),
        *((name, _change(was or "none", will or "none")) for name, (was, will) in changes.items() if was != will),
        ("new flows that move", Cell(formatting.share(found.moved), Style.WARNING if found.moved else Style.OK)),
        ("of them avoidable", formatting.share(found.moved_avoidable)),
        *(("would flush", Cell(str(server), Style.ERROR)) for server in found.flushed),
        *(("would write", operation) for operation in found.operations),
    ]
    return [fields(pairs), table(servers, columns, "no servers")]


def _share(shares: Shares, server: _Server) -> str | None:
    total = sum(shares.buckets.values())
    return formatting.share(shares.buckets[server] / total) if total and server in shares.buckets else None


def _change(before: object, after: object) -> Cell:
    if before == after:
        return cell(before)
    return Cell(f"{cell(before).text} → {cell(after).text}", Style.WARNING)


def problems(found: Sequence[Problem]) -> View:
    """View of a configuration's problems, as `maglevd check` prints them."""
    if not found:
        return (text_line("the configuration is valid: a reload would accept it", Style.OK),)
    styles = {"warning": Style.WARNING}
    return tuple(text_line(str(problem), styles.get(problem.severity, Style.ERROR)) for problem in found)
