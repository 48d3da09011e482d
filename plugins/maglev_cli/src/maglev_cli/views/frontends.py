"""Frontends, and where a flow goes."""

from __future__ import annotations

from collections.abc import Sequence

from maglev.api import FlowTrace, FrontendSnapshot, MemberSnapshot
from maglev_cli.views import formatting
from maglev_cli.views.model import Cell, Style, Table, View, columns, fields, row


def frontends(found: Sequence[FrontendSnapshot]) -> View:
    """All frontends."""
    rows = (
        row(
            frontend.name,
            frontend.vip,
            formatting.state(frontend.state),
            frontend.active_pool,
            _serving(frontend),
            formatting.in_sync(frontend.in_sync),
            frontend.description,
        )
        for frontend in found
    )
    titles = columns("frontend", "VIP", "state", "pool", "#serving", "dataplane", "description")
    return (Table(titles, tuple(rows), "no frontends"),)


def _serving(frontend: FrontendSnapshot) -> str:
    members = [member for member in frontend.members if member.pool == frontend.active_pool]
    return f"{sum(member.effective_weight > 0 for member in members)}/{len(members)}"


def frontend(found: FrontendSnapshot) -> View:
    """One frontend."""
    head = fields(
        [
            ("frontend", found.name),
            ("description", found.description),
            ("VIP", found.vip),
            ("state", formatting.state(found.state)),
            ("why", found.why),
            ("active pool", f"{found.active_pool} (of {', '.join(found.pools)})"),
            ("dataplane", formatting.in_sync(found.in_sync)),
            *(("drift", Cell(drift, Style.ERROR)) for drift in found.drift),
            ("new-flow table", f"{found.table_length} buckets, weights in steps of {found.weight_step}"),
            ("sticky", formatting.yes(found.sticky)),
            ("flush on down", formatting.yes(found.flush_on_down)),
            ("when none is up", f"{found.when_none_up}{' (holding the last weights now)' if found.holding else ''}"),
            *([] if found.released else [("warm-up", Cell("not over: nothing is written yet", Style.WARNING))]),
        ]
    )
    return (head, _members(found.members))


def _members(members: Sequence[MemberSnapshot]) -> Table:
    titles = columns(
        "pool", "backend", "address", "state", "#weight", "#effective", "#table", "#dataplane", "#buckets", "reason"
    )
    return Table(titles, tuple(map(_member, members)), "no backends")


def _member(member: MemberSnapshot) -> tuple[Cell, ...]:
    weight = f"{member.weight} (file: {member.configured_weight})" if member.overridden else str(member.weight)
    differs = member.dataplane_weight is not None and member.dataplane_weight != member.table_weight
    held = "-" if member.dataplane_weight is None else str(member.dataplane_weight)
    return row(
        member.pool,
        member.backend,
        member.address,
        formatting.state(member.state),
        Cell(weight, Style.WARNING if member.overridden else Style.PLAIN),
        member.effective_weight,
        member.table_weight,
        Cell(held, Style.ERROR if differs else Style.PLAIN),
        member.buckets,
        member.reason,
    )


def flow(trace: FlowTrace) -> View:
    """Which server a new flow gets."""
    source = "those in the dataplane" if trace.from_dataplane else "those wanted: there is no dataplane connection"
    return (
        fields(
            [
                ("frontend", trace.frontend),
                ("bucket", trace.bucket),
                ("server", _server(trace.server, trace.backend)),
                ("if that went down", _server(trace.if_down, trace.backend_if_down)),
                ("hash", trace.flow_hash),
                ("weights", source),
            ]
        ),
    )


def _server(address: object, backend: str) -> Cell:
    if address is None:
        return Cell("none: no server has weight", Style.ERROR)
    return Cell(f"{address} ({backend})" if backend else str(address))
