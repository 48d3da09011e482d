"""The dataplane: the connection, what it holds, what it counted; and versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from maglev.api import (
    DataplaneSnapshot,
    DataplaneState,
    MessageCount,
    ServerState,
    Trouble,
    VipCounters,
    VipKey,
    VipState,
)
from maglev_cli.views import formatting
from maglev_cli.views.model import Cell, Style, View, fields, table
from maglev_grpc.client import Info


def version(info: Info, own: str, now_s: float) -> View:
    """View of versions and of the condition of maglevd; `now_s` is in seconds since the epoch."""
    lag = info.lag
    return (
        fields(
            [
                ("maglevd", f"{info.version} (commit {info.commit}, {info.date})"),
                ("maglevc", own),
                ("started", formatting.moment(info.started_at_s, now_s)),
                ("configuration", f"loaded {formatting.moment(info.config_loaded_at_s, now_s)}"),
                ("warm-up", "over" if info.warm else Cell("not over", Style.WARNING)),
                ("loop lag", f"{lag.last_s * 1000:.1f} ms, at most {lag.max_s * 1000:.1f} ms, stalls {lag.stalls}"),
                ("watchers", info.watchers),
                ("you may", f"{'read and change' if info.may_change else 'read'}: {info.may_change_why}"),
                *((_trouble(one), Cell(f"{one.message} ({_since(one, now_s)})", Style.ERROR)) for one in info.troubles),
            ]
        ),
    )


_TROUBLES = {"reload": "reload refused", "state": "not saved"}


def _trouble(one: Trouble) -> str:
    return _TROUBLES.get(one.kind, f"exporter {one.name}")


def _since(one: Trouble, now_s: float) -> str:
    return f"since {formatting.moment(one.since_s, now_s)}"


def dataplane(found: DataplaneSnapshot, now_s: float) -> View:
    """The connection to the dataplane; `now_s` is now, in seconds since the epoch."""
    info = found.info
    known: list[tuple[str, object]] = []
    if info is not None:
        known = [
            ("version", info.version),
            ("built", info.build_date),
            ("process", info.pid),
            ("started", formatting.moment(info.boot_time_s, now_s)),
            ("connected", formatting.moment(info.connected_at_s, now_s)),
            ("flow hash", info.flow_hash),
            ("capabilities", ", ".join(sorted(info.capabilities))),
            *(("missing", Cell(missing, Style.WARNING)) for missing in info.missing),
        ]
    connection = Cell("connected", Style.OK) if found.connected else Cell(f"lost: {found.detail}", Style.ERROR)
    writes = Cell("observing: nothing is written", Style.WARNING) if found.observing else "on"
    traffic = [("messages", _messages(found.api_messages))] if found.api_messages else []
    drift = (("drift", Cell(what, Style.ERROR)) for what in found.drift)
    unmanaged = (("unmanaged VIP", Cell(str(vip), Style.WARNING)) for vip in found.unmanaged)
    unrouted = (("no route to", Cell(str(server), Style.ERROR)) for server in found.unrouted)
    lost = [] if found.lost_bytes is None else [("memory lost", f"{found.lost_bytes / 2**20:.1f} MiB, by VIPs removed")]
    head = [("dataplane", found.name), ("connection", connection), ("writes", writes)]
    return (fields([*head, *known, *traffic, *lost, *drift, *unrouted, *unmanaged]),)


def _messages(counts: Sequence[MessageCount]) -> Cell:
    sent, received = (sum(each.count for each in counts if each.direction == way) for way in ("tx", "rx"))
    wrong = sum(each.count for each in counts if each.result == "error")
    return Cell(f"{sent} sent, {received} received, {wrong} of them errors", Style.ERROR if wrong else Style.PLAIN)


def state(found: DataplaneState, names: Mapping[VipKey, str]) -> View:
    """View of the dataplane's state; `names` are the frontends' names by VIP."""
    rows = [
        (key, vip, address, server)
        for key, vip in found.vips.items()
        for address, server in vip.servers.items() or [(None, None)]
    ]
    columns: dict[str, Callable[[tuple[VipKey, VipState, object, ServerState | None]], object]] = {
        "VIP": lambda row: row[0],
        "frontend": lambda row: names.get(row[0]) or Cell("unmanaged", Style.WARNING),
        "encap": lambda row: row[1].attributes.encap,
        "#buckets": lambda row: row[1].attributes.table_length,
        "sticky": lambda row: _flag(row[1].attributes.sticky),
        "server": lambda row: row[2],
        "#weight": lambda row: row[3] and row[3].weight,
        "#its buckets": lambda row: row[3] and row[3].buckets,
        "#share": lambda row: _share(row[1], row[3]),
        "#entries": lambda row: row[3] and row[3].entries,
    }
    conf = fields(
        [
            ("GRE sources", f"{found.conf.ipv4_source or '-'}, {found.conf.ipv6_source or '-'}"),
            ("sticky buckets per core", found.conf.sticky_buckets_per_core),
            ("flow timeout", formatting.duration(found.conf.flow_timeout_s)),
        ]
    )
    return (conf, table(rows, columns, "the dataplane holds no such VIPs"))


def _flag(value: bool | None) -> str | None:  # noqa: FBT001  (what it words)
    """`yes` or `no`; nothing where the dataplane did not say."""
    return None if value is None else formatting.yes(value)


def _share(vip: VipState, server: ServerState | None) -> str | None:
    if server is None or server.buckets is None:
        return None
    return formatting.share(server.buckets / vip.attributes.table_length)


def counters(found: Sequence[VipCounters], names: Mapping[VipKey, str]) -> View:
    """View of the counters of VIPs and of their routes; `names` are the frontends' names by VIP."""
    kinds = sorted({kind for each in found for kind in each.packets})
    columns: dict[str, Callable[[VipCounters], object]] = {
        "VIP": lambda each: each.vip,
        "frontend": lambda each: names.get(each.vip),
        **{f"#{kind}": partial(lambda kind, each: each.packets.get(kind), kind) for kind in kinds},
    }
    # All VIPs of an address share its route, and have the same figures for it.
    routes = list({each.vip.address: each for each in found if each.route_packets is not None}.values())
    of_routes: dict[str, Callable[[VipCounters], object]] = {
        "route to": lambda each: each.vip.address,
        "#packets": lambda each: each.route_packets,
        "#bytes": lambda each: each.route_bytes,
    }
    carried = table(found, columns, "the dataplane counts nothing")
    return (carried, table(routes, of_routes, "")) if routes else (carried,)
