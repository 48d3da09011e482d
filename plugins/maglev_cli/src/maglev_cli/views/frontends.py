"""Frontends, and where a flow goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maglev.api import FlowTrace, FrontendSnapshot, MemberSnapshot
from maglev_cli.views import formatting
from maglev_cli.views.model import Cell, Style, View, fields, table


def frontends(found: Sequence[FrontendSnapshot]) -> View:
    """All frontends."""
    columns: dict[str, Callable[[FrontendSnapshot], object]] = {
        "frontend": lambda each: each.name,
        "VIP": lambda each: each.vip,
        "state": lambda each: formatting.state(each.state),
        "pool": lambda each: each.active_pool,
        "#serving": _serving,
        "dataplane": lambda each: formatting.in_sync(each.in_sync),
        "description": lambda each: each.description,
    }
    return (table(found, columns, "no frontends"),)


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
    columns: dict[str, Callable[[MemberSnapshot], object]] = {
        "pool": lambda each: each.pool,
        "backend": lambda each: each.backend,
        "address": lambda each: each.address,
        "state": lambda each: formatting.state(each.state),
        "#weight": _weight,
        "#effective": lambda each: each.effective_weight,
        "#table": lambda each: each.table_weight,
        "#dataplane": _dataplane_weight,
        "#buckets": lambda each: each.buckets,
        "reason": lambda each: each.reason,
    }
    return (head, table(found.members, columns, "no backends"))


def _weight(member: MemberSnapshot) -> Cell:
    if not member.overridden:
        return Cell(str(member.weight))
    return Cell(f"{member.weight} (file: {member.configured_weight})", Style.WARNING)


def _dataplane_weight(member: MemberSnapshot) -> Cell | None:
    if member.dataplane_weight is None:
        return None
    differs = member.dataplane_weight != member.table_weight
    return Cell(str(member.dataplane_weight), Style.ERROR if differs else Style.PLAIN)


def flow(trace: FlowTrace) -> View:
    """View of the server of a new flow."""
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
